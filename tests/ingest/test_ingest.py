"""The ingest endpoints as a sender meets them: answers, order of checks, and what the log keeps."""

import json
import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update
from sqlalchemy.orm import undefer

from app.clock import now
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.ingest.store import OUTAGES
from app.keys import make_key
from app.models import ApiKey, Event, UnstoredCount, Workflow
from app.problems import PROBLEMS
from app.workspaces.api_keys import create_api_key, revoke_api_key
from app.workspaces.people import RefusedError
from app.workspaces.workflows import archive_workflow, create_workflow, rename_workflow
from tests.databases import Databases
from tests.factories import Team, failure, make_team, report, success

SUCCESS = "/api/v1/ingest/run-success"
FAILURE = "/api/v1/ingest/run-failure"


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def logged() -> list[Event]:
    """The log, oldest first, with what waits to be written."""
    ingest_service().recorder.flush()
    db.session.rollback()
    everything = select(Event).options(undefer("*")).order_by(Event.id)
    return list(db.session.scalars(everything))


def only_logged() -> Event:
    (event,) = logged()
    return event


def test_a_202_names_the_event_and_where_to_ask_for_it(client: FlaskClient, team: Team) -> None:
    answer = report(client, team)
    assert answer.status_code == 202
    assert answer.json == {"event_id": answer.json["event_id"], "status": "accepted"}
    assert answer.headers["Location"] == f"/api/v1/events/{answer.json['event_id']}"
    event = only_logged()
    assert event.public_id == answer.json["event_id"]
    assert (event.state, event.status, event.kind) == ("accepted", 202, "run-success")
    assert json.loads(event.body) == success(team)
    assert event.took_ms > 0 and event.remote_addr == "127.0.0.1"


def test_a_tolerated_slip_is_a_warning_in_answer_and_log(client: FlaskClient, team: Team) -> None:
    answer = report(client, team, ended_at="2026-01-15T09:31:00", endedAt="x")
    warnings = answer.json["warnings"]
    assert {warning["field"] for warning in warnings} == {"ended_at", "endedAt"}
    assert all(set(warning) == {"field", "code", "message"} for warning in warnings)
    assert all(warning["code"] in PROBLEMS for warning in warnings)
    kept = only_logged().warnings
    assert kept is not None and [w["code"] for w in kept] == [w["code"] for w in warnings]


def test_one_400_lists_all_offending_fields(client: FlaskClient, team: Team) -> None:
    body = failure(team, ended_at="yesterday", duration_ms=-1, error_message=None, metadata=7)
    answer = client.post(FAILURE, json=body, headers=team.headers)
    assert answer.status_code == 400
    assert {error["field"] for error in answer.json["errors"]} == {
        "ended_at",
        "duration_ms",
        "error_message",
        "metadata",
    }
    for error in answer.json["errors"]:
        assert set(error) == {"field", "code", "message", "fix", "received"}


def test_the_one_400_lists_references_and_headers_too(client: FlaskClient, team: Team) -> None:
    create_workflow(team.workspace_id, "Other")
    fields = success(team, workflow_name="Other", duration_ms=-1)
    headers = {**team.headers, "Idempotency-Key": "k" * 256}
    errors = client.post(SUCCESS, json=fields, headers=headers).json["errors"]
    assert [(error["field"], error["code"]) for error in errors] == [
        ("workflow_name", "workflow_mismatch"),
        ("duration_ms", "out_of_range"),
        ("Idempotency-Key", "too_long"),
    ]


@pytest.mark.parametrize("host", ["a b", 'x"<>/', ""])
def test_an_odd_host_header_makes_no_broken_links(
    client: FlaskClient, team: Team, host: str
) -> None:
    answer = client.post(SUCCESS, json={}, headers={**team.headers, "Host": host})
    assert answer.json["inspect"].startswith("http://localhost")


def test_a_misspelt_required_field_is_named_with_the_right_one(
    client: FlaskClient, team: Team
) -> None:
    body = success(team, ended_at=None, endedAt="2026-01-15T09:31:00Z")
    answer = client.post(SUCCESS, json=body, headers=team.headers)
    (error,) = answer.json["errors"]
    assert error["field"] == "ended_at"
    assert "endedAt" in error["message"] + error["fix"]


