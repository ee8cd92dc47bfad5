"""`python -m tests.lighthouse`: Lighthouse's scores of the main pages, offline, on a desktop."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

from tests import browser, programs
from tests.factories import PASSWORD
from tests.programs import MissingError
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team

LOWEST = 95
CATEGORIES = ("performance", "accessibility", "best-practices")
RUN_SECONDS = 120
TRIES = 3

Scores = dict[str, dict[str, int]]


def measure() -> Scores:
    """Points of 100 by page and category, of a server with the demo's data."""
    program, chromium = programs.find("lighthouse"), programs.find("chromium")
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
        done = _run(command, str(chromium))
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
        cwd=programs.FOLDER,
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
        scores = measure()
    except MissingError as error:
        print(error, file=sys.stderr)
        return 1
    for page, categories in scores.items():
        print(f"{page:10}", "  ".join(f"{name} {points}" for name, points in categories.items()))
    return 1 if too_low(scores) else 0


if __name__ == "__main__":
    sys.exit(main())
