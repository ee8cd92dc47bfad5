"""Addresses as other monitors have them: what their senders send, and the answers they rely on."""

import json
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.clock import now
from app.extensions import db
from app.models import ApiKey, Workflow
from app.workspaces.api_keys import revoke_api_key, rotate_api_key
from app.workspaces.people import RefusedError
from app.workspaces.report_addresses import create_address, list_addresses, read_secret
from app.workspaces.workflows import archive_workflow, create_workflow, rename_workflow
from tests.factories import Team, make_team
from tests.ingest.made import events, runs

KUMA_TOKEN = "Xq2v9LbT7cKmR4sWzP0aYdEhJ6uN8fGi"
PING_KEY = "fqood6-f4mmnucenztu01w"
RUN_ID = "123e4567-e89b-12d3-a456-426614174000"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_app(FLOWPULSE_COMPATIBILITY=True)
    with app.app_context():
        yield app
        db.session.remove()


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def uuid(team: Team) -> str:
    return make_address(team)


def make_address(team: Team, brought: str = "", *, of_all: bool = False) -> str:
    workflow = None if of_all else db.session.get_one(Workflow, team.workflow_id)
    secret = create_address(team.workspace_id, workflow, brought)[1]
    db.session.rollback()
    return secret


# --- Healthchecks -------------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["/ping", ""], ids=["self-hosted", "hc-ping.com"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_check_s_uuid_reports_a_run_and_is_answered_as_there(
    client: FlaskClient, uuid: str, root: str, method: str
) -> None:
    answer = client.open(f"{root}/{uuid}", method=method)
    assert answer.status_code == 200
    assert answer.data == (b"" if method == "HEAD" else b"OK")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Ping-Body-Limit"] == "10240"
    (run,) = runs()
    assert run.outcome == "success"
    (event,) = events()
    assert (event.status, event.kind, event.workflow_id) == (200, "ping", run.workflow_id)


def test_signals_exit_statuses_and_bodies(client: FlaskClient, uuid: str) -> None:
    for rest, body in (
        ("/fail", b"disk full"),
        ("/0", b"all well"),
        ("/23", b""),
        ("/", b""),
        ("", b"\xff\xfe"),
    ):
        assert client.post(f"/ping/{uuid}{rest}", data=body).data == b"OK"
    told = runs()
    assert [run.outcome for run in told] == ["failure", "success", "failure", "success", "success"]
    assert told[0].error_message == "disk full"
    assert told[1].details == {"exit_status": 0, "message": "all well"}
    assert told[2].error_type == "exit status 23"


def test_a_start_gives_the_run_its_duration_also_by_its_run_id(
    client: FlaskClient, uuid: str
) -> None:
    for rest in ("/start", "", f"/start?rid={RUN_ID}", "/start", f"?rid={RUN_ID.upper()}"):
        assert client.get(f"/ping/{uuid}{rest}").status_code == 200
    first, by_id, still_open = runs()
    assert (first.outcome, first.event_count) == ("success", 2)
    assert first.duration_ms is not None and first.duration_ms >= 0
    assert (by_id.external_execution_id, by_id.outcome) == (RUN_ID, "success")
    assert still_open.outcome == "running"


def test_a_log_is_kept_and_tells_of_no_run(client: FlaskClient, uuid: str) -> None:
    assert client.post(f"/ping/{uuid}/log", data=b"Hello World").data == b"OK"
    assert runs() == []
    (event,) = events()
    assert (event.kind, event.state, event.status) == ("ping-log", "processed", 200)
    assert event.payload == {"metadata": {"message": "Hello World"}}


@pytest.mark.parametrize("root", ["/ping", ""], ids=["self-hosted", "hc-ping.com"])
def test_a_ping_key_and_a_slug(client: FlaskClient, team: Team, root: str) -> None:
    make_address(team, PING_KEY, of_all=True)
    create_workflow(team.workspace_id, "Db backup", "db-backup")
    for slug, rest in ((team.slug, ""), (team.slug, "/fail"), ("db_backup", f"/3?rid={RUN_ID}")):
        answer = client.get(f"{root}/{PING_KEY}/{slug}{rest}")
        assert (answer.status_code, answer.data) == (200, b"OK")
    assert [run.outcome for run in runs()] == ["success", "failure", "failure"]
    for path in (f"{PING_KEY}/no-such-slug", f"{PING_KEY}/no-such-slug/fail"):
        answer = client.get(f"{root}/{path}")
        assert (answer.status_code, answer.data) == (404, b"not found")


