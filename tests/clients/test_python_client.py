"""The Python client against the real server, and against one that is away or busy."""

import contextlib
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import flowpulse
import pytest
from flowpulse import Client, RefusedError, UnreachableError

from app import __version__
from tests.clients.scripted import Scripted
from tests.ports import free_port
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam

HOSTILE = "naïve 漢字 \x00 \udc80 <script>\"'\\\r\n" + "x" * 200_000


def away(**options: Any) -> Client:
    return Client(f"http://127.0.0.1:{free_port()}", "fp_secret", retries=0, **options)


@pytest.mark.once
def test_jobs_become_runs_with_their_outcomes(live_server: LiveServer, own_team: LiveTeam) -> None:
    server, team = live_server, own_team
    client = Client(server.url, team.headers["X-API-Key"])
    with client.run(team.slug, correlation_id="c", metadata={"rows": 3}):
        pass
    with pytest.raises(ValueError, match="naïve"), client.run(team.slug):
        raise ValueError(HOSTILE)
    for error in (KeyboardInterrupt(), SystemExit(3)):
        with pytest.raises(type(error)), client.run(team.slug, send_start=False):
            raise error
    with pytest.raises(SystemExit), client.run(team.slug):
        sys.exit()

    def outcomes() -> list[str]:
        answer = server.get("/api/v1/runs", headers=team.headers).json()
        return sorted(run["outcome"] for run in answer["data"])

    wanted = ["failure"] * 3 + ["success"] * 2
    wait_for(lambda: outcomes() == wanted, 30)


