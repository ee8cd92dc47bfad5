"""`python -m bench.quick_start`: does what docs/quick-start.md says on a fresh copy of the code,
by a clock, and rewrites the table on that page."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from bench.machine import machine
from tests import browser
from tests.ports import free_port

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "quick-start.md"
READ_SECONDS, TYPE_SECONDS = 4.0, 0.12
"""How long a person looks before each click, and takes for each letter."""
TABLE = re.compile(r"(<!-- quick start: begin -->\n).*?(\n<!-- quick start: end -->)", re.DOTALL)
COPY, START, SET_UP, KEY, SEND, SEE = (
    "The code is there (not counted)",
    "1. Start it: packages, database, link",
    "2. Set it up",
    "3. Make a workflow and a key",
    "4. Send the first report",
    "5. See it: the tick, then the live log",
)


class Clock:
    """Seconds by step, printed as they are known."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began
        print(f"{self.seconds[name]:7.1f} s  {name}", flush=True)

    @property
    def total(self) -> float:
        return sum(seconds for name, seconds in self.seconds.items() if name != COPY)


def main() -> None:
    """Raises what a step fails with; then the page stays as it is."""
    clock = Clock()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "flowpulse"
        with clock.step(COPY):
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy)], check=True)
        with started(clock, copy) as link, opened() as page:
            walk(clock, page, link)
    print(f"{clock.total:7.1f} s  together")
    PAGE.write_text(TABLE.sub(rf"\1\n{draw(clock)}\n\2", PAGE.read_text()))


@contextmanager
def started(clock: Clock, folder: Path) -> Iterator[str]:
    """`make run` in this folder; yields the set-up link."""
    process = subprocess.Popen(
        ["make", "run"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        with clock.step(START):
            link = find_link(process)
        yield link
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=40)


def environment() -> dict[str, str]:
    """Of somebody who has none of our settings, and whose pip has fetched nothing before."""
    foreign = ("FLOWPULSE_", "FLASK_", "GUNICORN_", "MAKE", "MFLAGS", "VIRTUAL_ENV", "PYTHON")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
    own = str(ROOT / ".venv" / "bin")
    path = os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if each != own)
    return {**kept, "PATH": path, "PORT": str(free_port()), "PIP_NO_CACHE_DIR": "1"}


def find_link(process: "subprocess.Popen[str]") -> str:
    """Once it is printed; raises SystemExit with all that was printed where it never is."""
    said = []
    for line in process.stdout or ():
        said.append(line)
        if found := re.search(r"http\S+/setup\?token=\S+", line):
            return found[0]
    raise SystemExit("".join(said))


@contextmanager
def opened() -> Iterator[Page]:
    with sync_playwright() as playwright:
        options = browser.launch_options(str(browser.find_chromium(playwright)))
        with playwright.chromium.launch(**options) as chromium:
            yield chromium.new_page()


def walk(clock: Clock, page: Page, link: str) -> None:
    """The steps of the page from the second on."""
    with clock.step(SET_UP):
        open_when_ready(page, link)
        write(page.get_by_label("Workspace"), "Acme")
        write(page.get_by_label("E-mail"), "ana@example.org")
        write(page.get_by_label("Password"), "a sentence that nobody guesses")
        click(page.get_by_role("button", name="Set up and sign in"))
        tool = page.get_by_role("link", name="Any HTTP client")
        expect(tool).to_be_visible()
    with clock.step(KEY):
        click(tool)
        write(page.get_by_label("A new one"), "Lead enrichment")
        click(page.get_by_role("button", name="Create workflow"))
        click(page.get_by_role("button", name="Create key"))
        command = page.locator("#code-success")
        expect(command).to_contain_text("fp_")
    with clock.step(SEND):
        time.sleep(2 * READ_SECONDS)  # To copy it, and to open a terminal.
        shell = ["sh", "-c", command.inner_text()]
        sent = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
        if '"accepted"' not in sent:
            raise SystemExit(sent)
    with clock.step(SEE):
        expect(page.locator("#listen")).to_have_attribute("data-news", re.compile("first success"))
        click(page.get_by_role("link", name="Events", exact=True).first)
        expect(page.locator("#events > tr")).to_have_count(1)
        time.sleep(READ_SECONDS)


def open_when_ready(page: Page, link: str) -> None:
    """A browser that is too early is told to try again, as a person would."""
    deadline = time.monotonic() + 30
    while True:
        try:
            page.goto(link)
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def click(what: Locator) -> None:
    time.sleep(READ_SECONDS)
    what.click()


def write(field: Locator, text: str) -> None:
    field.press_sequentially(text, delay=TYPE_SECONDS * 1_000)


def described() -> str:
    """The machine, without what takes no part in it."""
    parts = machine().split(", ")
    return ", ".join(part for part in parts if not part.startswith(("PostgreSQL", "wrk")))


def draw(clock: Clock) -> str:
    steps = [(name, seconds) for name, seconds in clock.seconds.items() if name != COPY]
    rows = [f"| {name} | {seconds:.0f} s |" for name, seconds in steps]
    day = f"{datetime.now(UTC):%-d %B %Y}"
    minutes, seconds = divmod(round(clock.total), 60)
    return "\n".join(
        (
            "| Step | Time |",
            "|---|---:|",
            *rows,
            f"| Together | **{minutes} min {seconds} s** |",
            "",
            f"On {described()}, {day}.",
        )
    )


if __name__ == "__main__":
    main()
