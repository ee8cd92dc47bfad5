"""What is wrong with a picture or its page: errors, what the policy stopped, what is cut."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from tests import browser
from tests.layout import cut_off
from tests.pictures.camera import Camera

LEAST_COLOURS, MOST_OF_ONE = 24, 0.985
"""Of a picture that shows something: how many colours, and the largest share of one."""
FIND_CUT = """() => {
  const width = document.documentElement.clientWidth, found = [];
  const stays = [...document.querySelectorAll("body *")].filter(each => {
    const box = each.getBoundingClientRect();
    return ["sticky", "fixed"].includes(getComputedStyle(each).position) && box.top <= 0
      && box.bottom > 0 && box.bottom < innerHeight / 3 && box.width > width / 2;
  });
  const edge = Math.max(0, ...stays.map(each => each.getBoundingClientRect().bottom));
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, parent = text.parentElement;
    if (!text.data.trim() || stays.some(each => each.contains(parent))) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const box of range.getClientRects()) {
      if (box.top >= edge - 0.5 || box.bottom <= edge + 0.5 || box.width < 2) continue;
      const hit = document.elementFromPoint((box.left + box.right) / 2, box.bottom - 0.5);
      if (hit && parent.contains(hit)) found.push(`cut at its top: ${text.data.trim()}`);
    }
  }
  return found;
}"""
MEASURE = """async told => {
  const bytes = Uint8Array.from(atob(told), each => each.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], {type: "image/webp"}));
  const width = picture.width >> 2, height = picture.height >> 2;
  const drawn = new OffscreenCanvas(width, height).getContext("2d");
  drawn.imageSmoothingEnabled = false;
  drawn.drawImage(picture, 0, 0, width, height);
  const points = new Uint32Array(drawn.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const each of points) counts.set(each, (counts.get(each) || 0) + 1);
  return [picture.width, picture.height, counts.size, Math.max(...counts.values()) / points.length];
}"""


class WatchfulCamera(Camera):
    """`faults`, by picture: what was wrong with its page since the one before, and with itself."""

    def __init__(self, chromium: Browser, folder: Path) -> None:
        super().__init__(chromium, folder, settle_ms=0)
        self.faults: dict[str, list[str]] = {}
        self._noticed: list[str] = []
        self._stopped: list[list[str]] = []
        self._measuring = chromium.new_page()

    @contextmanager
    def open(self, size: tuple[int, int]) -> Iterator[Page]:
        with super().open(size) as page:
            self._watch(page.context)
            yield page

    def take(self, page: Page, name: str) -> None:
        self._noticed += [*cut_off(page), *page.evaluate(FIND_CUT)]
        super().take(page, name)
        self._noticed += self._measure(page, name)
        self._noticed += [each for stopped in self._stopped for each in stopped]
        for stopped in self._stopped:
            del stopped[:]
        self.faults[name], self._noticed = self._noticed, []

    def _watch(self, context: BrowserContext) -> None:
        self._stopped.append(browser.hear_policy(context))
        context.on("weberror", lambda error: self._note(str(error.error), True))
        context.on("console", self._hear)
        context.on(
            "response",
            lambda answer: self._note(f"{answer.status}: {answer.url}", answer.status >= 400),
        )

    def _hear(self, line: ConsoleMessage) -> None:
        self._note(line.text, line.type == "error")

    def _note(self, text: str, is_wrong: bool) -> None:
        if is_wrong:
            self._noticed.append(text)

    def _measure(self, page: Page, name: str) -> Iterator[str]:
        told = base64.b64encode((self.folder / f"{name}.webp").read_bytes()).decode()
        width, height, colours, most = self._measuring.evaluate(MEASURE, told)
        if {"width": width, "height": height} != page.viewport_size:
            yield f"{width} × {height}, and not {page.viewport_size}"
        if colours < LEAST_COLOURS or most > MOST_OF_ONE:
            yield f"Next to nothing on it: {colours} colours, {most:.1%} are of one"
