"""With FLOWPULSE_LOG_FORMAT=json each request is one line of JSON, without secrets, not forged."""

import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.log_lines import JsonLines
from app.models import Event, Workflow
from app.request_log import describe, logger, show_path
from app.workspaces.report_addresses import create_address
from tests.factories import Team, make_team, report
from tests.server import ROOT, LiveServer, wait_for
from tests.teams import make_live_team

FORGED = '{"time": "2026-01-15T09:31:00.000Z", "message": "forged"}'
KUMA_TOKEN, CRONITOR_KEY = "Xq2v9LbT7cKmR4sWzP0aYdEhJ6uN8fGi", "0123456789abcdef0123456789abcdef"
Lines = list[dict[str, Any]]


class Kept(logging.Handler):
    """What was written, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def read(self) -> Lines:
        assert all(line.isascii() and line.isprintable() for line in self.lines)
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def kept() -> Any:
    """Whether the application has been made before it or not."""
    handler, level = Kept(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Any:
    app = make_app(FLOWPULSE_LOG_FORMAT="json", FLOWPULSE_COMPATIBILITY=True)
    with app.app_context():
        yield app


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def test_an_accepted_event_is_one_line_with_its_id(app: Flask, team: Team, kept: Kept) -> None:
    answer = report(app.test_client(), team)
    (line,) = kept.read()
    assert line["event_id"] == answer.json["event_id"]
    assert (line["method"], line["status"]) == ("POST", 202)
    assert line["path"] == "/api/v1/ingest/run-success" and line["remote_addr"] == "127.0.0.1"
    assert 0 < line["duration_ms"] < 30_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert "code" not in line


def test_a_refused_one_has_its_exact_code_and_the_id_in_the_answer(
    app: Flask, team: Team, kept: Kept
) -> None:
    headers = {"X-API-Key": team.key[:-1] + ("a" if team.key[-1] != "a" else "b")}
    answers = [
        app.test_client().post("/api/v1/ingest/run-success", data="{", headers=team.headers),
        app.test_client().post("/api/v1/ingest/run-success", json={}, headers=headers),
    ]
    for line, answer in zip(kept.read(), answers, strict=True):
        assert line["status"] == answer.status_code
        assert line["event_id"] == answer.json["event_id"]
    assert [line["code"] for line in kept.read()] == ["invalid_json", "malformed_api_key"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    "brought", ["", KUMA_TOKEN, CRONITOR_KEY], ids=["uuid", "kuma", "cronitor"]
)
def test_an_accepted_ping_of_another_monitors_sender_has_its_id_too(
    app: Flask, team: Team, kept: Kept, method: str, brought: str
) -> None:
    """Nothing in the answer tells it."""
    of_all = brought == CRONITOR_KEY
    workflow = None if of_all else db.session.get_one(Workflow, team.workflow_id)
    secret = create_address(team.workspace_id, workflow, brought)[1]
    db.session.rollback()
    address = {KUMA_TOKEN: "/api/push/{}", CRONITOR_KEY: f"/p/{{}}/{team.slug}"}
    path = address.get(brought, "/ping/{}").format(secret)
    key = {"Idempotency-Key": "x"}
    for each in [path, path] if brought else [path, path, f"{path}/log"]:
        headers = {} if each.endswith("/log") else key
        with app.test_client().open(each, method=method, headers=headers) as answer:
            assert answer.status_code == 200
    stored = list(db.session.scalars(select(Event.public_id).order_by(Event.id)))
    db.session.rollback()
    lines = kept.read()
    assert [line["event_id"] for line in lines] == [stored[0], *stored]
    assert {line["status"] for line in lines} == {200}
    assert not any(secret in line["path"] for line in lines)


def test_a_batch_tells_how_many_with_its_first_and_last_id(
    app: Flask, team: Team, kept: Kept
) -> None:
    good = {"kind": "run-success", "workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    bad = good | {"workflow_slug": "nowhere"}
    client = app.test_client()
    answers = [
        client.post("/api/v1/ingest/batch", json={"events": events}, headers=team.headers)
        for events in ([good, good, good], [bad, good], [bad, bad])
    ]
    lines = kept.read()
    for line, answer in zip(lines, answers, strict=True):
        ids = [entry["event_id"] for entry in answer.json["events"]]
        assert (line["event_id"], line["last_event_id"]) == (ids[0], ids[-1])
        assert line["status"] == answer.status_code
    assert [(line["accepted"], line["refused"]) for line in lines] == [(3, 0), (1, 1), (0, 2)]
    assert [line.get("code") for line in lines] == [None, None, answers[2].json["code"]]


def test_no_secret_is_in_it(app: Flask, team: Team, kept: Kept) -> None:
    client = app.test_client()
    encoded = team.key.replace("_", "%5F")
    for path in (
        f"/api/v1/ping/{team.key}",
        f"/api/v1/ping/{encoded}",
        f"/events?q={team.key}&token=hunter2",
        "/setup?token=hunter2",
        "/badge/hunter2.svg",
        "/badge/hunter2.json",
    ):
        headers = {"Cookie": "session=hunter2", "Authorization": "Bearer hunter2"}
        client.get(path, headers=headers).close()
    client.post("/sign-in", data={"email": "hunter2@example.org", "password": "hunter2"}).close()
    written = "\n".join(kept.lines)
    assert len(kept.read()) == 7
    assert "hunter2" not in written and team.key[6:] not in written and "?" not in written


UUID, TOKEN = "6f0c1d2e-94b7-4f02-a6d9-3e7b1c5f8a20", "Xq2v9LbT7cKmR4sWzP0aYd"
HARMLESS = {"filename", "fingerprint", "form", "kind", "name", "reference"}
HARMLESS |= {"second", "signal", "slug", "third"}
"""Parts of addresses that open nothing, beside ids, which need somebody who may see them."""


@pytest.mark.parametrize("secret", [UUID, UUID.upper(), TOKEN, "hunter2"])
@pytest.mark.parametrize(
    "address",
    [
        "/ping/{}",
        "/ping/{}/fail",
        "/ping/{}/nightly/log",
        "/ping/{}/a/b/c/d",
        "/ping//{}",
        "/PING/{}",
        "/%70ing/{}",
        "/api/push/{}",
        "/api/push/{}/",
        "/p/{}/nightly",
        "/p/{}",
        "/invitation/{}",
        "/sign-in/new-password/{}",
        "/badge/{}.svg",
    ],
)
def test_what_opens_something_in_an_address_is_starred_out(
    make_app: Callable[..., Flask], kept: Kept, address: str, secret: str
) -> None:
    for answers in (False, True):
        app = make_app(FLOWPULSE_LOG_FORMAT="json", FLOWPULSE_COMPATIBILITY=answers)
        with app.app_context():
            app.test_client().get(address.format(secret)).close()
    assert len(kept.read()) == 2
    assert (secret[8:] or secret) not in "\n".join(kept.lines)


@pytest.mark.parametrize(
    "address", [f"/{UUID}", f"/{UUID}/start", f"/{TOKEN}/nightly", f"/api/v1/ping/{UUID}"]
)
def test_so_is_what_stands_at_the_root_or_was_sent_to_a_ping(
    app: Flask, kept: Kept, address: str
) -> None:
    for prefix in ("", "/flowpulse"):
        environ = {"PATH_INFO": address, "SCRIPT_NAME": prefix, "REQUEST_METHOD": "GET"}
        line = json.loads(describe(environ, 200, 0.001))
        assert UUID[9:] not in line["path"] and TOKEN[9:] not in line["path"]
        assert line["path"].startswith(prefix + address[:6])


def test_no_rule_has_an_argument_of_which_nobody_said_whether_it_opens_something(
    app: Flask,
) -> None:
    for rule in app.url_map.iter_rules():
        within = {name for name in rule.arguments if f"{name}>" in rule.rule}
        harmless = {name for name in within if name.endswith("_id") or name in HARMLESS}
        secret = TOKEN if "ping_key" in rule.rule else UUID
        path = rule.rule
        for name in within:
            part = "harmless" if name in harmless else secret
            path = re.sub(rf"<(\w+:)?{name}>", part, path)
        shown = show_path({"PATH_INFO": path, "REQUEST_METHOD": "GET"})
        assert secret[8:] not in shown and "<" not in shown, rule.rule
        assert shown.count("harmless") == len(harmless), rule.rule


def test_nothing_that_comes_in_can_forge_a_line(app: Flask, kept: Kept) -> None:
    signs = "\n\r\x0b\x1b[2J\x7f\x85\u2028\u202e"
    environ = {"PATH_INFO": f"/{signs}{FORGED}".encode().decode("latin-1")}
    environ |= {"REQUEST_METHOD": f"GET{signs}", "REMOTE_ADDR": signs}
    line = describe(environ, 200, 0.001)
    assert line.isascii() and line.isprintable() and len(line.splitlines()) == 1
    assert json.loads(line)["message"] == "request"
    app.test_client().get(f"/%0a{FORGED}").close()
    (read,) = kept.read()
    assert "forged" in read["path"] and len(kept.lines[0].splitlines()) == 1
    long = describe(
        {"PATH_INFO": "/" + "x" * 9_000, "REQUEST_METHOD": "G" * 99},
        1,
        0,
    )
    assert len(long) < 1_000


def test_without_it_the_application_is_called_as_it_is(
    make_app: Callable[..., Flask], kept: Kept
) -> None:
    app = make_app()
    assert app.wsgi_app.__func__ is type(app).wsgi_app  # type: ignore[attr-defined]
    app.test_client().get("/healthz")
    assert kept.lines == []


def test_what_goes_wrong_is_json_too_with_its_trace_in_the_same_line() -> None:
    form = JsonLines("worker")
    try:
        raise ValueError(f"boom\n{FORGED}\x7f")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "", 1, "It %s", ("broke\n",), sys.exc_info())
    line = form.format(record)
    assert line.isascii() and line.isprintable()
    entry = json.loads(line)
    assert (entry["process"], entry["level"], entry["message"]) == ("worker", "ERROR", "It broke\n")
    assert "ValueError: boom" in entry["trace"] and re.fullmatch(
        r"[\d-]+T[\d:]+\.\d{3}Z", entry["time"]
    )


def test_an_unknown_format_is_refused() -> None:
    program = "import wsgi"
    env = {"PATH": "/usr/bin:/bin", "FLOWPULSE_LOG_FORMAT": "xml", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert done.returncode and "FLOWPULSE_LOG_FORMAT is 'xml': must be text or json." in done.stderr


@pytest.mark.once
def test_the_real_server_and_worker_write_nothing_but_json(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(FLOWPULSE_LOG_FORMAT="json", WEB_CONCURRENCY="1")
    team = make_live_team(server)
    body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    answer = server.post("/api/v1/ingest/run-success", json=body, headers=team.headers)
    event_id = answer.json()["event_id"]
    with server.get("/events/stream", stream=True, timeout=5) as stream:
        assert stream.status_code in (200, 401)
    wait_for(lambda: "/events/stream" in server.log(), 20)
    lines = [json.loads(line) for line in (server.data_dir / "web.log").read_text().splitlines()]
    (own,) = [line for line in lines if line.get("event_id") == event_id]
    assert own["status"] == 202 and own["process"] == "web"