def test_a_refusal_is_problem_json_with_the_row_and_the_event(
    client: FlaskClient, team: Team
) -> None:
    answer = client.post(SUCCESS, data="{nope", headers=team.headers)
    assert answer.content_type == "application/problem+json"
    problem = answer.json
    assert problem["type"].endswith("/troubleshooting#invalid_json")
    assert problem["title"] == PROBLEMS["invalid_json"].title
    assert (problem["status"], problem["code"]) == (400, "invalid_json")
    assert problem["inspect"].endswith(f"/events/{problem['event_id']}")
    event = only_logged()
    assert event.public_id == problem["event_id"]
    assert (event.state, event.code, event.body) == ("rejected", "invalid_json", b"{nope")
    assert event.workspace_id == team.workspace_id


class Case:
    """A request that is refused, and the code that the log must show for it."""

    def __init__(self, code: str, status: int, **request: Any) -> None:
        self.code, self.status, self.request = code, status, request


REFUSALS = [
    Case("missing_api_key", 401, headers={}),
    Case("malformed_api_key", 401, headers={"X-API-Key": "fp_123"}),
    Case("unknown_api_key", 401, headers={"X-API-Key": make_key()}),
    Case("method_not_allowed", 405, method="PUT"),
    Case("not_found", 404, path="/api/v1/ingest/run-sucess"),
    Case("body_too_large", 413, data=b" " * (1024 * 1024 + 1)),
    Case("unsupported_encoding", 415, headers={"Content-Encoding": "gzip"}, data=b"\x1f\x8b"),
    Case("invalid_json", 400, data=b"\xff\xfe{"),
    Case("validation_failed", 400, data=b"{}"),
    Case(
        "workflow_not_found",
        404,
        data=b'{"workflow_slug": "no", "ended_at": "2026-01-15T09:31:00Z"}',
    ),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.code)
def test_each_refusal_makes_a_row_in_the_log(client: FlaskClient, team: Team, case: Case) -> None:
    request = {"method": "POST", "path": SUCCESS, "data": b"{}", "headers": team.headers}
    request |= case.request
    if "Content-Encoding" in request["headers"]:
        request["headers"] = {**request["headers"], **team.headers}
    answer = client.open(**request)
    assert answer.status_code == case.status
    event = only_logged()
    assert (event.code, event.status, event.state) == (case.code, case.status, "rejected")
    assert event.public_id == answer.json["event_id"]
    kept = b"" if case.code == "unsupported_encoding" else request["data"][: 64 * 1024]
    assert event.body == kept and event.body_size == len(request["data"])


def test_a_revoked_key_is_refused_on_the_next_request_and_traced(
    client: FlaskClient, team: Team
) -> None:
    assert report(client, team).status_code == 202
    api_key = db.session.get(ApiKey, team.api_key_id)
    assert api_key is not None
    revoke_api_key(api_key)
    answer = report(client, team)
    assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    event = logged()[-1]
    assert (event.code, event.api_key_id) == ("revoked_api_key", team.api_key_id)
    assert event.workspace_id == team.workspace_id


def test_an_expired_key_is_refused_and_says_no_more_than_a_revoked_one(
    client: FlaskClient, team: Team
) -> None:
    soon = now() + timedelta(hours=1)
    api_key, key = create_api_key(team.workspace_id, "short", expires_at=soon)
    with writing() as session:
        session.execute(update(ApiKey).where(ApiKey.id == api_key.id).values(expires_at=now()))
    refused = client.post(SUCCESS, json=success(team), headers={"X-API-Key": key})
    unknown = client.post(SUCCESS, json=success(team), headers={"X-API-Key": make_key()})
    shown = ("type", "title", "status", "detail", "code")
    assert [refused.json[name] for name in shown] == [unknown.json[name] for name in shown]
    assert [event.code for event in logged()] == ["expired_api_key", "unknown_api_key"]


