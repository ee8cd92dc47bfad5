"""A browser that takes pictures in which nothing moves, at a moment that is always the same."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from playwright.sync_api import Browser, Page

from app import clock
from tests.drills.clocks import MachineClock
from tests.pictures.pages import SCHEMES
from tests.server import LiveServer

BEGINNING = datetime(2026, 11, 17, 9, 26, tzinfo=UTC)
MOMENT = BEGINNING + timedelta(minutes=6, milliseconds=500)
"""When data begins to be made, and when all pictures are taken. It takes a minute or two."""
STEP_SECONDS, STEP_TAKES = 2, 0.25
"""The servers' clock is never put ahead faster: they would take it for an outage."""
HOLD_SECONDS = 0.1
"""Within the second the clock may still go to and fro by that."""
QUALITY = 40
"""Of WebP: the letters are still sharp, and all pictures together stay below 2 MB."""
SETTLE_MS = 400
AS_DELIVERED = """words => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) for (const [own, told] of words) {
    const text = texts.currentNode;
    if (text.data.includes(own)) text.data = text.data.replaceAll(own, told);
  }
}"""
DRAWN = """() => document.fonts.ready.then(() =>
  new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))"""


class FixedTime:
    """The clock that servers and this process go by."""

    def __init__(self, folder: Path) -> None:
        self._clock = MachineClock(folder)
        self._set(BEGINNING)

    @property
    def settings(self) -> dict[str, str]:
        return self._clock.settings

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """It is MOMENT all the while; until then it goes quickly, but does not leap."""
        while clock.now() < MOMENT - timedelta(seconds=STEP_SECONDS):
            self._set(clock.now() + timedelta(seconds=STEP_SECONDS))
            time.sleep(STEP_TAKES)
        is_over = Event()
        holder = Thread(target=self._hold, args=(is_over,))
        holder.start()
        time.sleep(2 * HOLD_SECONDS)
        try:
            yield
        finally:
            is_over.set()
            holder.join()

    def _hold(self, is_over: Event) -> None:
        """A clock that went on and back would make the cookies of the page before too new."""
        while not is_over.wait(HOLD_SECONDS):
            self._set(MOMENT)

    def _set(self, moment: datetime) -> None:
        own = clock.own_now()
        self._clock.set((moment - own).total_seconds())
        clock.agree(moment, own, timedelta())


def tell_as_delivered(page: Page, server: LiveServer) -> None:
    """The port and the folder of a server of the tests are others each time."""
    page.evaluate(
        AS_DELIVERED, [[f":{server.port}", ":8000"], [str(server.data_dir), "/srv/flowpulse/data"]]
    )


class Camera:
    """Takes pictures of a browser's pages into a folder.

    `moment` is what scripts read from their clock; without one it is the machine's time.
    `settle_ms`: how long a page is left alone before, for what is drawn late.
    """

    def __init__(
        self,
        chromium: Browser,
        folder: Path,
        moment: datetime | None = None,
        settle_ms: int = SETTLE_MS,
    ) -> None:
        self.chromium, self.folder = chromium, folder
        self.moment, self.settle_ms = moment, settle_ms

    @contextmanager
    def open(self, size: tuple[int, int]) -> Iterator[Page]:
        width, height = size
        context = self.chromium.new_context(
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
        )
        if self.moment:
            context.clock.set_fixed_time(self.moment)
        yield context.new_page()
        context.close()

    def take_both(self, page: Page, name: str) -> None:
        """What the page shows, in light and in dark."""
        page.evaluate("document.activeElement?.blur()")  # A caret comes and goes.
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.take(page, f"{name}-{scheme}")

    def take(self, page: Page, name: str) -> None:
        """As WebP, which the browser writes and Playwright does not ask it for."""
        page.evaluate(DRAWN)
        page.wait_for_timeout(self.settle_ms)
        session = page.context.new_cdp_session(page)
        options = {"format": "webp", "quality": QUALITY}
        picture = base64.b64decode(session.send("Page.captureScreenshot", options)["data"])
        (self.folder / f"{name}.webp").write_bytes(picture)
        session.detach()
