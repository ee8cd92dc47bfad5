"""Requests that are small to send and meant to be dear to read: refused within moments."""

import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import requests

from tests.console.pages import Page
from tests.drills.bombs import BODIES, HEADS, Bomb
from tests.drills.marks import BOMB_TRIES, FORM_READ, MOST_BOMB_MS
from tests.drills.record import Figure, record
from tests.drills.reliability import is_held
from tests.main_job.visitors import sign_in
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team


class Target(NamedTuple):
    """An address that reads bodies, and what its head needs to get that far."""

    path: str
    headers: Callable[["Aim"], dict[str, str]]
    answers: frozenset[int] = frozenset()
    """Right answers beside those of the bomb: a form that is read, a ping that takes any text."""


class Aim(NamedTuple):
    """The server, and the pass to each of its parts."""

    server: LiveServer
    team: LiveTeam
    session: requests.Session
    stranger: requests.Session
    token: str


def with_key(aim: Aim) -> dict[str, str]:
    return aim.team.headers


def with_token(aim: Aim) -> dict[str, str]:
    """Signed in, and with a form's token in a header, where the form can't have it."""
    return {"X-CSRFToken": aim.token}


def with_nothing(aim: Aim) -> dict[str, str]:
    return {}


TARGETS = {
    "an event": Target("/api/v1/ingest/run-failure", with_key),
    "a batch": Target("/api/v1/ingest/batch", with_key),
    "a ping": Target("/api/v1/ping/{slug}/fail", with_key, frozenset({202})),
    "an event without a key": Target(
        "/api/v1/ingest/run-success", with_nothing, frozenset({401, 429})
    ),
    "signing in": Target("/sign-in", with_nothing, FORM_READ),
    "setting up": Target("/setup", with_nothing, frozenset({410})),
    "a form, signed in": Target("/workflows", with_token, FORM_READ),
    "a form with an event, signed in": Target("/docs/try/run-failure", with_token, FORM_READ),
}
READ = {
    "an event": Target("/api/v1/ingest/run-success", with_key),
    "the log, by key": Target("/api/v1/events", with_key),
    "signing in": Target("/sign-in", with_nothing),
    "the log": Target("/events", with_token),
    "the problems' table": Target("/troubleshooting", with_nothing),
}


def aim_at(server: LiveServer) -> Aim:
    team = make_live_team(server)
    session = sign_in(server, team)
    form = Page(session.get(server.url + "/workflows").text)
    token = next(
        value for each in form.forms for name, value in each.fields.items() if name == "csrf_token"
    )
    return Aim(server, team, session, requests.Session(), token)


class Thrown(NamedTuple):
    """`quickest_ms` of a few tries; `computed_ms`: what the server computed for the one that cost
    it most, which nothing else on the machine adds to; the answers to all of them (0: none)."""

    quickest_ms: float
    computed_ms: float
    statuses: set[int]


def throw(aim: Aim, target: Target, bomb: Bomb, tries: int, web: psutil.Process) -> Thrown:
    url = aim.server.url + target.path.format(slug=aim.team.slug) + bomb.query
    headers = {**target.headers(aim), **bomb.headers}
    sender = aim.session if target.headers is with_token else aim.stranger
    method = "POST" if bomb.body else "GET"
    times, computed, statuses = list[float](), list[float](), set[int]()
    while not times or (len(times) < tries and times[-1] > MOST_BOMB_MS / 4):
        began, before = time.monotonic(), sum(web.cpu_times()[:2])
        try:
            answer = sender.request(
                method, url, data=bomb.body, headers=headers, allow_redirects=False, timeout=60
            )
            statuses.add(answer.status_code)
        except requests.RequestException:
            statuses.add(0)
        times.append((time.monotonic() - began) * 1000)
        computed.append((sum(web.cpu_times()[:2]) - before) * 1000)
    return Thrown(min(times), max(computed), statuses)