def test_a_key_without_the_scope_is_403(client: FlaskClient, team: Team) -> None:
    _, reader = create_api_key(team.workspace_id, "reader", ["read"])
    answer = client.post(SUCCESS, json=success(team), headers={"X-API-Key": reader})
    assert (answer.status_code, answer.json["code"]) == (403, "insufficient_scope")
    _, sender = create_api_key(team.workspace_id, "sender", ["ingest"])
    answer = client.get("/api/v1/runs", headers={"X-API-Key": sender})
    assert (answer.status_code, answer.json["code"]) == (403, "insufficient_scope")


def test_no_key_and_no_secret_header_is_stored_anywhere(client: FlaskClient, team: Team) -> None:
    client.post(
        f"{SUCCESS}?key={team.key}",
        json={"api_key": team.key},
        headers={**team.headers, "Cookie": "session=private", "User-Agent": f"x {team.key}"},
    )
    bad = {"Authorization": "Bearer private-token", "X-Other": team.key}
    client.post(SUCCESS, json=success(team, metadata={"key": team.key}), headers=bad)
    for event in logged():
        row = repr([event.path, event.headers, event.body, event.user_agent, event.errors])
        assert team.key[11:] not in row and "private" not in row


def test_a_body_that_is_no_utf8_is_kept_byte_by_byte_up_to_64_kb(
    client: FlaskClient, team: Team
) -> None:
    body = bytes(range(256)) * 400
    client.post(SUCCESS, data=body, headers=team.headers)
    event = only_logged()
    assert (event.body, event.body_size) == (body[: 64 * 1024], len(body))


def test_the_order_of_checks(client: FlaskClient, team: Team) -> None:
    """Method, key, scope, encoding, size, JSON, fields, workflow: the first that fails answers."""
    big = b"x" * (1024 * 1024 + 1)
    gzip = {"Content-Encoding": "gzip"}
    _, reader = create_api_key(team.workspace_id, "reader", ["read"])
    post, good = client.post, team.headers
    assert client.put(SUCCESS, data=big, headers=gzip).status_code == 405
    assert post(SUCCESS, data=big, headers=gzip).status_code == 401
    assert post(SUCCESS, data=big, headers={**gzip, "X-API-Key": reader}).status_code == 403
    assert post(SUCCESS, data=big, headers={**gzip, **good}).status_code == 415
    assert post(SUCCESS, data=big, headers=good).status_code == 413
    assert post(SUCCESS, data=b"{nope", headers=good).json["code"] == "invalid_json"
    assert post(SUCCESS, json={"workflow_slug": "no"}, headers=good).status_code == 400
    body = success(team, workflow_slug="no")
    assert post(SUCCESS, json=body, headers=good).status_code == 404


def test_both_headers_the_first_counts_and_there_is_no_falling_back(
    client: FlaskClient, team: Team
) -> None:
    bearer = {"Authorization": f"bEaReR  {team.key} "}
    assert client.post(SUCCESS, json=success(team), headers=bearer).status_code == 202
    both = {**bearer, "X-API-Key": "bad"}
    assert client.post(SUCCESS, json=success(team), headers=both).status_code == 401
    blank = {**bearer, "X-API-Key": " "}
    assert client.post(SUCCESS, json=success(team), headers=blank).status_code == 401


def test_a_workflow_that_is_not_there_brings_the_closest_slug(
    client: FlaskClient, team: Team
) -> None:
    answer = report(client, team, workflow_slug="lead-enrichmnt")
    assert (answer.status_code, answer.json["code"]) == (404, "workflow_not_found")
    assert "'lead-enrichment'" in answer.json["detail"]
    assert "lead-enrichment" not in report(client, team, workflow_slug="zzz").json["detail"]


def test_references_are_compared_and_letter_case_counts(client: FlaskClient, team: Team) -> None:
    by_id = {"workflow_slug": None, "workflow_id": team.workflow_public_id}
    assert report(client, team, **by_id).status_code == 202
    assert report(client, team, workflow_slug=team.slug.upper()).status_code == 404
    stale = report(client, team, **by_id, workflow_name="Old name")
    assert stale.json["warnings"][0]["code"] == "stale_workflow_reference"
    other = make_other_workflow(team)
    answer = report(client, team, workflow_id=team.workflow_public_id, workflow_slug=other)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["code"] == "workflow_mismatch"


def make_other_workflow(team: Team) -> str:
    with writing() as session:
        session.add(Workflow(workspace_id=team.workspace_id, name="Other", slug="other"))
    return "other"


