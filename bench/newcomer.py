"""Somebody who follows docs/quick-start.md: presses what is bold there, types what stands as code,
and runs its commands. So the document says what is done, and not this."""

import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "quick-start.md"
ADDRESS, KEY = "http://127.0.0.1:8000", "fp_your_key"
"""What the document has in place of the reader's own."""
EMAIL, PASSWORD = "ana@example.org", "a sentence that nobody guesses"
_STEP = re.compile(r"^## (\d)\. .*\n", re.MULTILINE)
_CODE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_BOLD = re.compile(r"\*\*([^*]+)\*\*")


class Pace(NamedTuple):
    """Seconds that a person looks before each click, and takes for each letter."""

    look: float = 0.0
    letter: float = 0.0


AT_ONCE = Pace()


class Step:
    """What one step of the document tells to do."""

    def __init__(self, text: str) -> None:
        prose = _CODE.sub("", text)
        self.pressed = [" ".join(each.split()) for each in _BOLD.findall(prose)]
        """What is bold, in its order: names of buttons, links, and of what is looked at."""
        self.typed = re.findall(r"Type `([^`]+)`", prose)
        self.commands = [code for language, code in _CODE.findall(text) if language == "sh"]
        self.printed = [code for language, code in _CODE.findall(text) if language == "text"]


def read_steps(page: Path = PAGE) -> list[Step]:
    """The numbered steps, the first at place 0. Raises ValueError where a number is missing."""
    parts = _STEP.split(page.read_text("utf-8").partition("\n## How long")[0])[1:]
    numbers = [int(each) for each in parts[::2]]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"The steps are numbered {numbers}")
    return [Step(text) for text in parts[1::2]]


class Newcomer:
    """In a browser and a terminal, at a server with this address."""

    def __init__(self, page: Page, url: str, pace: Pace = AT_ONCE) -> None:
        self.page, self.url, self.pace = page, url, pace
        _, self.second, self.third, self.fourth, self.fifth = read_steps()
        self.key = ""

    def set_up(self, link: str) -> None:
        """Step 2."""
        self._open_when_ready(link)
        (button,) = self.second.pressed
        self._write("Workspace", "Acme")
        self._write("E-mail", EMAIL)
        self._write("Password", PASSWORD)
        self._press(button)
        expect(self._find(self.third.pressed[0])).to_be_visible()

    def make_key(self) -> None:
        """Step 3."""
        tool, make, create = self.third.pressed
        (name,) = self.third.typed
        self._press(tool)
        self._write("A new one", name)
        self._press(make)
        self._press(create)
        found = re.search(r"\bfp_\w+", self._read_command())
        assert found, "The command does not have the key"
        self.key = found[0]

    def send_first(self) -> str:
        """Step 4: the page's own first command. Returns what it prints."""
        time.sleep(2 * self.pace.look)  # To copy it, and to open a terminal.
        return run(self._read_command())

    def see(self) -> None:
        """Step 5, up to the report in the log."""
        tick, events = self.fifth.pressed
        come = self.page.locator("#listen .tick[data-tone]", has_text=tick)
        expect(come.get_by_label("Has come")).to_be_visible()
        self._press(events)
        expect(self.page.locator("#events > tr")).to_have_count(1)
        time.sleep(self.pace.look)

    def run(self, command: str) -> str:
        """One of the document's, with the reader's own address and key. Returns what it prints."""
        return run(command.replace(ADDRESS, self.url).replace(KEY, self.key))

    def _read_command(self) -> str:
        """The page's first one, of which the document says what stands above it."""
        (title,) = self.fourth.pressed
        part = self.page.locator(".part").first
        expect(part.get_by_role("heading", name=title)).to_be_visible()
        command = part.locator("#code-success")
        expect(command).to_contain_text("fp_")
        return command.inner_text()

    def _open_when_ready(self, link: str) -> None:
        """A browser that is too early is told to try again, as a person would."""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.page.goto(link)
                return
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _find(self, name: str) -> Locator:
        """The button or link that the document calls so; its hint may follow."""
        starts = re.compile(rf"^\s*{re.escape(name)}\b")
        button = self.page.get_by_role("button", name=starts)
        return button.or_(self.page.get_by_role("link", name=starts)).first

    def _press(self, name: str) -> None:
        time.sleep(self.pace.look)
        self._find(name).click()

    def _write(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label)
        if self.pace.letter:
            field.press_sequentially(text, delay=self.pace.letter * 1_000)
        else:
            field.fill(text)


def run(command: str) -> str:
    """What it prints, in a shell. Raises CalledProcessError for what fails."""
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout
