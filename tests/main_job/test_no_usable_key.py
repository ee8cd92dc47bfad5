"""Nothing that opens something is on disk, in a log or on an error page, wherever it was sent."""

import base64
import bz2
import gzip
import json
import lzma
import re
import socket
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from sqlalchemy import create_engine, text

from app.keys import PREFIX_LENGTH
from tests.console.pages import Page
from tests.console.test_two_factor import code_of
from tests.databases import Databases
from tests.factories import PASSWORD
from tests.main_job.visitors import send_form, sign_in
from tests.secret_forms import forms_of
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

INGEST, BATCH = "/api/v1/ingest/run-failure", "/api/v1/ingest/batch"
SMTP_PASSWORD = "an-smtp-password-of-the-settings"
HOOK = "https://hooks.example.org/a-path-that-opens-it"
TYPED = "what-somebody-typed-as-a-password"


def send_everywhere(server: LiveServer, team: LiveTeam, key: str) -> Iterator[requests.Response]:
    """The key in its place, and in each where it does not belong."""
    good: dict[str, Any] = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    full = good | {"error_message": f"refused {key}", "error_type": f"Key{key}"}
    full |= {"metadata": {"key": key, key: 1, "deep": [f"x{key}y"]}, "correlation_id": key}
    basic = base64.b64encode(f"user:{key}".encode()).decode()
    packed = base64.b64encode(f"ab{key}".encode()).decode()
    hexed = key.encode().hex()
    escaped = "".join(f"\\u{ord(sign):04x}" for sign in key)
    for headers in (
        {"X-API-Key": key},
        {"Authorization": f"Bearer {key}"},
        {"Authorization": key},
        {"Authorization": f"Basic {basic}"},
        {"X-API-Key": f"Bearer {key}"},
        {"X-API-Key": key[:-1]},
        {"X-Custom": key, "Cookie": f"a={key}", "Referer": f"https://x/?k={key}"},
        {"X-API-Key": key, "User-Agent": f"bot {key} {packed}", "Idempotency-Key": f"once-{key}"},
        {
            "X-API-Key": key,
            "X-Note": packed,
            "X-Hex": hexed,
            "Idempotency-Key": packed,
        },
    ):
        yield server.post(INGEST, json=full, headers=headers)
    own = {"X-API-Key": key}
    for body in (
        json.dumps(full)[:-1],
        json.dumps(full | {"ended_at": key, "duration_ms": key, "started_at": packed}),
        json.dumps(good | {"error_message": packed, "metadata": {"raw": hexed}}),
        json.dumps(full | {"workflow_slug": f"to-{key}", "external_execution_id": f"id-{key}"}),
        json.dumps(good | {"note": "HERE", "error_message": "HERE"}).replace("HERE", escaped),
        f"{{workflow_slug: {key}}}",
        f'{{"password": "{key}',
    ):
        yield server.post(INGEST, data=body.encode(), headers=own)
    yield server.post(INGEST, data={"workflow_slug": team.slug, "a": f"{key} b"}, headers=own)
    yield server.post(INGEST, data=json.dumps(full).encode("utf-16"), headers=own)
    wrapped = base64.encodebytes(f"{'u' * 50}:{key}".encode()).decode()
    for body in (
        json.dumps(good | {"error_message": wrapped, "metadata": {"raw": wrapped}}),
        wrapped,
    ):
        yield server.post(INGEST, data=body.encode(), headers=own)
    yield from send_packed(server, json.dumps(full).encode(), own)
    yield server.post(INGEST, data=b" " * 1_048_577 + key.encode(), headers=own)
    items = [full | {"kind": "run-failure"}, {"kind": key}, {"kind": "run-failure", "note": key}]
    yield server.post(BATCH, json={"events": items}, headers=own | {"Idempotency-Key": key})
    for path in (f"?api_key={key}", f"?a={quote(packed)}&{key}=1", f"/{key}", f"?k=%66p_{key[3:]}"):
        yield server.post(INGEST + path, json=full, headers=own)
        yield server.post(INGEST + path, json=full)
    yield server.get(f"/api/v1/ping/{team.slug}/fail?rid={key}&key={key}", headers=own)
    yield server.get(f"/api/v1/ping/{key}")
    yield server.get(f"/api/v1/runs?limit={key}&cursor={key}", headers=own)