def test_a_made_address_of_all_workflows_takes_a_slug_too(client: FlaskClient, team: Team) -> None:
    secret = make_address(team, of_all=True)
    assert len(secret) == 22
    assert client.get(f"/ping/{secret}/{team.slug}").data == b"OK"
    assert client.get(f"/ping/{secret}").status_code == 404
    refused = events()[-1]
    assert refused.code == "unknown_address" and "slug has to follow" in (refused.detail or "")


def test_refusals_are_those_of_healthchecks_and_all_are_in_the_log(
    client: FlaskClient, uuid: str, team: Team
) -> None:
    unknown = str(uuid4())
    for path, status, text, code in (
        (f"/ping/{unknown}", 404, b"not found", "unknown_address"),
        (f"/{unknown}/fail", 404, b"not found", "unknown_address"),
        ("/ping/nothing", 404, b"not found", "unknown_address"),
        (f"/ping/{team.key}/{team.slug}", 404, b"not found", "unknown_address"),
        (f"/ping/{uuid}/256", 400, b"invalid url format", "bad_request"),
        (f"/ping/{uuid}?rid=7", 400, b"invalid uuid format", "bad_request"),
        (f"/ping/{uuid}/stopped", 404, b"not found", "not_found"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.data) == (status, text), path
        refused = events()[-1]
        assert (refused.state, refused.code, refused.status) == ("rejected", code, status)
        for secret in (unknown, uuid, team.key):
            assert secret not in refused.path
        assert refused.workflow_id == (team.workflow_id if uuid in path else None)
    assert client.put(f"/ping/{uuid}").status_code == 405
    assert runs() == []


def test_what_is_archived_revoked_or_rotated_is_refused_and_seen_by_its_workspace(
    client: FlaskClient, uuid: str, team: Team
) -> None:
    workflow = db.session.get_one(Workflow, team.workflow_id)
    archive_workflow(workflow)
    assert client.get(f"/ping/{uuid}").data == b"not found"
    assert events()[-1].code == "workflow_archived"
    (address,) = list_addresses(db.session.get_one(Workflow, team.workflow_id))
    revoke_api_key(address)
    answer = client.get(f"/ping/{uuid}/fail")
    assert (answer.status_code, answer.data) == (404, b"not found")
    refused = events()[-1]
    assert (refused.code, refused.kind) == ("ended_address", "ping-fail")
    assert (refused.workspace_id, refused.workflow_id) == (team.workspace_id, team.workflow_id)


def test_a_rotated_address_is_of_the_same_form_and_the_old_one_works_on(
    client: FlaskClient, uuid: str, team: Team
) -> None:
    (address,) = list_addresses(db.session.get_one(Workflow, team.workflow_id))
    successor, secret = rotate_api_key(address, now().replace(year=now().year + 1))
    assert len(secret) == 36 and successor.prefix == secret[:8]
    db.session.rollback()
    assert {client.get(f"/ping/{each}").status_code for each in (uuid, secret)} == {200}


def test_a_body_of_any_length_is_taken(client: FlaskClient, uuid: str) -> None:
    assert client.post(f"/ping/{uuid}/1", data=b"x" * 3_000_000).data == b"OK"
    (run,) = runs()
    assert run.error_message == "x" * 10_240


def test_a_retry_with_its_key_is_one_event(client: FlaskClient, uuid: str) -> None:
    headers = {"Idempotency-Key": "k-1"}
    for _ in range(2):
        assert client.post(f"/ping/{uuid}/fail", headers=headers).data == b"OK"
    assert len(runs()) == 1
    answer = client.post(f"/ping/{uuid}", headers=headers)
    assert answer.status_code == 422


def test_a_log_too_is_one_event_with_its_key_and_refused_with_one_that_is_too_long(
    client: FlaskClient, uuid: str
) -> None:
    headers = {"Idempotency-Key": "k-1"}
    for _ in range(2):
        assert client.post(f"/ping/{uuid}/log", data=b"Hello", headers=headers).data == b"OK"
    assert len(events()) == 1
    other = client.post(f"/ping/{uuid}/log", data=b"Other", headers=headers)
    assert other.status_code == 422
    long = client.post(f"/ping/{uuid}/log", headers={"Idempotency-Key": "k" * 256})
    assert long.status_code == 400
    assert [each.state for each in events()] == ["processed", "rejected", "rejected"]


# --- Uptime Kuma --------------------------------------------------------------------------------


def test_a_push_is_answered_as_by_uptime_kuma(client: FlaskClient, team: Team) -> None:
    token = make_address(team, f"https://kuma.example.org/api/push/{KUMA_TOKEN}?status=up&msg=OK")
    assert token == KUMA_TOKEN
    for query in ("", "?status=up&msg=OK&ping=", "?status=up&msg=42%20rows&ping=125.5ms"):
        answer = client.get(f"/api/push/{token}{query}")
        assert (answer.status_code, answer.json) == (200, {"ok": True})
        assert answer.headers["Content-Type"] == "application/json"
    assert client.post(f"/api/push/{token}?status=down&msg=no+route").json == {"ok": True}
    assert client.get(f"/api/push/{token}?status=pending").json == {"ok": True}
    told = runs()
    assert [run.outcome for run in told] == ["success"] * 3 + ["failure"] * 2
    assert [run.details for run in told[:3]] == [None, None, {"message": "42 rows"}]
    assert [run.duration_ms for run in told[:3]] == [None, None, 125.5]
    assert told[3].error_message == "no route"


def test_a_push_to_nowhere_is_refused_as_by_uptime_kuma(client: FlaskClient, team: Team) -> None:
    answer = client.get(f"/api/push/{KUMA_TOKEN}?status=up")
    assert answer.status_code == 404
    assert answer.json == {"ok": False, "msg": "Monitor not found or not active."}
    assert KUMA_TOKEN not in events()[-1].path
    make_address(team, KUMA_TOKEN)
    answer = client.get(f"/api/push/{KUMA_TOKEN}?ping=-1")
    assert (answer.status_code, answer.json["ok"]) == (400, False)
    assert "100000000000" in answer.json["msg"]


# --- Cronitor -----------------------------------------------------------------------------------


def test_telemetry_of_cronitor(client: FlaskClient, team: Team) -> None:
    key = make_address(team, uuid4().hex, of_all=True)
    for query in (
        "state=run&series=4711",
        "state=complete&series=4711&message=1%2C423+records&metric=duration:1.5&metric=count:9",
        "state=fail&status_code=2&message=refused&host=app-1&env=production",
        "",
    ):
        answer = client.get(f"/p/{key}/{team.slug}?{query}")
        assert (answer.status_code, answer.data) == (200, b"OK"), answer.data
    told = runs()
    assert [run.outcome for run in told] == ["success", "failure", "success"]
    assert (told[0].external_execution_id, told[0].duration_ms) == ("4711", 1_500)
    assert (told[1].error_type, told[1].error_message) == ("exit status 2", "refused")
    assert client.get(f"/p/{key}/{team.slug}?state=pause").status_code == 400


# --- All of them --------------------------------------------------------------------------------


def test_what_opens_an_address_opens_nothing_else(
    client: FlaskClient, uuid: str, team: Team
) -> None:
    for headers in ({"X-API-Key": uuid}, {"Authorization": f"Bearer {uuid}"}):
        assert client.get("/api/v1/workflows", headers=headers).status_code == 401
        answer = client.post(f"/api/v1/ping/{team.slug}", headers=headers)
        assert answer.status_code == 401
    assert client.get(f"/api/push/{team.key}").status_code == 404


def test_an_address_of_one_workflow_reports_no_other(client: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Other")
    secret = make_address(team, PING_KEY)
    assert client.get(f"/ping/{secret}/{other.slug}").status_code == 403
    assert client.get(f"/ping/{secret}/{team.slug}").status_code == 200


def test_only_a_hash_is_stored(client: FlaskClient, uuid: str) -> None:
    client.get(f"/ping/{uuid.upper()}/start", headers={"Referer": "https://a.example"})
    (event,) = events()
    assert event.path == f"/ping/{uuid[:8].upper()}{'*' * 28}/start"
    row = db.session.scalars(select(ApiKey).where(ApiKey.scopes == "address")).one()
    assert row.prefix == uuid[:8]
    assert uuid not in json.dumps({name: str(value) for name, value in vars(row).items()})


@pytest.mark.parametrize("is_on", [True, False], ids=["on", "off"])
def test_no_refusal_of_a_push_leaves_its_token_in_the_log(
    make_app: Callable[..., Flask], is_on: bool
) -> None:
    app = make_app(FLOWPULSE_COMPATIBILITY=is_on)
    with app.app_context():
        client = app.test_client()
        for method, path in (
            ("PUT", f"/api/push/{KUMA_TOKEN}"),
            ("GET", f"/api/push/{KUMA_TOKEN}/more"),
            ("GET", f"/api/push//{KUMA_TOKEN}"),
            ("GET", f"/API/push/{KUMA_TOKEN}?status=up"),
            ("GET", f"/api/push/{KUMA_TOKEN}"),
        ):
            assert client.open(path, method=method).status_code in (404, 405)
        told = events()
        assert len(told) == 5 and {each.state for each in told} == {"rejected"}
        assert not [each.path for each in told if KUMA_TOKEN in each.path]
        db.session.remove()


def test_each_address_has_its_rate_and_a_guesser_is_stopped(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(
        FLOWPULSE_COMPATIBILITY=True, FLOWPULSE_RATE_LIMIT=1, FLOWPULSE_FAILED_KEY_LIMIT=2
    )
    with app.app_context():
        team, client = make_team(), app.test_client()
        uuid = make_address(team)
        answers = [client.get(f"/ping/{uuid}") for _ in range(12)]
        assert (answers[-1].status_code, answers[-1].data) == (429, b"rate limited")
        assert int(answers[-1].headers["Retry-After"]) >= 1
        guesses = [client.get(f"/api/push/{uuid4()}").status_code for _ in range(4)]
        assert guesses == [404, 404, 429, 429]
        db.session.remove()


def test_without_the_setting_there_is_nothing(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    with app.app_context():
        uuid, client = make_address(make_team()), app.test_client()
        for path in (f"/ping/{uuid}", f"/{uuid}", f"/api/push/{uuid}", f"/p/{uuid}/x"):
            assert client.get(path).status_code == 404
        assert runs() == []
        db.session.remove()


def test_senders_come_under_any_host(make_app: Callable[..., Flask]) -> None:
    app = make_app(FLOWPULSE_COMPATIBILITY=True, FLOWPULSE_PUBLIC_URL="https://fp.example.org")
    with app.app_context():
        uuid = make_address(make_team())
        answer = app.test_client().get(f"/ping/{uuid}", headers={"Host": "hc.internal:8000"})
        assert answer.status_code == 200
        db.session.remove()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f" {RUN_ID.upper()} ", RUN_ID),
        (f"https://hc-ping.com/{RUN_ID}/start", RUN_ID),
        (f"https://example.org/hc/ping/{RUN_ID}", RUN_ID),
        (f"https://hc-ping.com/{PING_KEY}/backup", PING_KEY),
        (f"http://kuma:3001/api/push/{KUMA_TOKEN}?status=up&msg=OK&ping=", KUMA_TOKEN),
        (
            "https://cronitor.link/p/0123456789abcdef0123456789abcdef/x?state=run",
            "0123456789abcdef0123456789abcdef",
        ),
    ],
)
def test_an_old_address_is_read_for_its_secret(text: str, secret: str) -> None:
    assert read_secret(text) == secret


@pytest.mark.parametrize(
    "text",
    [
        "short",
        "a" * 36,
        "fp_" + "a1B2c3" * 6,
        "https://example.org/",
        "uuid with spaces in it!!",
        "é" * 30,
    ],
)
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        read_secret(text)


def test_an_address_is_of_one_workflow_alone(uuid: str, team: Team) -> None:
    with pytest.raises(RefusedError, match="there already"):
        make_address(team, uuid)


def test_a_workflow_that_was_renamed_keeps_its_addresses(
    client: FlaskClient, uuid: str, team: Team
) -> None:
    rename_workflow(db.session.get_one(Workflow, team.workflow_id), "Other", "other")
    assert client.get(f"/ping/{uuid}").status_code == 200
    assert len(runs()) == 1
