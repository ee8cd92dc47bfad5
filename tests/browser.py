"""Which Chromium the browser tests use, and how it is started."""

import os
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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
MISSING = (
    "No Chromium was found: the browser tests were not run. `make test-tools` installs one (with "
    "Debian's apt as root, else with `playwright install chromium`)."
)


def find_installed() -> str | None:
    """The path of the machine's own browser."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def find_chromium(playwright: Playwright) -> str | None:
    """The path of the machine's browser, else of the one that Playwright has installed."""
    installed = find_installed()
    if installed:
        return installed
    bundled = playwright.chromium.executable_path
    return bundled if Path(bundled).exists() else None


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


def is_required() -> bool:
    """In CI a missing browser is a failure, not a skip."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}
