"""Load L: clients that report steadily, and note what they sent and what was answered."""

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple, Self

import requests
from urllib3.exceptions import NewConnectionError

from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam
from tests.together import Meanwhile

CLIENTS = 8
RATE = 100
"""Events a second, of all clients together."""
ENDED_BEFORE = timedelta(days=3)
"""What ended so long ago alerts nobody any more, and counts in quarters, hours and days."""
MINUTES = 7 * 60
"""Over so many the ends are spread."""
TIMEOUT = 30
CATCH_UP_SECONDS = 5.0
"""Of the time in which a client waited for an answer: what was due within it is sent late. What was
due before that falls out, as a fault of half a minute would end in a flood of its own otherwise."""
REFUSED, CUT_OFF = "refused", "cut off"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's: when it was sent (monotonic), how long it took in seconds, and what came.

    `status` 0: no answer; `code` tells REFUSED, where no connection was made and so nothing was
    sent, from CUT_OFF. `detail` is what a refusal says of its cause.
    """

    sent_at: float
    seconds: float
    status: int
    code: str = ""
    retry_after: str = ""
    detail: str = ""


class Sent(NamedTuple):
    """What an event says of its execution."""

    outcome: str
    duration_ms: float | None
    ended_at: datetime | None
    error_message: str | None


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
        self.sent: dict[str, Sent] = {}
        """What was sent, by execution id."""
        self._ended_at_first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self._ended_at_first -= ENDED_BEFORE
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

    def wait_for_accepted(self, more: int, within: float) -> None:
        """Until so many more were answered with 202; AssertionError after so many seconds."""
        wanted = len(self.accepted) + more
        wait_for(lambda: len(self.accepted) >= wanted, seconds=within)

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
            due = max(due, time.monotonic() - CATCH_UP_SECONDS) + self._pause
            number += 1
            execution, outcome = f"{client}-{number}", chance.choice(["success", "failure"])
            error = f"boom in {execution}" if outcome == "failure" else None
            minutes = timedelta(minutes=chance.randrange(MINUTES))
            ended_at = self._ended_at_first + minutes
            self.sent[execution] = Sent(outcome, chance.randrange(100_000), ended_at, error)
            self._send_one(session, execution, self.sent[execution])

    def _send_one(self, session: requests.Session, execution: str, sent: Sent) -> None:
        fields = {
            "workflow_slug": self._team.slug,
            "ended_at": sent.ended_at and sent.ended_at.isoformat(),
            "external_execution_id": execution,
            "duration_ms": sent.duration_ms,
            **({"error_message": sent.error_message} if sent.error_message else {}),
        }
        url, sent_at = f"{self._server.url}/api/v1/ingest/run-{sent.outcome}", time.monotonic()
        try:
            answer = session.post(url, json=fields, headers=self._team.headers, timeout=TIMEOUT)
        except requests.RequestException as error:
            code = REFUSED if was_refused(error) else CUT_OFF
            self.answers.append(Answer(sent_at, time.monotonic() - sent_at, 0, code))
            return
        seconds, retry_after = time.monotonic() - sent_at, answer.headers.get("Retry-After", "")
        code, detail = ("", "") if answer.status_code == 202 else _read_refusal(answer)
        if answer.status_code == 202:
            self.accepted[answer.json()["event_id"]] = execution
        told = Answer(sent_at, seconds, answer.status_code, code, retry_after, detail)
        self.answers.append(told)


def was_refused(error: requests.RequestException) -> bool:
    """Whether not even a connection was made."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def _read_refusal(answer: requests.Response) -> tuple[str, str]:
    """Its code and detail (RFC 9457); empty where it is none."""
    try:
        problem = answer.json()
        return str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError):
        return "", ""
