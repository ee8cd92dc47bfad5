"""What is past its time goes, and nothing else."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.clock import now
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import Event, IdempotencyKey, Run, Workspace
from app.processing.batch import process_batch
from app.processing.retention import PERIODS, prune
from tests.factories import Team, make_team, report


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def count(table: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def make_older(days: float) -> None:
    """As if all that is there had come in that many days earlier."""
    before = now() - timedelta(days=days)
    with writing() as session:
        session.execute(update(Event).values(received_at=before))
        session.execute(update(Run).values(updated_at=before))
        session.execute(update(IdempotencyKey).values(created_at=before))


def test_a_back_fill_of_old_runs_stays(client: FlaskClient, team: Team) -> None:
    report(client, team, ended_at="2001-01-15T09:31:00Z")
    process_batch(10)
    assert prune() == 0
    assert (count(Event), count(Run)) == (1, 1)


@pytest.mark.parametrize(("days", "runs_left"), [(89, 2), (91, 1), (366, 0)])
def test_failed_runs_are_kept_longer_than_successful_ones(
    client: FlaskClient, team: Team, days: int, runs_left: int
) -> None:
    report(client, team)
    report(client, team, "failure")
    process_batch(10)
    make_older(days)
    prune()
    assert count(Run) == runs_left
    assert count(Event) == (2 if days < 90 else 0)


def test_what_waits_is_never_removed(client: FlaskClient, team: Team) -> None:
    report(client, team)
    make_older(1_000)
    prune()
    assert count(Event) == 1


@pytest.mark.parametrize(("days", "left"), [(6.9, 3), (7.1, 0)])
def test_refused_requests_stay_seven_days(
    client: FlaskClient, team: Team, days: float, left: int
) -> None:
    refuse(client, team, 3)
    make_older(days)
    prune()
    assert count(Event) == left


def test_of_too_many_refused_requests_the_newest_stay(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    refuse(client, team, 12)
    newest = db.session.scalar(select(func.max(Event.id)))
    app.config["FLOWPULSE_REJECTED_ROWS"] = 5
    prune()
    ids = list(db.session.scalars(select(Event.id).order_by(Event.id)))
    assert len(ids) == 5 and ids[-1] == newest


def test_an_idempotency_key_is_forgotten_after_a_day(client: FlaskClient, team: Team) -> None:
    headers = {**team.headers, "Idempotency-Key": "nightly"}
    body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    path = "/api/v1/ingest/run-success"
    assert client.post(path, json=body, headers=headers).status_code == 202
    make_older(1.01)
    again = client.post(path, json={**body, "duration_ms": 5}, headers=headers)
    assert again.status_code == 202 and "Idempotent-Replayed" not in again.headers
    assert count(Event) == 2
    make_older(1.01)
    prune()
    assert count(IdempotencyKey) == 0


def refuse(client: FlaskClient, team: Team, times: int) -> None:
    for _ in range(times):
        client.post("/api/v1/ingest/run-success", data=b"{", headers=team.headers)
    ingest_service().recorder.flush()


def set_days(team: Team, **days: int | None) -> None:
    with writing() as session:
        values = update(Workspace).where(Workspace.id == team.workspace_id).values(**days)
        session.execute(values)


@pytest.mark.parametrize(("days", "left"), [(9, 3), (11, 0)])
def test_a_workspace_keeps_refused_requests_as_long_as_it_wants(
    client: FlaskClient, team: Team, days: float, left: int
) -> None:
    set_days(team, rejected_days=10)
    refuse(client, team, 3)
    make_older(days)
    prune()
    assert count(Event) == left


@pytest.mark.parametrize(
    ("days", "events", "outcomes"),
    [(4, 2, {"success", "failure"}), (6, 0, {"failure"}), (11, 0, set())],
)
def test_a_workspace_keeps_events_and_runs_as_long_as_it_wants(
    client: FlaskClient, team: Team, days: float, events: int, outcomes: set[str]
) -> None:
    set_days(team, event_days=5, failure_days=10)
    report(client, team)
    report(client, team, "failure")
    process_batch(10)
    make_older(days)
    prune()
    assert count(Event) == events
    assert set(db.session.scalars(select(Run.outcome))) == outcomes


def test_each_workspace_keeps_its_own_and_what_is_nobodys_goes_by_the_server(
    client: FlaskClient, team: Team
) -> None:
    other = make_team("Other", first=False)
    set_days(team, rejected_days=100, event_days=300)
    for each in (team, other):
        refuse(client, each, 2)
        report(client, each)
    client.post("/api/v1/ingest/run-success", data=b"{}", headers={"X-API-Key": "fp_wrong"})
    ingest_service().recorder.flush()
    process_batch(10)
    make_older(95)
    prune()
    left = db.session.execute(
        select(Event.workspace_id, func.count()).group_by(Event.workspace_id)
    ).all()
    assert [tuple(row) for row in left] == [(team.workspace_id, 3)]
    assert list(db.session.scalars(select(Run.workspace_id))) == [team.workspace_id]


def test_looking_for_what_is_past_its_time_reads_no_whole_table(app: Flask, team: Team) -> None:
    workspace = db.session.get(Workspace, team.workspace_id)
    for period in PERIODS:
        query = select(period.key).where(period.past(workspace, now())).limit(500)
        text = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
        if db.engine.dialect.name == "sqlite":
            plan = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
            assert "USING" in plan[0][3] and "INDEX" in plan[0][3], plan
        else:
            connection = db.session.connection()
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = connection.exec_driver_sql(f"EXPLAIN {text}").all()
            assert "Seq Scan" not in str(plan), plan
