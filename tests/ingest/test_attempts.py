"""What a person sends in the console takes the senders' road, and is marked as a person's."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import undefer

from app.extensions import db
from app.ingest.attempts import Attempt, send
from app.ingest.schemas import EVENT_KINDS
from app.models import Event, Rollup, Run
from app.processing.batch import process_batch
from tests.factories import Team, make_team, report, success


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def attempt(team: Team, body: dict[str, Any], **changes: Any) -> Attempt:
    values: dict[str, Any] = {
        "origin": "resend",
        "sent_by": "ana@example.org",
        "workspace_id": team.workspace_id,
        "kind": EVENT_KINDS["run-success"],
        "body": json.dumps(body).encode(),
        "headers": [("Content-Type", "application/json"), ("User-Agent", "n8n")],
    }
    return Attempt(**{**values, **changes})


def events() -> list[Event]:
    db.session.rollback()
    return list(db.session.scalars(select(Event).options(undefer("*")).order_by(Event.id)))


def drain() -> None:
    while process_batch(100):
        pass


def test_an_attempt_becomes_an_event_and_a_run_and_says_who_sent_it(team: Team) -> None:
    outcome = send(attempt(team, success(team), attempt_of_id=7))
    drain()
    (event,) = events()
    assert (outcome.event_id, outcome.problem) == (event.public_id, None)
    assert (event.state, event.origin, event.sent_by) == ("processed", "resend", "ana@example.org")
    assert (event.attempt_of_id, event.platform, event.api_key_id) == (7, "n8n", None)
    assert event.method == "POST" and event.path == "/api/v1/ingest/run-success"
    assert ["Content-Type", "application/json"] in event.headers


def test_a_refused_attempt_is_explained_and_opens_no_problem(team: Team) -> None:
    outcome = send(attempt(team, {"workflow_slug": "nope", "ended_at": "2026-01-15T09:31:00Z"}))
    assert outcome.problem is not None and outcome.problem.code == "workflow_not_found"
    (event,) = events()
    assert (event.state, event.code, event.fingerprint) == ("rejected", "workflow_not_found", None)
    assert (event.public_id, event.reference) == (outcome.event_id, "nope")


def test_a_test_makes_a_run_that_no_statistics_know(client: FlaskClient, team: Team) -> None:
    send(attempt(team, success(team), origin="test"))
    drain()
    (run,) = db.session.scalars(select(Run))
    assert run.is_test
    assert list(db.session.scalars(select(Rollup))) == []
    report(client, team)
    drain()
    assert {row.success_count for row in db.session.scalars(select(Rollup))} == {1}


def test_a_test_never_changes_a_senders_run(client: FlaskClient, team: Team) -> None:
    report(client, team, "failure", external_execution_id="e-1", ended_at="2026-01-15T09:30:00Z")
    send(attempt(team, success(team, external_execution_id="e-1"), origin="test"))
    drain()
    report(client, team, external_execution_id="e-1", ended_at="2026-01-15T09:29:00Z")
    drain()
    runs = db.session.scalars(select(Run).order_by(Run.id)).all()
    assert [(run.outcome, run.is_test) for run in runs] == [("failure", False), ("success", True)]
    assert {row.failure_count for row in db.session.scalars(select(Rollup))} == {1}


def test_the_same_attempt_twice_is_one_event(team: Team) -> None:
    first = send(attempt(team, success(team), idempotency_key="reprocess:1"))
    second = send(attempt(team, success(team), idempotency_key="reprocess:1"))
    assert second.event_id == first.event_id and second.is_repeat
    assert len(events()) == 1


def test_a_senders_own_idempotency_key_counts_before_ours(client: FlaskClient, team: Team) -> None:
    header = {"Idempotency-Key": "once"}
    body = json.dumps(success(team)).encode()
    told = client.post(
        "/api/v1/ingest/run-success", data=body, headers={**team.headers, **header}
    ).json
    again = send(
        attempt(team, success(team), headers=[*header.items()], idempotency_key="reprocess:1")
    )
    assert (again.event_id, again.is_repeat) == (told["event_id"], True)


def test_with_a_key_to_check_a_bad_one_is_refused_as_a_senders_is(team: Team) -> None:
    headers = [("X-API-Key", "fp_" + "x" * 36)]
    outcome = send(attempt(team, success(team), headers=headers, origin="test", checks_key=True))
    assert outcome.problem is not None and outcome.problem.code == "malformed_api_key"
    (event,) = events()
    assert event.workspace_id == team.workspace_id
    assert ["X-Api-Key", "••••••"] in event.headers
