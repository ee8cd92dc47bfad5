"""Runs a file of integrations/ for a team on the live server, and tells what came of it."""

import os
import subprocess
from pathlib import Path
from typing import Any

from app.console.integration_files import read_file
from app.console.snippet_parts import Target
from tests.ports import free_port
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam

AWKWARD = "He said \"no\": C:\\new\\table\nline two\ttabbed {{ $json }} }} 'single' ü€ ✓"
SHELLS = ("bash", "dash")
Done = subprocess.CompletedProcess[str]


def target_of(server: LiveServer, team: LiveTeam) -> Target:
    return Target(server.url, team.workflow_id, team.slug, team.key)


def target_away() -> Target:
    """Where nobody listens."""
    return Target(f"http://127.0.0.1:{free_port()}", "w" * 24, "lead", "fp_" + "k" * 36)


def put(folder: Path, target: Target, *paths: str) -> None:
    for path in paths:
        (folder / path.rpartition("/")[2]).write_text(read_file(path, target))


def run(command: list[str], folder: Path, **env: str) -> Done:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


class Reports:
    """What has come from the team since this was made, once the worker has made runs of it."""

    def __init__(self, server: LiveServer, team: LiveTeam) -> None:
        self.server, self.team = server, team
        self.before = {each["event_id"] for each in self._events()}

    def _events(self) -> list[dict[str, Any]]:
        answer = self.server.get("/api/v1/events?limit=50", headers=self.team.headers)
        return list(answer.json()["data"])

    def wait(self, count: int) -> list[dict[str, Any]]:
        """The runs, the oldest first, with the warnings of their events."""

        def look() -> list[dict[str, Any]] | None:
            new = [each for each in self._events() if each["event_id"] not in self.before]
            return new if len(new) >= count and all(each["run_id"] for each in new) else None

        events = list(wait_for(look, 15))
        assert len(events) == count
        return [self._run(each) for each in reversed(events)]

    def _run(self, event: dict[str, Any]) -> dict[str, Any]:
        answer = self.server.get(f"/api/v1/runs/{event['run_id']}", headers=self.team.headers)
        return {**answer.json(), "warnings": event["warnings"]}
