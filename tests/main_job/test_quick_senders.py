"""A sender that sends without a pause takes turns with the others."""

import os
import signal
import socket
from collections.abc import Callable

import pytest

from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

REQUESTS = 50


def refused(team: LiveTeam, path: str) -> bytes:
    """A request that is refused, without anything that its answer would wait for."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {team.key}\r\nContent-Length: 2\r\n\r\n"
    return head.encode() + b"{}"


@pytest.mark.once
def test_two_senders_that_never_pause_are_answered_by_turns(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(worker=False, WEB_CONCURRENCY="1")
    team = make_live_team(server)
    requests = [refused(team, "/api/v1/ingest/run-success"), refused(team, "/api/v1/nothing")]
    senders = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in requests]
    for sender, request in zip(senders, requests, strict=True):
        sender.sendall(request)
        assert sender.recv(65536).startswith(b"HTTP/1.1 4")
    [web] = server.web_pids()
    os.kill(web, signal.SIGSTOP)  # So that all the requests are there when it goes on.
    for sender, request in zip(senders, requests, strict=True):
        sender.sendall(request * REQUESTS)
    os.kill(web, signal.SIGCONT)

    def codes() -> list[str]:
        """The refusals in the order in which they came, but for the first two."""
        answer = server.get("/api/v1/events?status=rejected&limit=200", headers=team.headers)
        return [event["code"] for event in answer.json()["data"]][::-1][2:]

    wait_for(lambda: len(codes()) == 2 * REQUESTS)
    assert len(set(codes()[: REQUESTS // 2])) == 2
    for sender in senders:
        sender.close()
