"""Bodies of 10 MB from 50 senders at once: refused, and hardly any memory is taken for them."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.drills.marks import AMOUNTS, MORE_MB
from tests.drills.record import Figure, record
from tests.drills.reliability import is_held
from tests.drills.usage import Usage
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

BODY_BYTES = 10_000_000
HELD_BYTES = 1_000_000
"""What each has sent when they wait for each other: less than the limit, so nobody is refused."""
PIECE = b'{"workflow_slug": "' + b"x" * 65_517

API = "POST /api/v1/ingest/run-success HTTP/1.1\r\nHost: localhost\r\n"
PLACES = {
    "an event": (API, True, 413),
    "an event, without a key": (API, False, 401),
    "a batch": (API.replace("run-success", "batch"), True, 413),
    "a form": (
        "POST /sign-in HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n",
        False,
        413,
    ),
}
"""Where the bodies go: the begin of a head, whether with a good key, and the answer."""


def with_length() -> Iterator[bytes]:
    yield f"Content-Length: {BODY_BYTES}\r\n\r\n".encode()
    for _ in range(BODY_BYTES // len(PIECE)):
        yield PIECE


def in_chunks() -> Iterator[bytes]:
    yield b"Transfer-Encoding: chunked\r\n\r\n"
    for _ in range(BODY_BYTES // len(PIECE)):
        yield b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
    yield b"0\r\n\r\n"


def in_one_chunk() -> Iterator[bytes]:
    yield b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % BODY_BYTES
    for _ in range(BODY_BYTES // len(PIECE)):
        yield PIECE


WAYS = {"with length": with_length, "in chunks": in_chunks, "in one chunk": in_one_chunk}


class Crowd:
    """Senders who all stand in the middle of their bodies before any of them goes on."""

    def __init__(self, server: LiveServer, head: str, way: Callable[[], Iterator[bytes]]) -> None:
        self._address = ("127.0.0.1", server.port)
        self._head = head.encode()
        self._way = way

    def send(self, senders: int) -> list[int]:
        """Everybody's answer; 0: none came."""
        self._all_here = threading.Barrier(senders)
        with ThreadPoolExecutor(senders) as threads:
            return list(threads.map(lambda _: self._send_one(), range(senders)))

    def _send_one(self) -> int:
        with socket.create_connection(self._address, timeout=40) as connection:
            self._send_body(connection)
            try:
                answer = connection.recv(4096)
            except OSError:
                return 0
        status = re.match(rb"HTTP/1\.1 (\d+) ", answer)
        return int(status[1]) if status else 0

    def _send_body(self, connection: socket.socket) -> None:
        sent, is_waiting = 0, True
        try:
            connection.sendall(self._head)
            for piece in self._way():
                connection.sendall(piece)
                sent += len(piece)
                if is_waiting and sent >= HELD_BYTES:
                    is_waiting = False
                    self._all_here.wait(40)
                    time.sleep(0.5)  # So that what they hold is seen.
        except OSError:  # The server has answered, and takes no more.
            if is_waiting:
                self._all_here.wait(40)


def crowd(server: LiveServer, team: LiveTeam, senders: int) -> dict[str, Figure]:
    """All bodies to all places; the most memory that was taken meanwhile, beyond that before."""
    more, worst, wrong, fewest = 0.0, "", [], senders
    for place, (head, has_key, status) in PLACES.items():
        key = f"X-API-Key: {team.key}\r\n" if has_key else ""
        for name, way in WAYS.items():
            with Usage(server, 0.05) as usage:
                before = wait_for(lambda usage=usage: usage.samples)[0].mb
                answers = Crowd(server, head + key, way).send(senders)
            taken = usage.most_mb() - before
            fewest = min(fewest, sum(each != 0 for each in answers))
            print(f"{place}, {name}: {taken:.1f} MB more, {set(answers)}")
            if set(answers) != {status}:
                wrong.append(f"{place}, {name}: {sorted(set(answers))}")
            if taken > more:
                more, worst = taken, f"{place}, {name}"
    return {"senders": fewest, "more_mb": more, "worst": worst, "wrong": "; ".join(wrong)}


def warm_up(server: LiveServer, team: LiveTeam) -> None:
    """What a process takes once, when it does something for the first time."""
    for head, has_key, _ in PLACES.values():
        key = f"X-API-Key: {team.key}\r\n" if has_key else ""
        Crowd(server, head + key, with_length).send(8)


def run(make_server: Callable[..., LiveServer], senders: int) -> dict[str, Figure]:
    server = make_server(worker=False)
    team = make_live_team(server)
    warm_up(server, team)
    return crowd(server, team, senders)


@pytest.mark.once
def test_a_few_bodies_of_10_mb_are_refused_and_take_hardly_any_memory(
    make_server: Callable[..., LiveServer],
) -> None:
    found = run(make_server, 5)
    assert found["wrong"] == ""
    assert float(found["more_mb"]) < MORE_MB


@pytest.mark.drill("large_bodies")
@pytest.mark.timeout(900)
def test_fifty_bodies_of_10_mb_are_refused_and_take_hardly_any_memory(
    make_server: Callable[..., LiveServer], database_kind: str
) -> None:
    found = run(make_server, AMOUNTS["large_bodies"]["senders"])
    record("large_bodies", database_kind, **found)
    assert is_held("large_bodies", found), found
