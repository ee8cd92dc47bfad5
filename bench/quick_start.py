"""`python -m bench.quick_start`: does what docs/quick-start.md says on a fresh copy of the code,
by a clock, and rewrites the table on that page."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.machine import machine
from bench.newcomer import PAGE, ROOT, Newcomer, Pace, read_steps
from tests import browser
from tests.ports import free_port

PACE = Pace(look=4.0, letter=0.12)
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
        settings = environment()
        with opened() as page, started(copy, settings) as process:
            with clock.step(START):
                said = read_link(process)
            walk(clock, Newcomer(page, f"http://127.0.0.1:{settings['PORT']}", PACE), said)
    print(f"{clock.total:7.1f} s  together")
    PAGE.write_text(TABLE.sub(rf"\1\n{draw(clock)}\n\2", PAGE.read_text()))


@contextmanager
def started(folder: Path, settings: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """The first step's command in this folder; it is ended as by Ctrl-C."""
    (command,) = read_steps()[0].commands
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        env=dict(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=40)


def environment() -> dict[str, str]:
    """Of somebody who has none of our settings, and whose pip has fetched nothing before."""
    foreign = ("FLOWPULSE_", "FLASK_", "GUNICORN_", "MAKE", "MFLAGS", "VIRTUAL_ENV", "PYTHON")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
    own = str(ROOT / ".venv" / "bin")
    path = os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if each != own)
    return {**kept, "PATH": path, "PORT": str(free_port()), "PIP_NO_CACHE_DIR": "1"}


def read_link(process: "subprocess.Popen[str]") -> str:
    """All that is printed up to the set-up link, which ends it. Raises SystemExit with what was
    printed where it never comes."""
    said = ""
    for line in process.stdout or ():
        said += line
        if re.search(r"http\S+/setup\?token=\S+", line):
            return said.rstrip()
    raise SystemExit(said)


@contextmanager
def opened() -> Iterator[Page]:
    with sync_playwright() as playwright:
        options = browser.launch_options(str(browser.find_chromium(playwright)))
        with playwright.chromium.launch(**options) as chromium:
            yield chromium.new_page()


def walk(clock: Clock, newcomer: Newcomer, said: str) -> None:
    """The steps of the page from the second on."""
    with clock.step(SET_UP):
        newcomer.set_up(said.split()[-1])
    with clock.step(KEY):
        newcomer.make_key()
    with clock.step(SEND):
        sent = newcomer.send_first()
        if '"accepted"' not in sent:
            raise SystemExit(sent)
    with clock.step(SEE):
        newcomer.see()


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
