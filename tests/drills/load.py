"""Load L and its reckoning: what was answered with 202 is there once, and all sums agree."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import requests
from urllib3.exceptions import NewConnectionError

from app.extensions import db
from tests.apps import close_app, make_app
from tests.processing.sums import sums_from_rollups, sums_from_runs
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam
from tests.together import Meanwhile

CLIENTS = 8
RATE = 100
"""Events a second, of all clients together."""
TIMEOUT = 30
REFUSED, CUT_OFF = "refused", "cut off"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's: when it was sent (monotonic), how long it took in seconds, and what came.

    `status` 0: no answer; `code` tells REFUSED, where no connection was made and so nothing was
    sent, from CUT_OFF.
    """

    sent_at: float
    seconds: float
    status: int
    code: str = ""
    retry_after: str = ""


class Load(Meanwhile):
    """Clients that send mixed events at a steady rate, each with an execution id of its own, and
    note every answer. `with Load(server, team) as load:`"""

    def __init__(
        self, server: LiveServer, team: LiveTeam, clients: int = CLIENTS, rate: float = RATE
    ) -> None:
        super().__init__(partial(self._send, number) for number in range(clients))
        self._server = server
        self._team = team
        self._pause = clients / rate
        self._began_at = time.monotonic()
        self._ended_at: float | None = None
        self.accepted: dict[str, str] = {}
        """The execution ids of all that was answered with 202, by event id."""
        self.answers: list[Answer] = []

    @property
    def rate(self) -> float:
        """How many were accepted per second of its time."""
        return len(self.accepted) / ((self._ended_at or time.monotonic()) - self._began_at)

    def __enter__(self) -> Self:
        self._began_at = time.monotonic()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._ended_at = time.monotonic()

    def statuses(self, since: float = 0.0) -> Counter[int]:
        """How often each status came, of what was sent since then (monotonic)."""
        return Counter(each.status for each in list(self.answers) if each.sent_at >= since)

    def seconds_to_202(self, since: float, within: float) -> float:
        """Waits for the first 202 of what is answered after `since` (monotonic); how long it took.

        Raises AssertionError when none came `within` so many seconds from now.
        """

        def find() -> float:
            done = [
                each.sent_at + each.seconds for each in list(self.answers) if each.status == 202
            ]
            return next((moment - since for moment in done if moment > since), 0.0)

        return float(wait_for(find, seconds=within))

    def percentile(self, share: float, since: float = 0.0, until: float = float("inf")) -> float:
        """Seconds below which this share of the 202s of that time stayed; 0 where none came."""
        waits = sorted(
            each.seconds
            for each in list(self.answers)
            if each.status == 202 and since <= each.sent_at < until
        )
        return waits[min(int(len(waits) * share), len(waits) - 1)] if waits else 0.0

    def _send(self, client: int) -> None:
        chance, number, session = random.Random(client), 0, requests.Session()
        due = time.monotonic() + chance.random() * self._pause
        while not self.is_over.wait(max(0.0, due - time.monotonic())):
            due = max(due, time.monotonic() - self._pause) + self._pause
            number += 1
            self._send_one(session, f"{client}-{number}", chance.choice(["success", "failure"]))

    def _send_one(self, session: requests.Session, execution: str, kind: str) -> None:
        fields = {
            "workflow_slug": self._team.slug,
            "ended_at": "2026-01-15T09:31:00Z",
            "external_execution_id": execution,
            "duration_ms": len(self.accepted),
            **({"error_message": "boom"} if kind == "failure" else {}),
        }
        url, sent_at = f"{self._server.url}/api/v1/ingest/run-{kind}", time.monotonic()
        try:
            answer = session.post(url, json=fields, headers=self._team.headers, timeout=TIMEOUT)
        except requests.RequestException as error:
            code = REFUSED if was_refused(error) else CUT_OFF
            self.answers.append(Answer(sent_at, time.monotonic() - sent_at, 0, code))
            return
        seconds, retry_after = time.monotonic() - sent_at, answer.headers.get("Retry-After", "")
        code = "" if answer.status_code == 202 else _code_of(answer)
        if answer.status_code == 202:
            self.accepted[answer.json()["event_id"]] = execution
        self.answers.append(Answer(sent_at, seconds, answer.status_code, code, retry_after))


def was_refused(error: requests.RequestException) -> bool:
    """Whether not even a connection was made."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def _code_of(answer: requests.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError):
        return ""


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What became of the events that were answered with 202."""

    accepted: int
    lost: int
    doubled: int
    """Executions with more than one run, or events counted twice by their run."""


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
    accepted: dict[str, str],
    wait: Callable[[LiveServer, LiveTeam], None] = wait_until_drained,
) -> Reckoning:
    """Every recorded event is there once, processed, each execution has one run, and sums agree."""
    wait(server, team)
    listed = [each for each in read_all(server, team, "events") if each["status"] != "rejected"]
    events = {event["event_id"]: event for event in listed}
    assert {event["status"] for event in listed} <= {"processed"}
    runs = read_all(server, team, "runs")
    executions = Counter(run["external_execution_id"] for run in runs)
    lost = [event_id for event_id in accepted if event_id not in events]
    lost += [execution for execution in accepted.values() if execution not in executions]
    doubled = sum(count - 1 for count in executions.values()) + len(listed) - len(events)
    doubled += abs(sum(run["event_count"] for run in runs) - len(events))
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        assert sums_from_rollups() == sums_from_runs()
        db.session.rollback()
    close_app(app)
    return Reckoning(len(accepted), len(lost), doubled)