def make_addresses(visitor: requests.Session, server: LiveServer, team: LiveTeam) -> list[str]:
    """One of a workflow, and one of all of them."""
    page = f"/workflows/{team.workflow_id}"
    fields = Page(visitor.get(server.url + page).text).form(f"{page}/address").fields
    shown = visitor.post(f"{server.url}{page}/address", data=fields, timeout=30).text
    of_all = server.cli("address", "create").stdout
    found = [
        *re.findall(r"/ping/([0-9a-f]{8}-[0-9a-f-]{27})", shown)[:1],
        *re.findall(r"^[0-9A-Za-z_-]{22}$", of_all, re.MULTILINE)[:1],
    ]
    assert len(found) == 2, of_all
    return found


def make_invitation(visitor: requests.Session, server: LiveServer) -> str:
    told = {"invited_email": "new@example.org", "invited_role": "viewer"}
    path = "/settings/invitations"
    form = Page(visitor.get(f"{server.url}/settings").text).form(path)
    made = visitor.post(server.url + path, data={**form.fields, **told}, timeout=30)
    return re.findall(r"/invitation/([0-9A-Za-z_-]{43})", made.text)[0]


def send_to_addresses(
    server: LiveServer, team: LiveTeam, addresses: list[str], link: str
) -> Iterator[requests.Response]:
    """To where they belong and where not, and named in reports; also as no HTTP at all."""
    uuid, key = addresses
    paths = [f"/ping/{uuid}", f"/{uuid}/fail", f"/ping/{key}/{team.slug}", f"/{key}/{team.slug}"]
    paths += [f"/api/push/{uuid}?status=up", f"/p/{key}/{team.slug}", f"/invitation/{link}"]
    paths += [f"/api/v1/ping/{uuid}", f"/api/v1/ping/{uuid}/fail", f"/ping/{uuid}/a/b/c/d"]
    for path in paths:
        answer = server.get(path, headers=team.headers)
        if link not in path:  # Its page has the form that is sent to it.
            yield answer
    for path in paths:
        body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
        body["error_message"] = f"Max retries exceeded with url: {path}"
        told = {"X-Note": f"https://x.example.org{path}", "User-Agent": f"bot {path}"}
        told |= {"Idempotency-Key": path, **team.headers}
        for more in ({}, {"metadata": {"url": f"https://x.example.org{path}"}}, {"ended_at": path}):
            yield server.post(INGEST, json=body | more, headers=told)
    for path in paths:
        with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), 10) as sender:
            sender.sendall(f"GET {path} HTTP/9.9\r\n\r\n".encode())
            sender.recv(1_000)


def send_packed(
    server: LiveServer, body: bytes, own: dict[str, str]
) -> Iterator[requests.Response]:
    """Compressed, said so or not, with the key in its place or without."""
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw": raw.compress(body) + raw.flush(),
        "bzip2": bz2.compress(body),
        "xz": lzma.compress(body),
    }
    for name, content in packed.items():
        said = {"Content-Encoding": "deflate" if name == "raw" else name}
        yield server.post(INGEST, data=content, headers=own | said)
        yield server.post(INGEST, data=content, headers=said)
        if name != "raw":
            yield server.post(INGEST, data=content, headers=own)


def unpacked(content: bytes) -> list[bytes]:
    """What stands in it: also packed, wherever that begins, and as base64 that goes over lines."""
    found = [content]
    if len(content) < 1_000_000:  # Not in the database's own files, whose rows are read too.
        found.append(content.replace(b"\\n", b"").replace(b"\n", b""))
    for magic, wbits in ((b"\x1f\x8b\x08", 31), (b"x\x9c", 15)):
        at = content.find(magic)
        while at >= 0:
            with suppress(zlib.error):
                piece = content[at : at + 100_000]
                found.append(zlib.decompressobj(wbits).decompress(piece, 100_000))
            at = content.find(magic, at + 1)
    return found


def add_webhook(visitor: requests.Session, server: LiveServer) -> requests.Response:
    path = server.url + "/alerts/channels/new/webhook"
    fields = Page(visitor.get(path).text).form("").fields
    return visitor.post(path, data={**fields, "name": "Hook", "url": HOOK}, timeout=30)


