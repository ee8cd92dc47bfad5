"""A flood from a process of its own: so many requests a second are offered, each answer counted.

`python -m tests.drills.flood` takes what it is to do as JSON and tells what came of it.
"""

import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from tests.server import ROOT

CONNECTIONS = 100
MOST_UNANSWERED = 4
"""Requests that a connection sends ahead; where the server does not keep up, no more are sent."""
LAST_ANSWERS_SECONDS = 60
_TOLD = re.compile(rb"HTTP/1\.1 (\d{3}) |\r\nRetry-After: ")
_LONGEST = 16
"""Bytes of the longest of both: what is nearer to the end may be cut in two."""


@dataclass(frozen=True)
class Task:
    """A request, and how many of them a second for how many seconds."""

    port: int
    request: str
    rate: float
    seconds: float


@dataclass
class Outcome:
    """What came of a flood: requests that were sent, their answers by status.

    `with_retry_after`: answers that said when to come again. `lost`: requests without an answer.
    """

    sent: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    with_retry_after: int = 0
    lost: int = 0

    @property
    def answered(self) -> int:
        return sum(self.answers.values())


class Flood:
    """A flood that is under way in its process."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.drills.flood"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asdict(task)))
        self._process.stdin.close()

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> Outcome:
        """Until the last answer has come."""
        assert self._process.stdout
        told = json.loads(self._process.stdout.read())
        self._process.wait(10)
        return Outcome(**{**told, "answers": Counter(told["answers"])})

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def flooding(task: Task) -> Iterator[Flood]:
    flood = Flood(task)
    try:
        yield flood
    finally:
        flood.kill()


class _Connection:
    """Sends requests, and reads their answers off one after the other."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unanswered = 0
        self._tail = b""

    def send(self, request: bytes, count: int) -> None:
        self.socket.sendall(request * count)
        self.unanswered += count

    def read(self, outcome: Outcome) -> bool:
        """Whether the connection goes on."""
        came = self.socket.recv(262_144)
        text = self._tail + came
        cut = max(0, len(text) - _LONGEST + 1) if came else len(text)
        for match in _TOLD.finditer(text):
            if match.start() >= cut:
                break
            if match[1]:
                outcome.answers[match[1].decode()] += 1
                self.unanswered -= 1
            else:
                outcome.with_retry_after += 1
        self._tail = text[cut:]
        return came != b""


def pour(task: Task) -> Outcome:
    """Sends them, at most as fast as they are answered, and waits for the last answers."""
    outcome, request = Outcome(), task.request.encode()
    look = selectors.DefaultSelector()
    connections = [_Connection(task.port) for _ in range(CONNECTIONS)]
    for each in connections:
        look.register(each.socket, selectors.EVENT_READ, each)
    began = time.monotonic()
    while (now := time.monotonic()) < began + task.seconds:
        due = int((now - began) * task.rate) - outcome.sent
        for each in sorted(connections, key=lambda each: each.unanswered):
            count = min(due, MOST_UNANSWERED - each.unanswered)
            if count > 0:
                each.send(request, count)
                outcome.sent, due = outcome.sent + count, due - count
        _read(look, connections, outcome, 0.002)
    deadline = time.monotonic() + LAST_ANSWERS_SECONDS
    while any(each.unanswered for each in connections) and time.monotonic() < deadline:
        _read(look, connections, outcome, 0.1)
    outcome.seconds = time.monotonic() - began
    outcome.lost = outcome.sent - outcome.answered
    return outcome


def _read(
    look: selectors.BaseSelector, connections: list[_Connection], outcome: Outcome, wait: float
) -> None:
    for key, _ in look.select(wait):
        each: _Connection = key.data
        if not each.read(outcome):
            look.unregister(each.socket)
            connections.remove(each)


if __name__ == "__main__":
    print(json.dumps(vars(pour(Task(**json.load(sys.stdin))))))
