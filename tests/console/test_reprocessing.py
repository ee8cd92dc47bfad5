"""A stored request runs again under today's rules: once, in a person's name, and linked."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import undefer

from app.console.reprocessing import find_open, reprocess, reprocess_group
from app.console.reproduction import KEY, reproduce
from app.console.resending import draft_message, resend
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import ApiKey, Event, Run, User, Workflow
from app.processing.batch import process_batch
from app.workspaces.api_keys import revoke_api_key
from app.workspaces.people import RefusedError, find_by_password
from app.workspaces.workflows import create_workflow
from tests.console.pages import sign_in
from tests.factories import PASSWORD, Team, report
from tests.server import wait_for


@pytest.fixture
def user(app: Flask, team: Team) -> User:
    found = find_by_password(team.email, PASSWORD)
    assert found is not None
    return found


def refuse(client: FlaskClient, team: Team, count: int = 1, **fields: Any) -> Sequence[Event]:
    """The recorder writes refused requests later: waits until they are there."""
    wanted = len(stored()) + count
    for _ in range(count):
        assert report(client, team, **{"workflow_slug": "nope", **fields}).status_code == 404
    wait_for(lambda: len(stored()) == wanted)
    return stored()


def stored() -> Sequence[Event]:
    ingest_service().recorder.flush()
    db.session.rollback()
    query = select(Event).options(undefer(Event.headers), undefer(Event.body))
    return db.session.scalars(query.order_by(Event.id)).all()


def test_once_the_workflow_is_there_the_request_becomes_a_run(
    client: FlaskClient, team: Team, user: User
) -> None:
    (first,) = refuse(client, team)
    create_workflow(team.workspace_id, "Nope", "nope")
    outcome = reprocess(stored()[0], user)
    assert outcome.problem is None
    first, second = stored()
    assert (second.public_id, second.state) == (outcome.event_id, "accepted")
    assert (second.origin, second.sent_by) == ("reprocess", user.email)
    assert (second.attempt_of_id, second.api_key_id) == (first.id, team.api_key_id)
    assert first.resolved_at is not None and second.resolved_at is None
    assert second.body == first.body
    process_batch(10)
    assert len(db.session.scalars(select(Run)).all()) == 1


def test_twice_is_once(client: FlaskClient, team: Team, user: User) -> None:
    refuse(client, team)
    create_workflow(team.workspace_id, "Nope", "nope")
    first = reprocess(stored()[0], user)
    again = reprocess(stored()[0], user)
    assert (again.event_id, again.is_repeat) == (first.event_id, True)
    assert len(stored()) == 2


def test_what_is_refused_again_says_why_and_stays_open(
    client: FlaskClient, team: Team, user: User
) -> None:
    refuse(client, team)
    outcome = reprocess(stored()[0], user)
    assert outcome.problem is not None and outcome.problem.code == "workflow_not_found"
    first, second = stored()
    assert (second.state, second.attempt_of_id) == ("rejected", first.id)
    assert first.resolved_at is None


def test_all_attempts_of_a_request_are_one_request(
    client: FlaskClient, team: Team, user: User
) -> None:
    refuse(client, team)
    assert reprocess(stored()[0], user).problem is not None
    create_workflow(team.workspace_id, "Nope", "nope")
    accepted = reprocess(stored()[0], user)
    again = reprocess(stored()[1], user)
    assert (again.event_id, again.is_repeat) == (accepted.event_id, True)
    assert [event.resolved_at is None for event in stored()] == [False, False, True]
    process_batch(10)
    assert len(db.session.scalars(select(Run)).all()) == 1


def test_another_workflow_takes_the_place_of_the_named_one(
    client: FlaskClient, team: Team, user: User
) -> None:
    refuse(client, team, workflow_name="Nope", metadata={"n": 1})
    workflow = db.session.get(Workflow, team.workflow_id)
    outcome = reprocess(stored()[0], user, workflow)
    assert outcome.problem is None
    body = json.loads(stored()[1].body)
    assert body.pop("workflow_id") == team.workflow_public_id
    assert set(body) == {"ended_at", "metadata"}


def test_a_request_with_a_key_that_was_revoked_since_runs_again(
    client: FlaskClient, team: Team, user: User
) -> None:
    key = db.session.get(ApiKey, team.api_key_id)
    assert key is not None
    revoke_api_key(key)
    assert report(client, team).status_code == 401
    wait_for(stored)
    assert reprocess(stored()[0], user).problem is None


def test_the_limits_of_the_key_hold(client: FlaskClient, team: Team, user: User) -> None:
    with writing() as session:
        session.execute(update(ApiKey).values(workflow_ids=[]))
    assert report(client, team).status_code == 403
    wait_for(stored)
    problem = reprocess(stored()[0], user).problem
    assert problem is not None and problem.code == "workflow_not_allowed"


@pytest.mark.parametrize("body", [b"", b'{"workflow_slug": "' + b"x" * 70_000])
def test_only_a_whole_body_runs_again(
    client: FlaskClient, team: Team, user: User, body: bytes
) -> None:
    client.post("/api/v1/ingest/run-success", data=body, headers=team.headers)
    wait_for(stored)
    with pytest.raises(RefusedError):
        reprocess(stored()[0], user)
    assert len(stored()) == 1


def test_what_was_accepted_does_not_run_again(client: FlaskClient, team: Team, user: User) -> None:
    report(client, team)
    with pytest.raises(RefusedError):
        reprocess(stored()[0], user)


def test_a_group_runs_again_so_many_at_a_time(client: FlaskClient, team: Team, user: User) -> None:
    group = refuse(client, team, 5)
    other = refuse(client, team, workflow_slug="other")[-1]
    fingerprint = group[0].fingerprint or ""
    create_workflow(team.workspace_id, "Nope", "nope")
    result = reprocess_group([team.workspace_id], fingerprint, user, limit=3)
    assert result[:4] == (3, 0, 2, None)
    assert [event.resolved_at is None for event in stored()[:5]] == [
        True,
        True,
        False,
        False,
        False,
    ]
    scope = [team.workspace_id, None]
    result = reprocess_group(scope, fingerprint, user, before=result.before, limit=3)
    assert result[:4] == (2, 0, 0, None)
    assert find_open([team.workspace_id], fingerprint).total == 0
    assert find_open([team.workspace_id], other.fingerprint).total == 1
    events = stored()
    assert {event.attempt_of_id for event in events[6:]} == {event.id for event in events[:5]}


def test_a_group_that_would_be_refused_again_leaves_no_further_events(
    client: FlaskClient, team: Team, user: User
) -> None:
    fingerprint = refuse(client, team, 3)[0].fingerprint or ""
    result = reprocess_group([team.workspace_id], fingerprint, user)
    assert (result.done, result.refused, result.left) == (0, 3, 0)
    assert result.last_problem is not None
    assert result.last_problem.code == "workflow_not_found"
    assert len(stored()) == 3


def test_a_group_of_another_workspace_is_left_alone(
    client: FlaskClient, team: Team, user: User
) -> None:
    fingerprint = refuse(client, team)[0].fingerprint or ""
    create_workflow(team.workspace_id, "Nope", "nope")
    assert reprocess_group([team.workspace_id + 1], fingerprint, user)[:4] == (0, 0, 0, None)


def test_a_whole_group_may_get_another_workflow(
    client: FlaskClient, team: Team, user: User
) -> None:
    fingerprint = refuse(client, team, 2)[0].fingerprint or ""
    workflow = db.session.get(Workflow, team.workflow_id)
    result = reprocess_group([team.workspace_id], fingerprint, user, instead=workflow)
    assert (result.done, result.left) == (2, 0)
    assert {event.workflow_id for event in stored()[2:]} == {team.workflow_id}


def refuse_ping(client: FlaskClient, team: Team, rest: str, method: str, body: bytes) -> Event:
    answer = client.open(
        f"/api/v1/ping/nope{rest}", method=method, headers=team.headers, data=body or None
    )
    assert answer.status_code == 404
    wait_for(lambda: len(stored()) == 1)
    return stored()[0]


PINGS: list[tuple[str, str, bytes, dict[str, Any]]] = [
    ("", "GET", b"", {"outcome": "success", "details": None}),
    ("?rid=r-1", "HEAD", b"", {"outcome": "success", "external_execution_id": "r-1"}),
    ("/0", "POST", b"42 rows", {"details": {"exit_status": 0, "message": "42 rows"}}),
    ("/fail", "POST", b"no space left", {"error_message": "no space left"}),
    ("/3", "POST", b"", {"outcome": "failure", "error_type": "exit status 3"}),
    ("/start", "GET", b"", {"outcome": "running"}),
]


@pytest.mark.parametrize(("rest", "method", "body", "told"), PINGS)
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_ping_runs_again_as_the_report_that_it_stood_for(
    client: FlaskClient,
    team: Team,
    user: User,
    rest: str,
    method: str,
    body: bytes,
    told: dict[str, Any],
    by_hand: bool,
) -> None:
    """By itself or sent by hand from the form; its time is when the ping came."""
    event = refuse_ping(client, team, rest, method, body)
    create_workflow(team.workspace_id, "Nope", "nope")
    again = stored()[0]
    if by_hand:
        outcome = resend(again, team.workspace_id, draft_message(again)[0], user)
    else:
        outcome = reprocess(again, user)
    assert outcome.problem is None
    assert stored()[0].resolved_at is not None
    process_batch(10)
    (run,) = db.session.scalars(select(Run)).all()
    assert (run.ended_at or run.started_at) == event.received_at
    assert {name: getattr(run, name) for name in told} == told


def test_a_ping_of_which_the_body_was_not_kept_does_not_run_again(
    client: FlaskClient, team: Team, user: User
) -> None:
    refuse_ping(client, team, "/fail", "POST", b"no space left")
    with writing() as session:
        session.execute(update(Event).values(code="revoked_api_key", body=b"", body_size=None))
    with pytest.raises(RefusedError, match="Only a part"):
        reprocess(stored()[0], user)


def test_a_ping_is_copied_as_it_came(app: Flask, client: FlaskClient, team: Team) -> None:
    app.config["FLOWPULSE_PUBLIC_URL"] = "https://flow.example.org"
    event = refuse_ping(client, team, "/3?rid=a", "HEAD", b"")
    code = next(each.code for each in reproduce(event) if each.name == "curl")
    assert code.startswith("curl --head 'https://flow.example.org/api/v1/ping/nope/3?rid=a'")
    assert f"{KEY}'" in code


def test_the_page_of_a_ping_offers_to_mend_it(client: FlaskClient, team: Team) -> None:
    event = refuse_ping(client, team, "/3", "POST", b"no space left")
    create_workflow(team.workspace_id, "Nope", "nope")
    sign_in(client, team.email)
    page = client.get(f"/events/{event.public_id}").text
    assert f"/events/{event.public_id}/reprocess" in page
    form = client.get(f"/events/{event.public_id}/resend").text
    assert '"workflow_slug": "nope"' in form and "no space left" in form