@pytest.mark.once
def test_twins_replays_batches_and_refusals(live_server: LiveServer, own_team: LiveTeam) -> None:
    server, team = live_server, own_team
    client = Client(server.url, team.headers["X-API-Key"])
    told = {"idempotency_key": "k", "ended_at": "2026-01-15T09:31:00Z"}
    assert (
        client.success(team.slug, **told)["event_id"]
        == (client.success(team.slug, **told)["event_id"])
    )
    event = {"kind": "run-success", "workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    assert client.batch([event, {**event, "ended_at": ""}])["refused"] == 1
    with pytest.raises(RefusedError, match="ended_at") as refused:
        client.success(team.slug, ended_at="soon")
    assert (refused.value.status, refused.value.code) == (400, "validation_failed")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_with_the_same_key_and_body(
    scripted: tuple[str, type[Scripted]], status: int
) -> None:
    url, handler = scripted
    handler.statuses += [status, 202]
    assert Client(url, "fp_secret").success("s")["status"] == "accepted"
    assert len(handler.seen) == 2 and len(set(handler.seen)) == 1 and handler.seen[0][0]


@pytest.mark.parametrize("status", [302, 400, 401, 404, 413, 422])
def test_what_will_not_change_is_not_sent_again(
    scripted: tuple[str, type[Scripted]], status: int
) -> None:
    url, handler = scripted
    handler.statuses += [status]
    with pytest.raises(RefusedError):
        Client(url, "fp_secret").success("s")
    assert len(handler.seen) == 1


def test_a_server_that_is_away_breaks_no_job(caplog: pytest.LogCaptureFixture) -> None:
    @away().monitor("s")
    def job() -> int:
        return 7

    with caplog.at_level(logging.WARNING):
        assert job() == 7
        with pytest.raises(ZeroDivisionError), away(strict=True).run("s"):
            _ = 1 / 0
        with Client("http://x", "fp_secret\nX: y").run("s"), Client("ftp://x", "k").run("s"):
            pass
    assert "not told" in caplog.text
    assert "fp_secret" not in caplog.text + repr(away())
    with pytest.raises(UnreachableError), away(strict=True).run("s"):
        pass


def test_an_exception_that_cannot_be_told_is_still_the_jobs_own_and_a_failure(
    scripted: tuple[str, type[Scripted]],
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    url, handler = scripted
    handler.statuses += [202]
    with pytest.raises(Mute), Client(url, "fp_secret").run("s", send_start=False):
        raise Mute
    told = json.loads(handler.seen[0][1])
    assert (told["error_type"], told["error_message"][:4]) == ("Mute", "Mute")


# --- Time -----------------------------------------------------------------------------------------


HEAD = b"HTTP/1.1 202 Accepted\r\n"
SLOW = {
    "nothing": (b"", b""),
    "head": (b"HTTP/1.1 ", b"202 " + b"A" * 400),
    "body": (HEAD + b"Content-Length: 400\r\n\r\n", b" " * 400),
    "endless body": (HEAD + b"\r\n", b" " * 400),
}
"""What is sent at once, and what drips."""


def drip(connection: socket.socket, texts: tuple[bytes, bytes], is_over: threading.Event) -> None:
    """One byte after the other, each well within any time-out of a socket."""
    with contextlib.suppress(OSError), connection:
        connection.sendall(texts[0])
        for at in range(len(texts[1])):
            if is_over.wait(0.1):
                return
            connection.sendall(texts[1][at : at + 1])
        is_over.wait(30)


@pytest.fixture(params=SLOW)
def slow_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that takes all, and answers nothing, or a byte now and then."""
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    slow = (server.accept()[0], SLOW[request.param], is_over)
                    threading.Thread(target=drip, args=slow, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        is_over.set()


def test_a_server_that_is_slow_or_drips_takes_no_longer_than_it_may(slow_url: str) -> None:
    client = Client(slow_url, "fp_secret", timeout=0.6, total_timeout=1.5, retries=5)
    began = time.monotonic()
    with pytest.raises(UnreachableError):
        client.success("s")
    assert 0.5 < time.monotonic() - began < 4


def test_a_job_ends_in_its_time_where_the_server_is_slow(slow_url: str) -> None:
    client = Client(slow_url, "fp_secret", timeout=5, total_timeout=0.7)
    began = time.monotonic()
    with client.run("s"):
        pass
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("1", 0.9, 2.5),
        ("date", 0.9, 4),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0.4),
        ("soon", 0.3, 1.5),
        ("nan", 0.3, 1.5),
        ("-1", 0.3, 1.5),
    ],
)
def test_retry_after_is_heeded_in_seconds_and_as_a_date(
    scripted: tuple[str, type[Scripted]], header: str, least: float, most: float
) -> None:
    url, handler = scripted
    handler.statuses += [429, 202]
    at = datetime.now(UTC) + timedelta(seconds=2.5)
    handler.retry_after = format_datetime(at, usegmt=True) if header == "date" else header
    began = time.monotonic()
    assert Client(url, "fp_secret").success("s")["status"] == "accepted"
    assert least <= time.monotonic() - began < most


def test_a_server_that_asks_for_more_time_than_there_is_is_not_asked_too_early(
    scripted: tuple[str, type[Scripted]],
) -> None:
    url, handler = scripted
    handler.statuses += [503]
    handler.retry_after = "3600"
    began = time.monotonic()
    with pytest.raises(RefusedError, match="503"):
        Client(url, "fp_secret").success("s")
    assert time.monotonic() - began < 1 and len(handler.seen) == 1


# --- What is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"), [(None, "success"), (0, "success"), (3, "failure"), ("no disk", "failure")]
)
def test_an_exit_is_told_by_its_status(
    scripted: tuple[str, type[Scripted]], code: object, kind: str
) -> None:
    url, handler = scripted
    handler.statuses += [202]
    with pytest.raises(SystemExit), Client(url, "fp_secret").run("s", send_start=False):
        sys.exit(code)  # type: ignore[arg-type]
    told = json.loads(handler.seen[0][1])
    assert ("error_message" in told) == (kind == "failure")
    if kind == "failure":
        assert told["error_type"] == "SystemExit"
        assert told["error_message"].startswith("Exit status 3" if code == 3 else "no disk")


def test_the_message_ends_with_the_end_of_the_traceback(
    scripted: tuple[str, type[Scripted]],
) -> None:
    def sink(depth: int) -> None:
        if depth == 0:
            raise LookupError("the last words")
        sink(depth - 1)

    url, handler = scripted
    handler.statuses += [202]
    with pytest.raises(LookupError), Client(url, "fp_secret").run("s", send_start=False):
        sink(200)
    message = json.loads(handler.seen[0][1])["error_message"]
    assert message.startswith("the last words\n\n")
    assert message.endswith("LookupError: the last words")
    assert "in sink" in message and len(message) < 52_000


def test_a_key_of_the_users_own_makes_two_of_start_and_end(
    scripted: tuple[str, type[Scripted]],
) -> None:
    url, handler = scripted
    handler.statuses += [202, 202]
    with Client(url, "fp_secret").run("s", idempotency_key="mine"):
        pass
    assert [key for key, _ in handler.seen] == ["mine-start", "mine"]
    assert all(b"idempotency_key" not in body for _, body in handler.seen)


@pytest.mark.once
def test_a_batch_that_is_refused_tells_why_of_each(
    live_server: LiveServer, own_team: LiveTeam
) -> None:
    server, team = live_server, own_team
    client = Client(server.url, team.headers["X-API-Key"])
    event = {"kind": "run-success", "workflow_slug": team.slug}
    with pytest.raises(RefusedError) as refused:
        client.batch([{**event, "ended_at": "soon"}, {**event, "workflow_slug": "gone"}])
    assert [each["code"] for each in refused.value.events] == ["validation_failed"] * 2
    told = str(refused.value)
    assert "events[0]: 400 validation_failed: ended_at" in told
    assert "events[1]: 400 validation_failed: ended_at is missing" in told


def test_the_version_is_the_servers_and_is_told(scripted: tuple[str, type[Scripted]]) -> None:
    url, handler = scripted
    handler.statuses += [202]
    Client(url, "fp_secret").success("s")
    assert flowpulse.__version__ == __version__
    assert handler.agents == [f"flowpulse-python/{__version__}"]