def test_another_workspaces_workflow_is_not_found(client: FlaskClient, team: Team) -> None:
    stranger = make_team("Secret project", first=False)
    answer = report(client, team, workflow_slug=None, workflow_id=stranger.workflow_public_id)
    assert answer.status_code == 404
    assert "secret" not in answer.text.lower()


def test_an_archived_workflow_takes_no_events_and_says_so(client: FlaskClient, team: Team) -> None:
    workflow = db.session.get(Workflow, team.workflow_id)
    assert workflow is not None
    archive_workflow(workflow)
    answer = report(client, team)
    assert (answer.status_code, answer.json["code"]) == (404, "workflow_archived")


def test_a_former_slug_works_on_for_thirty_days_with_a_warning(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = db.session.get(Workflow, team.workflow_id)
    assert workflow is not None
    rename_workflow(workflow, team.name, "leads")
    answer = report(client, team)
    assert answer.status_code == 202
    (warning,) = answer.json["warnings"]
    assert (warning["field"], warning["code"]) == ("workflow_slug", "former_slug")
    assert only_logged().workflow_id == team.workflow_id
    in_time, late = now() + timedelta(days=29), now() + timedelta(days=31)
    monkeypatch.setattr("app.ingest.references.now", lambda: in_time)
    assert report(client, team).status_code == 202
    monkeypatch.setattr("app.ingest.references.now", lambda: late)
    assert report(client, team).status_code == 404


def test_a_former_slug_goes_to_no_other_workflow_while_it_works(
    client: FlaskClient, team: Team
) -> None:
    workflow = db.session.get(Workflow, team.workflow_id)
    assert workflow is not None
    rename_workflow(workflow, "Leads", "leads")
    assert create_workflow(team.workspace_id, team.name).slug == f"{team.slug}-2"
    with pytest.raises(RefusedError, match="still works for Leads"):
        create_workflow(team.workspace_id, "Other", team.slug)
    assert report(client, team).json["warnings"][0]["code"] == "former_slug"
    assert only_logged().workflow_id == team.workflow_id


def test_a_key_for_some_workflows_is_refused_for_others(client: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Invoice sync")
    other_id, other_public_id = other.id, other.public_id
    with writing() as session:
        values = {"workflow_ids": [other_id]}
        session.execute(update(ApiKey).where(ApiKey.id == team.api_key_id).values(values))
    answer = report(client, team)
    assert (answer.status_code, answer.json["code"]) == (403, "workflow_not_allowed")
    assert answer.json["errors"][0]["field"] == "workflow_slug"
    fields = success(team, workflow_slug=None, workflow_id=other_public_id)
    assert client.post(SUCCESS, json=fields, headers=team.headers).status_code == 202
    listed = client.get("/api/v1/workflows", headers=team.headers).json["data"]
    assert [workflow["id"] for workflow in listed] == [other_public_id]
    events = client.get("/api/v1/events", headers=team.headers).json["data"]
    assert [event["workflow_id"] for event in events] == [other_public_id]
    reading = client.get(f"/api/v1/workflows/{team.slug}", headers=team.headers)
    assert reading.status_code == 404


def test_what_is_alike_in_refused_requests_has_one_fingerprint(
    client: FlaskClient, team: Team
) -> None:
    for fields in ({"ended_at": None}, {"ended_at": None, "error_message": "x"}):
        report(client, team, **fields)
    report(client, team, ended_at="2026-01-15")
    report(client, team, workflow_slug="nope", source_platform="N8N", external_execution_id=7)
    report(client, team, workflow_slug="other")
    client.post(SUCCESS, json=success(team), headers={"User-Agent": "n8n"})
    events = logged()
    prints = [event.fingerprint for event in events]
    assert prints[0] == prints[1] and len(set(prints)) == 5
    assert (events[3].reference, events[3].platform, events[3].execution_id) == ("nope", "N8N", "7")
    assert (events[5].reference, events[5].platform) == (None, "n8n")


def test_reading_what_is_not_there_is_one_cause_whatever_it_is(
    client: FlaskClient, team: Team
) -> None:
    for path in ("events/a", "events/b", "runs/a", "runs/b", "workflows/nope", "nothing", "other"):
        assert client.get(f"/api/v1/{path}", headers=team.headers).status_code == 404
    prints = [event.fingerprint for event in logged()]
    assert len(prints) == 7
    assert prints[0] == prints[1] and prints[2] == prints[3] and len(set(prints)) == 5


def test_a_refused_request_belongs_to_the_workflow_that_it_names(
    client: FlaskClient, team: Team
) -> None:
    report(client, team, ended_at=None)
    report(client, team, workflow_slug="nope")
    client.post(SUCCESS, data="{", headers=team.headers)
    assert [event.workflow_id for event in logged()] == [team.workflow_id, None, None]


def test_a_retry_with_the_same_idempotency_key_gets_the_first_answer(
    client: FlaskClient, team: Team
) -> None:
    headers = {**team.headers, "Idempotency-Key": "run-1"}
    body = success(team, ended_at="2026-01-15T09:31:00")
    first = client.post(SUCCESS, json=body, headers=headers)
    again = client.post(SUCCESS, json=body, headers=headers)
    assert again.status_code == 202 and again.json == first.json and first.json["warnings"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Location"] == first.headers["Location"]
    assert len(logged()) == 1


def test_a_retry_gets_the_first_answer_whatever_became_of_its_workflow(
    client: FlaskClient, team: Team
) -> None:
    headers = {**team.headers, "Idempotency-Key": "run-1"}
    first = client.post(SUCCESS, json=success(team), headers=headers)
    archive_workflow(db.session.get_one(Workflow, team.workflow_id))
    again = client.post(SUCCESS, json=success(team), headers=headers)
    assert (again.status_code, again.json) == (202, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("body", ["{", "{}", "[]"])
def test_a_used_idempotency_key_with_a_bad_body_is_422(
    client: FlaskClient, team: Team, body: str
) -> None:
    headers = {**team.headers, "Idempotency-Key": "run-1"}
    assert client.post(SUCCESS, json=success(team), headers=headers).status_code == 202
    answer = client.post(SUCCESS, data=body, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")


def test_the_same_idempotency_key_with_another_body_or_endpoint_is_422(
    client: FlaskClient, team: Team
) -> None:
    headers = {**team.headers, "Idempotency-Key": "run-1"}
    body = failure(team)
    assert client.post(FAILURE, json=body, headers=headers).status_code == 202
    for path, other in ((FAILURE, failure(team, error_message="b")), (SUCCESS, body)):
        answer = client.post(path, json=other, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert [event.state for event in logged()] == ["accepted", "rejected", "rejected"]


def test_after_a_400_the_same_idempotency_key_takes_the_corrected_body(
    client: FlaskClient, team: Team
) -> None:
    headers = {**team.headers, "Idempotency-Key": "run-1"}
    assert client.post(SUCCESS, json={}, headers=headers).status_code == 400
    assert client.post(SUCCESS, json=success(team), headers=headers).status_code == 202


def test_two_workspaces_may_use_the_same_idempotency_key(client: FlaskClient, team: Team) -> None:
    stranger = make_team("Other", first=False)
    for one in (team, stranger):
        headers = {**one.headers, "Idempotency-Key": "run-1"}
        answer = client.post(SUCCESS, json=success(one), headers=headers)
        assert "Idempotent-Replayed" not in answer.headers


def test_an_idempotency_key_over_255_characters_is_named(client: FlaskClient, team: Team) -> None:
    headers = {**team.headers, "Idempotency-Key": "k" * 256}
    answer = client.post(SUCCESS, json=success(team), headers=headers)
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == "Idempotency-Key"


def test_a_crash_is_problem_json_without_a_trace(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*arguments: Any) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr("app.ingest.acceptance.find_workflow", crash)
    answer = report(client, team)
    assert (answer.status_code, answer.json["code"]) == (500, "server_error")
    assert answer.headers["Retry-After"]
    assert "secret" not in answer.text and "Traceback" not in answer.text
    assert only_logged().code == "server_error"


def test_without_a_database_the_answer_is_503_and_says_when_to_come_back(
    client: FlaskClient, team: Team, databases: Databases, database_url: str
) -> None:
    if db.engine.dialect.name == "sqlite":
        with writing() as session:
            session.execute(text("ALTER TABLE api_keys RENAME TO gone"))
    else:
        databases.drop(database_url)
    for answer in (report(client, team), client.get("/api/v1/runs", headers=team.headers)):
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nope", "/api/v2/ingest"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_every_answer_under_api_is_problem_json(
    client: FlaskClient, path: str, method: str
) -> None:
    answer = client.open(path, method=method)
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "not_found"


def test_refused_requests_beyond_the_limit_are_counted_and_not_stored(
    client: FlaskClient, team: Team
) -> None:
    limits = ingest_service().limits
    limits._stored, moment = 5, time.time()
    limits._clock = lambda: moment
    answers = [client.post(SUCCESS, data=b"{", headers=team.headers) for _ in range(20)]
    limits.sync()
    stored = logged()
    (count,) = db.session.scalars(select(UnstoredCount.count)).all()
    assert len(stored) + count == 20 and len(stored) == 5
    named = [answer.json["event_id"] for answer in answers if "event_id" in answer.json]
    assert named == [event.public_id for event in stored]


def test_a_key_that_sends_too_fast_gets_429_with_the_time_to_wait(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(FLOWPULSE_RATE_LIMIT=1)
    with app.app_context():
        team = make_team()
        answers = [report(app.test_client(), team) for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert 1 <= len(refused) <= 2
        assert refused[0].json["code"] == "rate_limited"
        assert int(refused[0].headers["Retry-After"]) >= 1
        codes = [event.code for event in logged()]
        assert codes.count("rate_limited") == len(refused)
        assert logged()[-1].api_key_id == team.api_key_id
        db.session.remove()


@pytest.mark.parametrize("path", ["/api/v1//ingest/run-success", "/API/v1/x", "/api", "//api/v1"])
def test_a_mistyped_address_is_a_404_that_says_so(
    client: FlaskClient, team: Team, path: str
) -> None:
    answer = client.post(path, json=success(team), headers=team.headers)
    assert answer.status_code == 404


def test_headers_that_look_secret_are_not_stored(client: FlaskClient, team: Team) -> None:
    names = ["X-Auth-Token", "X-Secret", "Apikey", "X-Hub-Signature", "Proxy-Authorization"]
    secrets = dict.fromkeys(names, "hunter2")
    client.post(SUCCESS, json=success(team), headers={**team.headers, **secrets, "X-Plain": "y"})
    headers = dict(map(tuple, only_logged().headers))
    assert "hunter2" not in headers.values() and headers["X-Plain"] == "y"


def test_executions_whose_ids_look_like_keys_stay_apart(client: FlaskClient, team: Team) -> None:
    for end in "12":
        report(client, team, external_execution_id=f"fp_AbCdEfGhIjKlMnOpQrStUv{end}")
    ids = [(event.payload or {})["external_execution_id"][-1] for event in logged()]
    assert ids == ["1", "2"]


def test_a_key_in_an_error_message_is_masked_in_all_that_is_kept(
    client: FlaskClient, team: Team
) -> None:
    report(client, team, "failure", error_message=f"401 with {team.key}")
    event = only_logged()
    assert event.payload is not None
    assert team.key[11:] not in event.payload["error_message"]
    assert event.payload["error_message"].startswith(f"401 with {team.key[:11]}*")


@pytest.mark.parametrize("error", [*OUTAGES, sqlite3.DatabaseError, RuntimeError])
def test_a_refused_request_whose_workflow_can_not_be_looked_up_is_kept_or_counted(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    service = ingest_service()

    def fail(*arguments: Any) -> None:
        raise error("away")

    monkeypatch.setattr(service.store, "find_workflow", fail)
    answer = report(client, team, ended_at="x")
    assert (answer.status_code, answer.json["code"]) == (400, "validation_failed")
    service.recorder.flush()
    service.limits.sync()
    db.session.rollback()
    kept = db.session.scalars(select(Event.code)).all()
    counted = db.session.execute(select(UnstoredCount.code, UnstoredCount.count)).all()
    assert kept == ["validation_failed"] or counted == [("validation_failed", 1)]
    assert bool(kept) == issubclass(error, OUTAGES)
