"""What a refused request brought is in the log byte by byte, however far the server read."""

import random
import socket
from collections.abc import Callable
from typing import NamedTuple

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import Event
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

STORED = 64 * 1024
PATH = "/api/v1/ingest/run-success"
BAD_KEY = "fp_" + "x" * 36
BODY = random.Random(7).randbytes(2_000_000)


class Case(NamedTuple):
    """A request that is refused: what its head says, and how much of its body comes at once."""

    status: int
    announced: int | None
    comes: int
    has_good_key: bool = True
    headers: str = ""
    method: str = "POST"
    path: str = PATH


CASES = {
    "too large": Case(413, 2_000_000, 2_000_000),
    "too large, and never all": Case(413, 2_000_000, 5_000),
    "packed": Case(415, 100_000, 100_000, headers="Content-Encoding: gzip\r\n"),
    "packed, in chunks": Case(415, None, 100_000, headers="Content-Encoding: gzip\r\n"),
    "wrong method": Case(405, 100_000, 100_000, method="PUT"),
    "wrong path": Case(404, 100_000, 100_000, path="/api/v1/ingest/run-sucess"),
    "bad key": Case(401, 100_000, 100_000, has_good_key=False),
    "bad key, the rest never comes": Case(401, 30_000, 5_000, has_good_key=False),
    "bad key, chunks that never end": Case(401, None, 5_000, has_good_key=False),
    "the rest never comes": Case(408, 400, 17),
}


def send(server: LiveServer, team: LiveTeam, case: Case) -> bytes:
    """The head of the answer, to a sender who does not end the connection."""
    body = BODY[: case.comes]
    if case.announced is None:
        length = "Transfer-Encoding: chunked"
        body = b"%x\r\n%s\r\n" % (len(body), body)
    else:
        length = f"Content-Length: {case.announced}"
    key = team.key if case.has_good_key else BAD_KEY
    head = f"{case.method} {case.path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(f"{head}{case.headers}{length}\r\n\r\n".encode() + body)
        return connection.recv(65536)


@pytest.mark.once
def test_the_log_keeps_what_came_of_each_refused_body(
    make_server: Callable[..., LiveServer], app: Flask
) -> None:
    server = make_server(worker=False, FLOWPULSE_BODY_TIMEOUT_SECONDS="1")
    team = make_live_team(server)
    for number, (name, case) in enumerate(CASES.items(), 1):
        answer = send(server, team, case)
        assert answer.startswith(b"HTTP/1.1 %d " % case.status), f"{name}: {answer!r}"
        wait_for(lambda number=number: len(logged()) == number)
        status, body, size = logged()[-1]
        is_packed = "Content-Encoding" in case.headers  # No key can be looked for in it.
        kept = b"" if is_packed else BODY[: min(case.comes, STORED)]
        assert status == case.status, name
        assert body == kept, f"{name}: {len(body)} bytes instead of {len(kept)}"
        assert case.announced in (size, None), name


def logged() -> list[tuple[int, bytes, int]]:
    """Status, body and size of all that is in the log."""
    db.session.rollback()
    rows = db.session.execute(select(Event.status, Event.body, Event.body_size).order_by(Event.id))
    return [(status, body, size) for status, body, size in rows]
