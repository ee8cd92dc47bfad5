"""Pings: the same road as events, for what can only call an address."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.clock import now
from app.extensions import db
from app.ingest.pings import MESSAGE_BYTES, read_message
from app.models import Event, Workflow
from app.workspaces.workflows import rename_workflow
from tests.factories import Team, make_team
from tests.ingest.made import events, runs


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def ping(client: FlaskClient, team: Team, rest: str = "", method: str = "POST", **more: Any) -> Any:
    headers = {**team.headers, **more.pop("headers", {})}
    return client.open(f"/api/v1/ping/{team.slug}{rest}", method=method, headers=headers, **more)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_ping_is_a_run_that_succeeded_now(client: FlaskClient, team: Team, method: str) -> None:
    answer = ping(client, team, method=method)
    assert answer.status_code == 202
    assert answer.headers["Location"].startswith("/api/v1/events/")
    assert (answer.data == b"") == (method == "HEAD")
    (run,) = runs()
    assert run.outcome == "success" and run.ended_at is not None
    assert abs(now() - run.ended_at) < timedelta(minutes=1)
    (event,) = events()
    assert (event.kind, event.state, event.warnings) == ("ping", "processed", None)


@pytest.mark.parametrize(
    ("rest", "outcome", "error_type"),
    [
        ("/0", "success", None),
        ("/000", "success", None),
        ("/1", "failure", "exit status 1"),
        ("/255", "failure", "exit status 255"),
        ("/fail", "failure", None),
    ],
)
def test_the_last_part_of_the_address_says_how_it_ended(
    client: FlaskClient, team: Team, rest: str, outcome: str, error_type: str | None
) -> None:
    assert ping(client, team, rest, "GET").status_code == 202
    (run,) = runs()
    assert (run.outcome, run.error_type) == (outcome, error_type)
    assert bool(run.error_message) == (outcome == "failure")
    status = (run.details or {}).get("exit_status")
    assert status == (int(rest[1:]) if rest[1:].isdigit() else None)


@pytest.mark.parametrize("rest", ["/256", "/-1", "/1.0", "/ok", "/%C2%B2", "/1/2", "/9999999999"])
def test_any_other_last_part_is_refused_and_explained(
    client: FlaskClient, team: Team, rest: str
) -> None:
    answer = ping(client, team, rest)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert [event.state for event in events()] == ["rejected"]


def test_the_body_becomes_the_message(client: FlaskClient, team: Team) -> None:
    output = b"\x1b[31mrsync:\x1b[0m disk full\r\nat\x00 \x07/srv \xff\n"
    ping(client, team, "/23", data=output)
    ping(client, team, data="copied 12 files", content_type="application/x-www-form-urlencoded")
    failed, good = runs()
    assert failed.error_message == "rsync: disk full\nat /srv \ufffd"
    assert good.details == {"message": "copied 12 files"}
    stored = db.session.scalars(select(Event.body).order_by(Event.id)).first()
    assert stored == output


def test_a_message_is_cut_at_ten_kilobytes_between_two_characters() -> None:
    assert len(read_message(b"x" * 50_000)) == MESSAGE_BYTES
    assert read_message("é".encode() * MESSAGE_BYTES) == "é" * (MESSAGE_BYTES // 2)
    assert read_message("é".encode()[1:] + b"end") == "end"
    assert read_message(b"x" + "é".encode() * MESSAGE_BYTES)[-1] == "é"
    assert read_message(b"\x1b]0;title\x07 \x1b(B\xc2\x9b31m done \x1b[") == "(B31m done ["


def test_a_start_and_the_end_that_follows_are_one_run(client: FlaskClient, team: Team) -> None:
    ping(client, team, "/start")
    ping(client, team, "/3")
    ping(client, team, "/start")
    assert [run.outcome for run in runs()] == ["failure", "running"]
    ping(client, team)
    first, second = runs()
    assert (first.event_count, second.outcome, second.event_count) == (2, "success", 2)
    assert second.started_at is not None and second.duration_ms is not None
    ping(client, team)
    assert len(runs()) == 3


def test_a_run_id_with_a_nul_is_refused_as_in_any_report(client: FlaskClient, team: Team) -> None:
    """PostgreSQL could not store the run: an event that was accepted would never be processed."""
    answer = ping(client, team, "/start?rid=a%00b")
    assert (answer.status_code, answer.json["code"]) == (400, "validation_failed")
    assert answer.json["errors"][0]["code"] == "invalid_characters"


def test_runs_that_overlap_are_told_apart_by_their_run_id(client: FlaskClient, team: Team) -> None:
    for rest in ("/start?rid=a", "/start?rid=b", "/1?rid=a", "?rid=b"):
        assert ping(client, team, rest, "GET").status_code == 202
    assert [(run.external_execution_id, run.outcome) for run in runs()] == [
        ("a", "failure"),
        ("b", "success"),
    ]
    answer = ping(client, team, f"?rid={'x' * 256}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == "external_execution_id"


def test_the_workflow_may_be_named_by_its_id_and_an_old_slug(
    client: FlaskClient, team: Team
) -> None:
    path = f"/api/v1/ping/{team.workflow_public_id}"
    assert client.get(path, headers=team.headers).status_code == 202
    ping(client, team, "/start")
    rename_workflow(db.session.get_one(Workflow, team.workflow_id), "Other", "other")
    answer = ping(client, team)
    assert answer.json["warnings"][0]["code"] == "former_slug"
    assert [run.outcome for run in runs()] == ["success", "success"]


def test_refusals_are_those_of_every_event_and_name_the_workflow(
    client: FlaskClient, team: Team
) -> None:
    assert client.get(f"/api/v1/ping/{team.slug}").status_code == 401
    assert client.get(f"/api/v1/ping/{team.slug}?api_key={team.key}").status_code == 401
    answer = client.get("/api/v1/ping/lead-enrichmnt", headers=team.headers)
    assert (answer.status_code, answer.json["code"]) == (404, "workflow_not_found")
    assert "lead-enrichment" in answer.json["detail"]
    answer = ping(client, team, method="PUT")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    refused = [event for event in events() if event.state == "rejected"]
    assert [event.reference for event in refused[:3]] == [team.slug, team.slug, "lead-enrichmnt"]
    assert team.key not in refused[1].path


def test_a_retry_with_its_key_is_one_event(client: FlaskClient, team: Team) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = ping(client, team, "/fail", headers=headers, data=b"boom")
    again = ping(client, team, "/fail", headers=headers, data=b"boom")
    assert again.json == first.json and again.headers["Idempotent-Replayed"] == "true"
    assert ping(client, team, headers=headers, data=b"boom").status_code == 422
    assert len(runs()) == 1


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "=cmd|' /C calc'!A0"])
def test_a_hostile_slug_is_only_a_slug(client: FlaskClient, team: Team, text: str) -> None:
    answer = client.get(f"/api/v1/ping/{text.replace('/', '%2F')}", headers=team.headers)
    assert answer.status_code == 404
