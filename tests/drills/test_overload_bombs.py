"""Requests that are small to send and meant to be dear to read: refused within moments."""

import base64
import gzip
import json
import statistics
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import psutil
import pytest
import requests

from tests.console.pages import Page
from tests.drills.marks import BOMBS_REFUSED, MOST_BOMB_MS
from tests.drills.record import Figure, record
from tests.main_job.visitors import sign_in
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team

LIMIT = 1024 * 1024
TRIES = 3
"""The quickest counts: what the machine does besides is no fault of the request."""
DEEP = 100_000
DIGITS = 1_000_000
NAMES = 100_000
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


class Bomb(NamedTuple):
    """A request's body, headers and address, and the answers that are right for it."""

    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    query: str = ""
    answers: frozenset[int] = frozenset({400, 413, 415})


def packed(how: str) -> dict[str, str]:
    return {"Content-Type": JSON, "Content-Encoding": how}


def part(number: int) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n1\r\n' % number


ZEROS = b"0" * 100_000_000
"""100 MB, which are 100 KB when they are packed."""
AS_JSON = {"Content-Type": JSON}
AS_FORM = {"Content-Type": FORM}

BODIES: dict[str, Bomb] = {
    "arrays, 100,000 levels": Bomb(b"[" * DEEP + b"]" * DEEP, AS_JSON),
    "objects, 100,000 levels": Bomb(b'{"a":' * DEEP + b"1" + b"}" * DEEP, AS_JSON),
    "arrays that never close": Bomb(b"[" * (LIMIT - 1), AS_JSON),
    "objects that never close": Bomb(b'{"a":' * (LIMIT // 5), AS_JSON),
    "deep in metadata": Bomb(
        b'{"metadata":' + b'[{"a":' * (DEEP // 2) + b"1" + b"}]" * (DEEP // 2) + b"}", AS_JSON
    ),
    "1e999999999": Bomb(b'{"duration_ms": 1e999999999}', AS_JSON),
    "many 1e999999999": Bomb(b'{"metadata": [' + b"1e999999999," * 80_000 + b"1]}", AS_JSON),
    "1,000,000 digits": Bomb(b'{"duration_ms": ' + b"9" * DIGITS + b"}", AS_JSON),
    "1,000,000 digits behind a point": Bomb(b'{"duration_ms": 0.' + b"9" * DIGITS + b"}", AS_JSON),
    "many numbers of 4,000 digits": Bomb(
        b'{"metadata": [' + b",".join([b"9" * 4_000] * 250) + b"]}", AS_JSON
    ),
    "digits in an exponent": Bomb(b'{"duration_ms": 1e' + b"9" * DIGITS + b"}", AS_JSON),
    "100,000 names": Bomb(
        json.dumps({f"{number:x}": 1 for number in range(NAMES)}).encode()[:-1][: LIMIT - 20]
        + b"}",
        AS_JSON,
    ),
    "one name 100,000 times": Bomb(
        b"{" + b",".join([b'"ab":1'] * NAMES) + b"}",
        AS_JSON,
    ),
    "escapes": Bomb(b'{"error_message": "' + b"\\u0041" * 170_000 + b'"}', AS_JSON),
    "halves of signs": Bomb(b'{"error_message": "' + b"\\ud800" * 170_000 + b'"}', AS_JSON),
    "NULs": Bomb(b'{"error_message": "' + b"\\u0000" * 170_000 + b'"}', AS_JSON),
    "quotes that never close": Bomb(b'{"a": "' + b'\\"' * 500_000, AS_JSON),
    "commas": Bomb(b"{" + b"," * 1_000_000 + b"}", AS_JSON),
    "blanks": Bomb(b" " * (LIMIT - 1), AS_JSON),
    "line breaks": Bomb(b"\n" * (LIMIT - 1) + b"x", AS_JSON),
    "JSON in a text in a text": Bomb(json.dumps(json.dumps("[" * 200_000)).encode(), AS_JSON),
    "no UTF-8": Bomb(b"\xc3\x28" * (LIMIT // 2), AS_JSON),
    "no UTF-8 at the end": Bomb(b'{"a": "' + "é".encode() * 500_000 + b'\xff"}', AS_JSON),
    "single quotes": Bomb(b"{" + b"'a': 'b', " * 100_000 + b"}", AS_JSON),
    "comments": Bomb(b"/*" * 500_000, AS_JSON),
    "unresolved expressions": Bomb(b'{"workflow_slug": ' + b"{{ " * 300_000, AS_JSON),
    "brackets in quotes": Bomb(b'{"a": "' + b"{[" * 500_000 + b'" x}', AS_JSON),
    "100,000 fields": Bomb(b"a=1&" * NAMES, AS_FORM),
    "a million empty fields": Bomb(b"a&" * 500_000, AS_FORM),
    "separators": Bomb(b"a=1" + b"&" * 1_000_000, AS_FORM),
    "escapes of a form": Bomb(b"a=" + b"%41" * 340_000, AS_FORM),
    "a form of percent signs": Bomb(b"a=" + b"%" * 1_000_000, AS_FORM),
    "2 MB of escapes": Bomb(b"a=" + b"%41" * 695_000, AS_FORM),
    "4 MB of percent signs": Bomb(b"a=" + b"%" * 4_000_000, AS_FORM),
    "10,000 parts": Bomb(
        b"".join(map(part, range(10_000))) + b"--b--\r\n", {"Content-Type": MULTIPART}
    ),
    "a part without end": Bomb(part(1) + b"\r\n--" * 250_000, {"Content-Type": MULTIPART}),
    "a part's endless head": Bomb(b"--b\r\nX: " + b"a" * 900_000, {"Content-Type": MULTIPART}),
    "gzip": Bomb(gzip.compress(ZEROS), packed("gzip")),
    "gzip, unsaid": Bomb(gzip.compress(ZEROS), AS_JSON),
    "deflate": Bomb(zlib.compress(ZEROS), packed("deflate")),
    "deflate, unsaid": Bomb(zlib.compress(ZEROS), AS_JSON),
    "br": Bomb(base64.b64decode("W/////8fAA==") * 100, packed("br")),
    "many encodings": Bomb(b"{}", packed("gzip, " * 1_000)),
}
"""What a body can be filled with."""

ANY = frozenset({200, 202, 204, 302, 303, 400, 401, 403, 404, 405, 413, 414, 415, 422, 431})
HEADS: dict[str, Bomb] = {
    "99 headers": Bomb(headers={f"X-{number}": "a" * 70 for number in range(90)}, answers=ANY),
    "large headers": Bomb(
        headers={f"X-{number}": "a" * 8_000 for number in range(80)}, answers=ANY
    ),
    "too many headers": Bomb(
        headers={f"X-{number}": "a" for number in range(500)}, answers=frozenset({431})
    ),
    "a header of 100 KB": Bomb(headers={"X-A": "a" * 100_000}, answers=frozenset({431})),
    "cookies": Bomb(headers={"Cookie": "a=1; " * 1_600}, answers=ANY),
    "cookies of quotes": Bomb(headers={"Cookie": 'a="' + '\\"' * 4_000}, answers=ANY),
    "a session that is none": Bomb(headers={"Cookie": "session=" + "." * 8_000}, answers=ANY),
    "a session that is packed": Bomb(
        headers={
            "Cookie": "session=."
            + base64.urlsafe_b64encode(zlib.compress(b"0" * 5_000_000)).decode().rstrip("=")
            + ".a.b"
        },
        answers=ANY,
    ),
    "1,500 parameters": Bomb(query="?" + "&".join(["a=1"] * 1_500), answers=ANY),
    "empty parameters": Bomb(query="?" + "&" * 8_000, answers=ANY),
    "escapes in an address": Bomb(query="?q=" + "%41" * 2_600, answers=ANY),
    "a long address": Bomb(query="?q=" + "a" * 100_000, answers=frozenset({414})),
    "a long key": Bomb(headers={"X-API-Key": "fp_" + "a" * 8_000}, answers=ANY),
    "keys": Bomb(query="?q=" + "fp_" * 2_600, headers={"User-Agent": "fp_" * 2_600}, answers=ANY),
    "accepted types": Bomb(headers={"Accept": "a/b;q=0.1," * 800}, answers=ANY),
    "languages": Bomb(headers={"Accept-Language": "en;q=0.1," * 800}, answers=ANY),
    "ranges": Bomb(headers={"Range": "bytes=" + "0-1," * 1_900}, answers=ANY),
    "entity tags": Bomb(headers={"If-None-Match": '"a", ' * 1_600}, answers=ANY),
    "a host": Bomb(headers={"Host": "a." * 4_000}, answers=ANY),
    "a long idempotency key": Bomb(headers={"Idempotency-Key": "a" * 8_000}, answers=ANY),
    "a media type of parameters": Bomb(
        headers={"Content-Type": "a/b" + '; a="\\"' * 1_000}, answers=ANY
    ),
}
"""What a head can be filled with; any answer but a crash is right, if it comes soon."""


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


READ_FORM = frozenset({200, 303, 401, 422, 429})
TARGETS = {
    "an event": Target("/api/v1/ingest/run-failure", with_key),
    "a batch": Target("/api/v1/ingest/batch", with_key),
    "a ping": Target("/api/v1/ping/{slug}/fail", with_key, frozenset({202})),
    "an event without a key": Target(
        "/api/v1/ingest/run-success", with_nothing, frozenset({401, 429})
    ),
    "signing in": Target("/sign-in", with_nothing, READ_FORM),
    "setting up": Target("/setup", with_nothing, frozenset({410})),
    "a form, signed in": Target("/workflows", with_token, READ_FORM),
    "a form with an event, signed in": Target("/docs/try/run-failure", with_token, READ_FORM),
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


def throw(aim: Aim, target: Target, bomb: Bomb, tries: int) -> tuple[float, int]:
    """Milliseconds of the quickest of a few tries, and the answer (0: none)."""
    url = aim.server.url + target.path.format(slug=aim.team.slug) + bomb.query
    headers = {**target.headers(aim), **bomb.headers}
    sender = aim.session if target.headers is with_token else aim.stranger
    method, times, status = "POST" if bomb.body else "GET", [], 0
    while not times or (len(times) < tries and times[-1] > MOST_BOMB_MS / 4):
        began = time.monotonic()
        try:
            answer = sender.request(
                method, url, data=bomb.body, headers=headers, allow_redirects=False, timeout=60
            )
            status = answer.status_code
        except requests.RequestException:
            status = 0
        times.append((time.monotonic() - began) * 1000)
    return min(times), status


def throw_all(
    server: LiveServer, pairs: Iterable[tuple[str, Target, Bomb]], tries: int = 1
) -> dict[str, Figure]:
    """One after the other; what they took, and what the server computed for the worst of them."""
    aim, web = aim_at(server), psutil.Process(server.web_pids()[0])
    wrong, times, computed = [], {}, {}
    for name, target, bomb in pairs:
        before = sum(web.cpu_times()[:2])
        times[name], status = throw(aim, target, bomb, tries)
        computed[name] = (sum(web.cpu_times()[:2]) - before) * 1000
        if status not in bomb.answers | target.answers:
            wrong.append(f"{name}: {status}")
    if "Traceback" in server.log():
        wrong.append("a traceback in the server's output")
    slowest = max(times, key=lambda name: times[name])
    for name in sorted(times, key=lambda name: -times[name])[:20]:
        print(f"{times[name]:.0f} ms, of which {computed[name]:.0f} ms in all tries: {name}")
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


def test_no_bomb_takes_long_or_breaks_anything(make_server: Callable[..., LiveServer]) -> None:
    pairs = pair(("an event", "signing in"), BODIES, TARGETS)
    pairs += pair(("an event", "the log"), HEADS, READ)
    found = throw_all(start(make_server), pairs)
    assert found["wrong"] == ""
    assert float(found["most_computed_ms"]) < 5 * MOST_BOMB_MS  # Whatever else the machine does.


@pytest.mark.drill("bombs")
@pytest.mark.timeout(900)
def test_every_bomb_is_refused_within_moments(
    make_server: Callable[..., LiveServer], database_kind: str
) -> None:
    pairs = pair(TARGETS, BODIES, TARGETS) + pair(READ, HEADS, READ)
    found = throw_all(start(make_server), pairs, TRIES)
    record("bombs", database_kind, **found)
    assert BOMBS_REFUSED(found), found
