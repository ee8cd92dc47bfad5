"""The reckoning after Load L: what was answered with 202 is there once, as sent, and sums agree."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests

from app.clock import now
from app.extensions import db
from tests.apps import close_app, make_app
from tests.drills.load import Load, Sent
from tests.processing.sums import (
    quarters_from_rollups,
    quarters_from_runs,
    sums_from_rollups,
    sums_from_runs,
)
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam

QUARTERS_SINCE = timedelta(days=90)
"""Those of the last hundred days are kept."""

Run = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What became of the events that were answered with 202."""

    accepted: int
    lost: int
    doubled: int
    """Executions with more than one run, or events counted twice by their run."""
    altered: int
    """Runs that say something else than what was sent: outcome, duration, end or error."""

    @property
    def figures(self) -> dict[str, int]:
        return {
            "accepted": self.accepted,
            "lost": self.lost,
            "doubled": self.doubled,
            "altered": self.altered,
        }


def fetch(server: LiveServer, team: LiveTeam, path: str, **query: Any) -> Any:
    """Ask again while the killed part is still on its way back."""

    def ask() -> Any:
        try:
            answer = server.get(f"/api/v1/{path}", params=query, headers=team.headers)
        except requests.RequestException:
            return None
        return answer.json() if answer.status_code == 200 else None

    return wait_for(ask, seconds=30, pause=0.2)


def read_all(server: LiveServer, team: LiveTeam, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"limit": 200, **({"cursor": cursor} if cursor else {})}
        page = fetch(server, team, path, **query)
        rows += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


def wait_until_drained(server: LiveServer, team: LiveTeam, seconds: float = 600) -> None:
    """Until no event waits for the worker any more."""

    def is_drained() -> bool:
        waiting = fetch(server, team, "events", status="accepted", limit=1)
        return bool(waiting["data"] == [])

    wait_for(is_drained, seconds=seconds, pause=0.2)


def reconcile(
    server: LiveServer,
    team: LiveTeam,
    load: Load,
    wait: Callable[[LiveServer, LiveTeam], None] = wait_until_drained,
) -> Reckoning:
    """Every recorded event is there once, processed, each execution has one run that says what was
    sent, and sums agree by quarters, hours and days."""
    wait(server, team)
    accepted = load.accepted
    listed = [each for each in read_all(server, team, "events") if each["status"] != "rejected"]
    events = {event["event_id"]: event for event in listed}
    assert {event["status"] for event in listed} <= {"processed"}
    runs = read_all(server, team, "runs")
    executions = Counter(filter(None, (run["external_execution_id"] for run in runs)))
    lost = [event_id for event_id in accepted if event_id not in events]
    lost += [execution for execution in accepted.values() if execution not in executions]
    doubled = sum(count - 1 for count in executions.values()) + len(listed) - len(events)
    doubled += abs(sum(run["event_count"] for run in runs) - len(events))
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        since = now() - QUARTERS_SINCE
        assert sums_from_rollups() == sums_from_runs()
        assert quarters_from_rollups(since) == quarters_from_runs(since)
        db.session.rollback()
    close_app(app)
    return Reckoning(len(accepted), len(lost), doubled, count_altered(runs, load.sent))


def count_altered(runs: list[Run], sent: dict[str, Sent]) -> int:
    """Also of what was stored without that its sender was answered; of other senders' runs nothing
    is known."""
    own = [run for run in runs if run["external_execution_id"] in sent]
    return sum(told_by(run) != sent[run["external_execution_id"]] for run in own)


def told_by(run: Run) -> Sent:
    ended_at = datetime.fromisoformat(run["ended_at"]) if run["ended_at"] else None
    return Sent(run["outcome"], run["duration_ms"], ended_at, run["error_message"])