def throw_all(
    server: LiveServer, pairs: Iterable[tuple[str, Target, Bomb]], tries: int = 1
) -> dict[str, Figure]:
    """One after the other; what they took, and what the server computed for the worst of them."""
    aim, web = aim_at(server), psutil.Process(server.web_pids()[0])
    wrong, times, computed = [], {}, {}
    for name, target, bomb in pairs:
        times[name], computed[name], statuses = throw(aim, target, bomb, tries, web)
        if not statuses <= bomb.answers | target.answers:
            wrong.append(f"{name}: {sorted(statuses)}")
    if "Traceback" in server.log():
        wrong.append("a traceback in the server's output")
    slowest = max(times, key=lambda name: times[name])
    for name in sorted(times, key=lambda name: -times[name])[:20]:
        print(f"{times[name]:.0f} ms, {computed[name]:.0f} ms computed: {name}")
    return {
        "bombs": len(times),
        "median_ms": statistics.median(times.values()),
        "slowest_ms": times[slowest],
        "slowest": slowest,
        "most_computed_ms": max(computed.values()),
        "wrong": "; ".join(wrong),
    }


def pair(
    targets: Iterable[str], bombs: Mapping[str, Bomb], all_targets: Mapping[str, Target]
) -> list[tuple[str, Target, Bomb]]:
    """Every one of these bombs to every one of these addresses."""
    return [
        (f"{name} to {at}", all_targets[at], bomb) for at in targets for name, bomb in bombs.items()
    ]


def start(make_server: Callable[..., LiveServer]) -> LiveServer:
    return make_server(worker=False, WEB_CONCURRENCY="1", FLOWPULSE_FAILED_SIGN_IN_LIMIT="0")


@pytest.mark.once
def test_no_bomb_takes_long_or_breaks_anything(make_server: Callable[..., LiveServer]) -> None:
    pairs = pair(("an event", "signing in"), BODIES, TARGETS)
    pairs += pair(("an event", "the log"), HEADS, READ)
    found = throw_all(start(make_server), pairs)
    assert found["wrong"] == ""
    # A core that others use as well computes at half of its speed.
    assert float(found["most_computed_ms"]) < 2 * MOST_BOMB_MS


def test_no_bomb_may_crash_anything() -> None:
    targets = [*TARGETS.values(), *READ.values()]
    right = {
        status for each in [*BODIES.values(), *HEADS.values(), *targets] for status in each[-1]
    }
    assert right and max(right) < 500


@pytest.mark.parametrize("odd", [500, 0])
def test_a_crash_in_any_of_the_tries_is_told(tmp_path: Path, odd: int) -> None:
    """Not only in the last one."""
    answers = [400, 400, odd]

    class Slow(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(MOST_BOMB_MS / 2_000)  # Or there would be no second try.
            if status := answers.pop():
                self.send_response(status)
                self.end_headers()

    server, session = LiveServer(tmp_path), requests.Session()
    aim = Aim(server, LiveTeam("", "", "", "", "", ""), session, session, "")
    with HTTPServer(("127.0.0.1", server.port), Slow) as slow:
        thread = threading.Thread(target=slow.serve_forever)
        thread.start()
        own = psutil.Process()
        thrown = throw(aim, TARGETS["signing in"], BODIES["blanks"], BOMB_TRIES, own)
        slow.shutdown()
        thread.join()
    assert thrown.statuses == {odd, 400} and answers == []


@pytest.mark.drill("bombs")
@pytest.mark.timeout(900)
def test_every_bomb_is_refused_within_moments(
    make_server: Callable[..., LiveServer], database_kind: str
) -> None:
    pairs = pair(TARGETS, BODIES, TARGETS) + pair(READ, HEADS, READ)
    found = throw_all(start(make_server), pairs, BOMB_TRIES)
    record("bombs", database_kind, **found)
    assert is_held("bombs", found), found
