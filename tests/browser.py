"""Which Chromium the browser tests use, and how it is started."""

from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Playwright

from tests import programs

# No sandbox: it needs rights that containers and CI machines don't give. The rest keeps Chromium
# from calling its maker.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium(playwright: Playwright) -> Path:
    """The machine's browser, else the one that Playwright has installed, by `make test-tools` where
    nobody is root. Raises MissingError."""
    bundled = Path(playwright.chromium.executable_path)
    is_there = programs.PROGRAMS["chromium"].look("chromium")
    return bundled if bundled.exists() and not is_there else programs.find("chromium")


def hear_policy(context: BrowserContext) -> list[str]:
    """Grows by what the content security policy stops in a page, as the browser's console says."""
    stopped: list[str] = []

    def hear(line: ConsoleMessage) -> None:
        if "Content Security Policy" in line.text:
            stopped.append(f"{line.page and line.page.url}: {line.text}")

    context.on("console", hear)
    return stopped


def launch_options(executable: str) -> dict[str, Any]:
    return {"executable_path": executable, "args": list(ARGUMENTS)}
