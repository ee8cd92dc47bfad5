"""The Python client against the real server, and against one that is away or busy."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.ports import free_port
from tests.server import ROOT, LiveServer, wait_for
from tests.teams import make_live_team

sys.path.insert(0, str(ROOT / "clients" / "python"))

from flowpulse import Client, RefusedError, UnreachableError

HOSTILE = "naïve 漢字 \x00 \udc80 <script>\"'\\\r\n" + "x" * 200_000


class Scripted(BaseHTTPRequestHandler):
    """Answers with the statuses listed, one a request, and notes what came."""

    statuses: list[int]
    seen: list[tuple[str | None, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.headers["Idempotency-Key"], body))
        self.send_response(self.statuses.pop(0))
        self.send_header("Retry-After", "0")
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        self.wfile.write(json.dumps({"event_id": "e", "status": "accepted"}).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing into the tests' output."""


@pytest.fixture
def scripted() -> Iterator[tuple[str, type[Scripted]]]:
    handler = type("Own", (Scripted,), {"statuses": [], "seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


def away(**options: Any) -> Client:
    return Client(f"http://127.0.0.1:{free_port()}", "fp_secret", retries=0, **options)


def test_jobs_become_runs_with_their_outcomes(make_server: Callable[..., LiveServer]) -> None:
    server = make_server()
    team = make_live_team(server)
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


def test_twins_replays_batches_and_refusals(make_server: Callable[..., LiveServer]) -> None:
    server = make_server(worker=False)
    team = make_live_team(server)
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


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
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


def test_an_exception_that_cannot_be_told_is_still_the_jobs_own() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with pytest.raises(Mute), away().run("s"):
        raise Mute
