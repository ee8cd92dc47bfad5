"""Senders at a fixed rate, whose every request is timed from when it was due."""

import http.client
import statistics
import time
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from bench.measured import Round
from bench.subjects import FlowPulse
from tests.together import Meanwhile

CONNECTIONS, RATE = 16, 200


class Answer(NamedTuple):
    """When a request was due (monotonic seconds), how long after that its answer was there, and
    whether it was a 202."""

    due: float
    took_ms: float
    is_good: bool


class Senders(Meanwhile):
    """So many requests a second, whatever becomes of the ones before: each is timed from when it
    was due, not from when a connection was free for it."""

    def __init__(self, flow: FlowPulse, rate: int) -> None:
        super().__init__(self._send for _ in range(CONNECTIONS))
        self._rate = rate
        self.answers: list[Answer] = []
        self._port = int(flow.server.environment["PORT"])
        self._request, self._numbers = flow.success(), count()
        self._begun = time.monotonic()

    def between(self, began: float, ended: float) -> list[Answer]:
        """What was due in that time and is answered."""
        return [each for each in tuple(self.answers) if began <= each.due < ended]

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        path, body = self._request.path, self._request.body
        headers = {**self._request.headers, "Content-Type": "application/json"}
        while not self.is_over.is_set():
            due = self._begun + next(self._numbers) / self._rate
            time.sleep(max(due - time.monotonic(), 0))
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
                is_good = answer.status == self._request.expected
            except (OSError, http.client.HTTPException):
                connection.close()
                is_good = False
            self.answers.append(Answer(due, (time.monotonic() - due) * 1_000, is_good))


def sum_up(answers: Iterable[Answer]) -> Round:
    """What senders noticed; nothing of times where there was no answer."""
    answers = list(answers)
    times = [each.took_ms for each in answers]
    found: Round = {
        "requests": len(answers),
        "errors": sum(not each.is_good for each in answers),
    }
    if times:
        found |= {
            "p50_ms": statistics.median(times),
            "p99_ms": percentile(times),
            "longest_ms": max(times),
        }
    return found


def percentile(values: list[float], percent: int = 99) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
