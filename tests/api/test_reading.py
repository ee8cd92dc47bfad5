"""The reading API: what a key with the `read` scope sees of its own workspace."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clock import now
from app.extensions import writing
from app.ingest.service import ingest_service
from app.models import Run
from app.processing.batch import process_batch
from app.workspaces.workflows import create_workflow
from tests.factories import Team, make_team, report


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def get(client: FlaskClient, team: Team, path: str, **query: Any) -> Any:
    return client.get(f"/api/v1/{path}", query_string=query, headers=team.headers)


def read_pages(client: FlaskClient, team: Team, path: str, **query: Any) -> list[Any]:
    rows, cursor = [], None
    while True:
        page = get(client, team, path, **query, **({"cursor": cursor} if cursor else {})).json
        rows += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


def test_workflows_have_the_ids_that_integrations_need(client: FlaskClient, team: Team) -> None:
    answer = get(client, team, "workflows").json
    (workflow,) = answer["data"]
    assert answer["next_cursor"] is None
    assert workflow["id"] == team.workflow_public_id
    assert (workflow["slug"], workflow["name"]) == (team.slug, team.name)
    for reference in (team.slug, team.workflow_public_id):
        assert get(client, team, f"workflows/{reference}").json == workflow


def test_a_slash_at_the_end_is_tolerated(client: FlaskClient, team: Team) -> None:
    run_id = get_run_id(client, team)
    for path in ("workflows", f"workflows/{team.slug}", "events", "runs", f"runs/{run_id}"):
        plain, slashed = get(client, team, path), get(client, team, f"{path}/")
        assert (slashed.status_code, slashed.json) == (200, plain.json), path


def get_run_id(client: FlaskClient, team: Team) -> str:
    report(client, team)
    process_batch(10)
    return str(get(client, team, "runs").json["data"][0]["id"])


def test_an_event_is_followed_from_accepted_to_its_run(client: FlaskClient, team: Team) -> None:
    location = report(client, team, external_execution_id="e-1").headers["Location"]
    path = location.removeprefix("/api/v1/")
    before = get(client, team, path).json
    assert (before["status"], before["run_id"], before["http_status"]) == ("accepted", None, 202)
    process_batch(10)
    after = get(client, team, path).json
    assert after["status"] == "processed"
    run = get(client, team, f"runs/{after['run_id']}").json
    assert (run["outcome"], run["external_execution_id"]) == ("success", "e-1")
    assert run["workflow_slug"] == team.slug


def test_a_rejected_request_is_in_the_list_with_its_errors(client: FlaskClient, team: Team) -> None:
    report(client, team, ended_at=None)
    ingest_service().recorder.flush()
    (event,) = get(client, team, "events", status="rejected").json["data"]
    assert (event["code"], event["http_status"]) == ("validation_failed", 400)
    assert event["errors"][0]["field"] == "ended_at"
    assert get(client, team, "events", status="processed").json["data"] == []


@pytest.mark.parametrize("limit", [1, 3, 7, 200])
def test_pages_give_every_row_once_newest_first(
    client: FlaskClient, team: Team, limit: int
) -> None:
    sent = [report(client, team).json["event_id"] for _ in range(7)]
    listed = [event["event_id"] for event in read_pages(client, team, "events", limit=limit)]
    assert listed == list(reversed(sent))


@pytest.mark.parametrize(("limit", "rows"), [("0", 1), ("-5", 1), ("100000", 3), ("", 3)])
def test_limits_clamp(client: FlaskClient, team: Team, limit: str, rows: int) -> None:
    for _ in range(3):
        report(client, team)
    assert len(get(client, team, "events", limit=limit).json["data"]) == rows


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("events", {"limit": "many"}),
        ("events", {"cursor": "x" * 50}),
        ("events", {"cursor": "9" * 19}),
        ("events", {"status": "lost"}),
        ("runs", {"outcome": "maybe"}),
        ("runs", {"since": "yesterday"}),
        ("runs", {"until": "2026-01-15"}),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(
    client: FlaskClient, team: Team, path: str, query: dict[str, str]
) -> None:
    answer = get(client, team, path, **query)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == list(query)


def test_runs_that_have_not_ended_are_found_and_those_that_are_stuck(
    client: FlaskClient, team: Team
) -> None:
    report(client, team, external_execution_id="ended")
    body = {"workflow_slug": team.slug, "started_at": "2026-01-15T10:00:00Z"}
    for name in ("open", "stuck"):
        sent = {**body, "external_execution_id": name}
        client.post("/api/v1/ingest/run-start", json=sent, headers=team.headers)
    process_batch(10)
    with writing() as session:
        stuck = update(Run).where(Run.external_execution_id == "stuck")
        session.execute(stuck.values(stuck_since=now()))

    def names(outcome: str) -> list[str]:
        runs = get(client, team, "runs", outcome=outcome).json["data"]
        return [run["external_execution_id"] for run in runs]

    assert names("running") == ["stuck", "open"]
    assert names("stuck") == ["stuck"]
    with writing() as session:
        session.execute(stuck.values(outcome="success", ended_at=now()))
    assert names("stuck") == []


def test_runs_are_filtered(client: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Other")
    slug = other.slug
    report(client, team, correlation_id="c-1", ended_at="2026-01-15T09:00:00Z")
    report(client, team, "failure", external_execution_id="e-2", ended_at="2026-01-15T10:00:00Z")
    report(client, team, workflow_slug=slug, ended_at="2026-01-15T11:00:00Z")
    process_batch(10)

    def hours(**query: str) -> list[int]:
        runs = get(client, team, "runs", **query).json["data"]
        return [datetime.fromisoformat(run["ended_at"]).astimezone(UTC).hour for run in runs]

    assert hours() == [11, 10, 9]
    assert hours(outcome="failure") == [10]
    assert hours(workflow=slug) == hours(workflow=other.public_id) == [11]
    assert hours(since="2026-01-15T10:00:00Z") == [11, 10]
    assert hours(until="2026-01-15T12:00:00+02:00") == [9]
    assert hours(since="2026-01-15T10:00:00Z", until="2026-01-15T11:00:00Z") == [10]
    assert hours(correlation_id="c-1") == [9]
    assert hours(external_execution_id="e-2") == [10]


def test_another_workspace_sees_nothing_of_it(client: FlaskClient, team: Team) -> None:
    event_id = report(client, team).json["event_id"]
    process_batch(10)
    run_id = get(client, team, f"events/{event_id}").json["run_id"]
    stranger = make_team("Stranger", first=False)
    assert get(client, stranger, "events").json["data"] == []
    assert get(client, stranger, "runs").json["data"] == []
    for path in (f"events/{event_id}", f"runs/{run_id}", f"workflows/{team.slug}"):
        answer = get(client, stranger, path)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert get(client, stranger, "runs", workflow=team.slug).status_code == 404


def test_without_a_key_nothing_is_read(client: FlaskClient, team: Team) -> None:
    for path in ("workflows", "events", "runs", "events/x", "runs/x", "workflows/x"):
        assert client.get(f"/api/v1/{path}").status_code == 401


HOSTILE = ["%00", "a%00b", "-9999999999999999999", "9" * 40, "%FF%FE", "%ED%A0%80", "'--", "%2e%2e"]
PARAMETERS = ["limit", "cursor", "workflow", "status", "outcome", "since", "until"]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_parameter_yields_a_500(client: FlaskClient, team: Team, value: str) -> None:
    paths = [f"{kind}/{value}" for kind in ("workflows", "events", "runs")]
    names = [*PARAMETERS, "correlation_id", "external_execution_id"]
    paths += [f"{kind}?{name}={value}" for kind in ("events", "runs") for name in names]
    for path in paths:
        answer = client.get(f"/api/v1/{path}", headers=team.headers)
        assert answer.status_code in (200, 400, 404), path


def test_a_refusal_says_what_to_change_in_its_own_words(client: FlaskClient, team: Team) -> None:
    assert "limit" in get(client, team, "runs", limit="x").json["detail"]
    assert (
        get(client, team, "runs/x").json["detail"]
        == "The key's workspace has no such run, or not any more."
    )
