"""`python -m tests.lighthouse`: Lighthouse's scores of the main pages, offline, on a desktop.

With `--install` it is only installed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

from tests import browser
from tests.factories import PASSWORD
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team

PACKAGE = "lighthouse@12.8.2"
FOLDER = Path(__file__).parent.parent / ".cache" / "lighthouse"
LOWEST = 95
CATEGORIES = ("performance", "accessibility", "best-practices")
INSTALL_SECONDS = 180
RUN_SECONDS = 120
TRIES = 3

Scores = dict[str, dict[str, int]]


class MissingError(Exception):
    """Lighthouse can't run here; the message says what is missing."""


class NotInstalledError(MissingError):
    """npm could not install it: the network's fault, or the registry's."""


def find_lighthouse() -> Path:
    """Its program, installed into a folder that git ignores. Raises MissingError."""
    program = FOLDER / "node_modules" / ".bin" / "lighthouse"
    if not (shutil.which("node") and shutil.which("npm")):
        raise MissingError("node and npm are not there")
    if not program.exists():
        npm_install(PACKAGE, FOLDER)
    return program


def npm_install(package: str, folder: Path) -> None:
    """Into the folder's `node_modules`. Raises NotInstalledError."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder)]
    try:
        subprocess.run(
            [*command, package], check=True, capture_output=True, timeout=INSTALL_SECONDS
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise NotInstalledError(f"{package} could not be installed with npm") from error


def find_browser() -> str:
    found = browser.find_installed()
    if found is None:
        raise MissingError("the machine has no Chromium of its own")
    return found


def measure() -> Scores:
    """Points of 100 by page and category, of a server with the demo's data."""
    program, chromium = find_lighthouse(), find_browser()
    with tempfile.TemporaryDirectory() as folder, LiveServer(Path(folder), "") as server:
        team = make_live_team(server)
        server.cli("demo")
        cookie, event = sign_in(server, team)
        pages = {"overview": "/", "log": "/events", "event": event}
        return {
            name: score(program, chromium, server.url + path, cookie)
            for name, path in pages.items()
        }


def sign_in(server: LiveServer, team: LiveTeam) -> tuple[str, str]:
    """The cookie of a session, and the path of a refused event."""
    session = requests.Session()
    form = session.get(server.url + "/sign-in", timeout=30).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert token is not None
    data = {"email": team.email, "password": PASSWORD, "csrf_token": token[1]}
    log = session.post(server.url + "/sign-in", data={**data, "next": "/events"}, timeout=30).text
    log = session.get(server.url + "/events?state=rejected", timeout=30).text
    event = re.search(r'href="(/events/[a-z0-9]{24})"', log)
    assert event is not None
    return "; ".join(f"{each.name}={each.value}" for each in session.cookies), event[1]


def score(program: Path, chromium: str, url: str, cookie: str) -> dict[str, int]:
    command = [
        str(program),
        url,
        "--quiet",
        "--preset=desktop",
        "--output=json",
        # A page with an open event stream never falls silent: it is not waited for for long.
        "--max-wait-for-load=4000",
        f"--only-categories={','.join(CATEGORIES)}",
        f"--extra-headers={json.dumps({'Cookie': cookie})}",
        f"--chrome-flags={' '.join(('--headless=new', *browser.ARGUMENTS))}",
    ]
    for _ in range(TRIES):  # A busy machine may be too slow to start a browser.
        done = _run(command, chromium)
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr[-2_000:]
    report = json.loads(done.stdout)
    assert report["finalDisplayedUrl"].startswith(url.rstrip("/")), report["finalDisplayedUrl"]
    return {name: round((report["categories"][name]["score"] or 0) * 100) for name in CATEGORIES}


def _run(command: list[str], chromium: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, "CHROME_PATH": chromium},
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


def too_low(scores: Scores) -> list[str]:
    return [
        f"{page}: {category} {points}"
        for page, categories in scores.items()
        for category, points in categories.items()
        if points < LOWEST
    ]


def main() -> int:
    try:
        if "--install" in sys.argv:
            find_lighthouse()
            return 0
        scores = measure()
    except MissingError as error:
        print(f"Lighthouse was not run: {error}.", file=sys.stderr)
        return 1
    for page, categories in scores.items():
        print(f"{page:10}", "  ".join(f"{name} {points}" for name, points in categories.items()))
    return 1 if too_low(scores) else 0


if __name__ == "__main__":
    sys.exit(main())
