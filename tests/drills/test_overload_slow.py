"""A thousand connections that are slow in every way: others are served, and they are closed."""

import resource
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import pytest
import requests

from tests.drills.load import Load
from tests.drills.marks import AMOUNTS, CLOSED_LATEST, CLOSED_SOONEST
from tests.drills.record import Figure, record
from tests.drills.reliability import is_held
from tests.drills.slow_sockets import Kind, Slow, SlowSockets, find_missing, kinds, untaken_answers
from tests.main_job.visitors import sign_in
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team
from tests.together import Meanwhile

BARE_SECONDS = 0.1
"""Between two requests that open a connection of their own."""
HASTE = {"GUNICORN_CMD_ARGS": "--keep-alive=2", "FLOWPULSE_BODY_TIMEOUT_SECONDS": "2"}


class Newcomers(Meanwhile):
    """Good requests that have to connect first: a report by turns with a page."""

    def __init__(self, server: LiveServer, team: LiveTeam) -> None:
        super().__init__([self._send])
        self._server, self._team = server, team
        self.seconds: list[float] = []
        self.failed: list[str] = []

    def _send(self) -> None:
        fields = {"workflow_slug": self._team.slug, "ended_at": "2026-01-15T09:31:00Z"}
        while not self.is_over.wait(BARE_SECONDS):
            self._time(202, "POST", "/api/v1/ingest/run-success", json=fields)
            self._time(200, "GET", "/sign-in")

    def _time(self, expected: int, method: str, path: str, **options: object) -> None:
        began = time.monotonic()
        try:
            answer = requests.request(
                method,
                self._server.url + path,
                headers=self._team.headers,
                timeout=30,
                **options,  # type: ignore[arg-type]
            )
            if answer.status_code != expected:
                self.failed.append(f"{path}: {answer.status_code}")
        except requests.RequestException as error:
            self.failed.append(f"{path}: {type(error).__name__}")
        self.seconds.append(time.monotonic() - began)


@pytest.fixture(autouse=True)
def _allow_open_files() -> Iterator[None]:
    """Our ends of the connections are open files too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8_192)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def stand(
    server: LiveServer,
    count: int,
    soonest: float,
    latest: float,
    more: Mapping[str, Kind] = MappingProxyType({}),
) -> dict[str, Figure]:
    """What good senders met with meanwhile, and when the slow ones were closed; what went wrong."""
    team = make_live_team(server)
    session = sign_in(server, team)
    cookie = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    ways = {**kinds(team, cookie), **more}
    assert find_missing(server, ways) == {}
    with (
        SlowSockets(server, ways, count) as slow,
        Load(server, team) as load,
        Newcomers(server, team) as newcomers,
    ):
        until = time.monotonic() + 2 * latest
        while slow.open and time.monotonic() < until:
            time.sleep(0.2)
    seconds = sorted([*newcomers.seconds, *(each.seconds for each in load.answers)])
    statuses = load.statuses()
    wrong = [f"{name}: {span}" for name, span in find_wrong(slow.all, soonest, latest).items()]
    wrong += [f"{count} × {status}" for status, count in statuses.items() if status != 202]
    wrong += ["a traceback in the server's output"] if "Traceback" in server.log() else []
    ended = [each for each in slow.all if not each.kind.stays]
    held = [each for each in ended if not each.kind.is_refused]
    return {
        "sockets": len(slow.all),
        "requests": len(seconds),
        "p99_ms": seconds[int(len(seconds) * 0.99)] * 1000,
        "first_closed_s": min(each.seconds for each in held),
        "last_closed_s": max(each.seconds for each in ended),
        "last_kind": max(ended, key=lambda each: each.seconds).name,
        "rate": round(load.rate, 1),
        "wrong": "; ".join([*wrong, *newcomers.failed[:5]]),
        "open": len(slow.open),
    }


def find_wrong(slow: list[Slow], soonest: float, latest: float) -> dict[str, str]:
    """By kind: how long those lasted that were closed too soon, too late, or not at all."""
    spans: dict[str, list[float]] = {}
    for each in slow:
        if not each.kind.stays:
            spans.setdefault(each.name, []).append(each.seconds)
    refused = {each.name for each in slow if each.kind.is_refused}
    for name, seconds in spans.items():
        print(f"{min(seconds):.1f} to {max(seconds):.1f} s: {name} ({len(seconds)})")
    return {
        name: f"closed after {min(seconds):.1f} to {max(seconds):.1f} s"
        for name, seconds in spans.items()
        if max(seconds) > latest or (min(seconds) < soonest and name not in refused)
    }


@pytest.mark.once
def test_slow_sockets_of_every_kind_are_closed_and_hold_nobody_up(
    make_server: Callable[..., LiveServer],
) -> None:
    """With 2 s instead of 20; the drill is of both databases, whose part in it is small."""
    server = make_server(worker=False, **HASTE)
    found = stand(server, 110, 1.0, 12.0, untaken_answers())
    assert found["wrong"] == ""
    assert float(found["p99_ms"]) < 10_000


@pytest.mark.once
def test_more_idle_connections_than_a_process_takes_make_room(
    make_server: Callable[..., LiveServer],
) -> None:
    """Once: no connection of them comes as far as a database."""
    server = make_server(worker=False, WEB_CONCURRENCY="1")
    team = make_live_team(server)
    ways = {"nothing": kinds(team, "")["nothing"]}
    with SlowSockets(server, ways, 1_200) as slow:
        assert server.get("/healthz", timeout=10).status_code == 200
        wait_for(lambda: len(slow.open) <= 1_000)


@pytest.mark.drill("slow_sockets")
@pytest.mark.timeout(300)
def test_a_thousand_slow_sockets_are_closed_and_hold_nobody_up(
    make_server: Callable[..., LiveServer], database_kind: str
) -> None:
    server = make_server(FLOWPULSE_RATE_LIMIT="1000")
    found = stand(server, AMOUNTS["slow_sockets"]["sockets"], CLOSED_SOONEST, CLOSED_LATEST)
    record("slow_sockets", database_kind, **found)
    assert is_held("slow_sockets", found), found
