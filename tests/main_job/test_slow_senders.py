"""Sockets that idle, send half a head, or never send their body, hold nobody up."""

import http.client
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import requests

from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

SLOW_SOCKETS = 200


def heads(team: LiveTeam) -> list[bytes]:
    """What slow senders send before they fall silent."""
    line = b"POST /api/v1/ingest/run-success HTTP/1.1\r\nHost: localhost\r\n"
    key = f"X-API-Key: {team.key}\r\n".encode()
    length = b"Content-Length: 400\r\n"
    form = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n"
    return [
        form + length + b"\r\n",
        form + b"Transfer-Encoding: chunked\r\n\r\n5\r\nemail",
        b"",
        b"POST /api/v1/ing",
        line + b"X-Half: ",
        line + length + b"\r\n",
        line + key + length + b"\r\n",
        line + key + length + b'\r\n{"workflow_slug":',
    ]


@contextmanager
def slow_sockets(server: LiveServer, starts: list[bytes], count: int) -> Iterator[None]:
    address = urlsplit(server.url)
    opened = []
    for number in range(count):
        connection = socket.create_connection((address.hostname, address.port), timeout=10)
        connection.sendall(starts[number % len(starts)])
        opened.append(connection)
    try:
        yield
    finally:
        for connection in opened:
            connection.close()


@pytest.mark.alone
@pytest.mark.once
def test_two_hundred_slow_sockets_leave_good_requests_under_a_second(
    live_server: LiveServer, own_team: LiveTeam
) -> None:
    server, team = live_server, own_team
    fields = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    with slow_sockets(server, heads(team), SLOW_SOCKETS), requests.Session() as session:
        seconds = []
        for _ in range(200):
            started = time.monotonic()
            answer = session.post(
                server.url + "/api/v1/ingest/run-success",
                json=fields,
                headers=team.headers,
                timeout=10,
            )
            seconds.append(time.monotonic() - started)
            assert answer.status_code == 202
            started = time.monotonic()  # A sender that has to connect first.
            answer = server.post(
                "/api/v1/ingest/run-success", json=fields, headers=team.headers, timeout=10
            )
            seconds.append(time.monotonic() - started)
            assert answer.status_code == 202
    assert statistics.quantiles(seconds, n=100)[98] < 1.0


@pytest.fixture(scope="module")
def impatient(share_server: Callable[..., LiveServer]) -> LiveServer:
    return share_server(worker=False, WEB_CONCURRENCY="1", FLOWPULSE_BODY_TIMEOUT_SECONDS="1")


@pytest.mark.once
def test_a_body_that_never_comes_is_408_and_in_the_log(impatient: LiveServer) -> None:
    server = impatient
    team = make_live_team(server)
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(heads(team)[-1])
        assert b" 408 " in connection.recv(4096)

    def logged() -> list[str]:
        events = server.get("/api/v1/events", headers=team.headers).json()["data"]
        return [event["code"] for event in events]

    assert wait_for(logged, seconds=2) == ["request_timeout"]


@pytest.mark.alone
@pytest.mark.once
def test_a_sender_without_a_good_key_is_answered_before_its_body(live_server: LiveServer) -> None:
    address = urlsplit(live_server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        started = time.monotonic()
        connection.sendall(
            b"POST /api/v1/ingest/run-success HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 1000000\r\n\r\n"
        )
        assert b" 401 " in connection.recv(4096)
        assert time.monotonic() - started < 1.0


def test_a_chunked_body_over_the_limit_is_413(live_server: LiveServer, live_team: LiveTeam) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(17):
            yield b" " * 65_536

    path = "/api/v1/ingest/run-success"
    answer = live_server.post(path, data=chunks(), headers=live_team.headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.once
def test_a_form_that_never_comes_is_given_up(impatient: LiveServer) -> None:
    address = urlsplit(impatient.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(
            b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        )
        assert b" 408 " in connection.recv(4096)


@pytest.mark.once
def test_no_sender_holds_up_the_stop(make_server: Callable[..., LiveServer]) -> None:
    server = make_server(worker=False, WEB_CONCURRENCY="1")
    team = make_live_team(server)
    with slow_sockets(server, heads(team), 8):
        time.sleep(0.5)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 10


@pytest.mark.once
def test_a_sender_in_the_middle_of_too_large_a_body_learns_of_it(
    live_server: LiveServer, live_team: LiveTeam
) -> None:
    address = urlsplit(live_server.url)
    body = b"x" * 20_000_000
    for key, status in ((live_team.key, 413), ("fp_wrong", 401)):
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
        headers = {"X-API-Key": key, "Connection": "close"}
        connection.request("POST", "/api/v1/ingest/run-success", body, headers)
        assert connection.getresponse().status == status
        connection.close()