def break_a_page(server: LiveServer, visitor: requests.Session, key: str) -> requests.Response:
    """A page whose event can't be read: 500, with a traceback in the log."""
    engine = create_engine(server.database_url)
    change = text("UPDATE events SET headers = :headers WHERE id = :id")
    with engine.connect() as connection:
        newest = "SELECT id, public_id, headers FROM events ORDER BY id DESC LIMIT 1"
        event = connection.execute(text(newest)).one()
        connection.execute(change, {"headers": "{", "id": event.id})
        connection.commit()
        path = f"{server.url}/events/{event.public_id}?key={key}"
        answer = visitor.get(path, headers={"X-API-Key": key, "User-Agent": key})
        connection.execute(change, {"headers": event.headers, "id": event.id})
        connection.commit()
    engine.dispose()
    return answer


def read_database(server: LiveServer, since: float) -> Iterator[tuple[str, bytes]]:
    """Each row of each table, and the files as they are, with what was written ahead."""
    engine = create_engine(server.database_url)
    with engine.connect() as connection:
        names = {
            "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
            "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        }[engine.dialect.name]
        for table in connection.scalars(text(names)).all():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                yield table, b"\n".join(map(_as_bytes, row))
        folder = None
        if engine.dialect.name == "postgresql":
            folder = Path(str(connection.scalar(text("SHOW data_directory"))))
            oid = connection.scalar(
                text("SELECT oid FROM pg_database WHERE datname = current_database()")
            )
            connection.rollback()
            connection.connection.driver_connection.autocommit = True  # type: ignore[union-attr]
            connection.execute(text("CHECKPOINT"))
    engine.dispose()
    file = Path(server.database_url.removeprefix("sqlite:///"))
    files = [*file.parent.glob(f"{file.name}*")]
    if folder:
        files = [*(folder / "pg_wal").iterdir(), *(folder / "base" / str(oid)).iterdir()]
    for each in files:
        if each.is_file() and each.stat().st_mtime >= since:
            yield each.name, each.read_bytes()


def back_up(server: LiveServer, file: Path) -> Iterator[tuple[str, bytes]]:
    """A backup as the file that it is, and what is in it, row by row or as SQL."""
    said = server.cli("backup", str(file))
    assert said.returncode == 0, said.stderr
    yield "backup's output", (said.stdout + said.stderr).encode()
    yield "backup", file.read_bytes()
    if not server.database_url.startswith("sqlite"):  # A dump is packed.
        unpacked = ["pg_restore", "--file=-", str(file)]
        held = subprocess.run(unpacked, capture_output=True, check=True).stdout
        yield "backup, unpacked", held


def switch_on_two_factor(visitor: requests.Session, server: LiveServer) -> tuple[str, list[str]]:
    """The secret as the app gets it, and the recovery codes."""
    path = "/account/two-factor"
    page = Page(visitor.get(server.url + path).text)
    secret = re.findall(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", page.text)[0].replace(" ", "")
    fields = {**page.form(path).fields, "code": code_of(secret)}
    shown = visitor.post(server.url + path, data=fields, timeout=30).text
    codes = list(dict.fromkeys(re.findall(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){3}", shown)))
    return secret, codes


def use_recovery_code(server: LiveServer, team: LiveTeam, code: str) -> None:
    """Sign in with it; a code that is wrong by its last sign is refused first."""
    session = requests.Session()
    answer = send_form(session, server, "/sign-in", email=team.email, password=PASSWORD)
    for each, status in ((f"{code[:-1]}!", 422), (code, 303)):
        fields = {**Page(answer.text).form("/sign-in/code").fields, "recovery_code": each}
        url = server.url + "/sign-in/code"
        answer = session.post(url, data=fields, allow_redirects=False, timeout=30)
        assert answer.status_code == status


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


LOGS = {"FLOWPULSE_LOG_FORMAT": "json", "GUNICORN_CMD_ARGS": "--access-logfile -"}


@pytest.fixture(params=[{}, LOGS], ids=["as it is", "all that can be logged"])
def server(make_server: Callable[..., LiveServer], request: pytest.FixtureRequest) -> LiveServer:
    mails = {"FLOWPULSE_SMTP_HOST": "127.0.0.1", "FLOWPULSE_SMTP_PASSWORD": SMTP_PASSWORD}
    return make_server(FLOWPULSE_COMPATIBILITY="1", **mails, **request.param)


def test_nothing_that_opens_something_is_kept(
    server: LiveServer, databases: Databases, tmp_path: Path
) -> None:
    since = time.time() - 1
    team = make_live_team(server)
    visitor = sign_in(server, team)
    made = send_form(visitor, server, "/keys", name="other", scope=["ingest", "read"])
    keys = [team.key, re.findall(r"fp_[0-9A-Za-z]{36}", made.text)[0]]
    hook = add_webhook(visitor, server)
    whsec = re.findall(r"whsec_[0-9A-Za-z+/=]{20,}", hook.text)[0]
    send_form(requests.Session(), server, "/sign-in", email=team.email, password=TYPED)
    totp, codes = switch_on_two_factor(visitor, server)
    assert len(codes) == 10
    use_recovery_code(server, team, codes[0])
    addresses, link = make_addresses(visitor, server, team), make_invitation(visitor, server)
    answers = [answer for key in keys for answer in send_everywhere(server, team, key)]
    answers += send_to_addresses(server, team, addresses, link)
    answers += [visitor.get(f"{server.url}/nowhere/{key}?k={key}") for key in keys]
    answers.append(break_a_page(server, visitor, keys[0]))
    assert {answer.status_code for answer in answers} >= {202, 207, 400, 401, 404, 413, 415, 500}
    _wait_until_all_is_written(visitor, server)
    pages = _look_at_all(visitor, server)

    secrets = {f"key {each[:PREFIX_LENGTH]}": each[PREFIX_LENGTH:] for each in keys}
    session = visitor.cookies["flowpulse_session"]
    secrets |= {"session": session, "token": _token_of(session), "password": PASSWORD}
    secrets |= {"typed": TYPED, "SMTP": SMTP_PASSWORD, "webhook": whsec[6:], "hook": HOOK[-20:]}
    secrets |= {f"address {each[:8]}": each[8:] for each in (*addresses, link)}
    secrets |= {"TOTP": totp, "TOTP's bytes": base64.b32decode(totp).hex()}
    for name, code in {"used code": codes[0], "code": codes[1]}.items():
        secrets |= {name: code, f"signs of {name}": code.replace("-", "")}
    sought = {name: forms_of(secret) for name, secret in secrets.items()}
    places = [*read_database(server, since), ("log", server.log().encode())]
    places += [(f"answer {each.status_code} {each.url[-60:]}", each.content) for each in answers]
    places += [*pages, *back_up(server, tmp_path / "backup")]
    found = {
        (place, name)
        for place, content in places
        for each in unpacked(content)
        for name, forms in sought.items()
        if any(form in each for form in forms)
    }
    assert not found
    assert len(places) > 100 and any(keys[0][:PREFIX_LENGTH].encode() in each for _, each in places)


def _wait_until_all_is_written(visitor: requests.Session, server: LiveServer) -> None:
    wait_for(lambda: "waiting" not in visitor.get(f"{server.url}/events?state=accepted").text, 20)
    time.sleep(0.3)


def _look_at_all(visitor: requests.Session, server: LiveServer) -> list[tuple[str, bytes]]:
    """The lists, each event's page, and all that can be downloaded from it."""
    listed = visitor.get(f"{server.url}/events").text
    ids = list(dict.fromkeys(re.findall(r"/events/([a-z0-9]{24})", listed)))
    assert len(ids) > 20
    paths = ["/", "/events", "/runs", "/runs/errors", "/problems"]
    for event_id in ids:
        paths += [f"/events/{event_id}", f"/events/{event_id}/body"]
    for event_id in ids[:8]:
        paths += [f"/events/{event_id}/{each}" for each in ("headers", "as/curl", "resend")]
    return [(path, visitor.get(server.url + path).content) for path in paths]


def _token_of(cookie: str) -> str:
    """What the signed cookie holds; one that begins with a dot is packed."""
    payload = cookie.removeprefix(".").partition(".")[0]
    raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    raw = zlib.decompress(raw) if cookie.startswith(".") else raw
    return str(json.loads(raw)["_user_id"])
