"""What is past its time goes, and nothing else."""

import re
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.ingest.service import ingest_service
from app.models import (
    Event,
    IdempotencyKey,
    Purge,
    Rollup,
    Run,
    UnstoredCount,
    Workspace,
    WorkspaceRollup,
)
from app.processing import sweeping
from app.processing.batch import process_batch
from app.processing.inbox import retry
from app.processing.sweeping import Sweeper, prune
from tests.factories import Team, make_team, report
from tests.processing.sums import rows
from tests.simulated_time import simulated_time
from tests.statements import Statements


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def statements(app: Flask) -> Statements:
    return Statements()


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


def test_refused_requests_of_strangers_that_go_for_their_number_stay_counted(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    for _ in range(9):
        client.post("/api/v1/ingest/run-success", data=b"{")
    ingest_service().recorder.flush()
    app.config["FLOWPULSE_REJECTED_ROWS"] = 4
    prune()
    counted = select(UnstoredCount.code, func.sum(UnstoredCount.count)).group_by(UnstoredCount.code)
    assert count(Event) == 4
    assert [(code, int(of)) for code, of in db.session.execute(counted)] == [("missing_api_key", 5)]
    prune()
    assert db.session.scalar(select(func.sum(UnstoredCount.count))) == 5


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


def test_neither_finding_nor_removing_reads_a_whole_table(
    client: FlaskClient, team: Team, statements: Statements
) -> None:
    refuse(client, team, 3)
    for kind in ("success", "failure"):
        report(client, team, kind)
    process_batch(10)
    make_older(1_000)
    with statements.noted():
        assert prune() == 7
    plans = statements.explain("events", "runs", "rollups", "workspace_rollups", "idempotency_keys")
    assert len(plans) > 12
    for statement, plan in plans:
        found = {*re.findall("SCAN .*|Seq Scan", plan)}
        assert found <= {"SCAN events USING INDEX ix_events_rejected"}, f"{statement}\n{plan}"
        assert "TEMP B-TREE" not in plan, f"{statement}\n{plan}"
        if "DELETE FROM events" in statement and is_sqlite():
            assert "INTEGER PRIMARY KEY" in plan, plan


def test_what_has_changed_since_it_was_found_stays(client: FlaskClient, team: Team) -> None:
    """An event that could not be processed is past its time, and somebody tries it again."""
    report(client, team)
    with writing() as session:
        session.execute(update(Event).values(state="failed", received_at=now() - timedelta(400)))
    sweep = Sweeper()
    find = sweeping._find

    def find_and_retry(*given: Any) -> Any:
        found = find(*given)
        if given[0].table is Event and found:
            with writing() as session:
                assert retry(session, [each.key[0] for each in found], now()) == 1
        return found

    with patch.object(sweeping, "_find", find_and_retry):
        assert sum(batch.rows for batch in sweep.sweep()) == 0
    assert db.session.scalars(select(Event.state)).all() == ["accepted"]


def test_charts_and_counts_of_days_whose_runs_are_gone_remain(
    client: FlaskClient, team: Team
) -> None:
    for number in range(4):
        report(client, team, "failure" if number == 3 else "success")
    process_batch(10)
    before = rows(Rollup), rows(WorkspaceRollup)
    make_older(400)
    prune()
    assert (count(Event), count(Run)) == (0, 0)
    assert (rows(Rollup), rows(WorkspaceRollup)) == before
    assert sum(sums[0] for key, sums in before[0].items() if key[0] == "day") == 3


@pytest.mark.parametrize(
    ("age", "kept"),
    [
        (6.9, {"rejected", "processed", "failed", "success", "failure"}),
        (7.1, {"processed", "failed", "success", "failure"}),
        (89.9, {"processed", "failed", "success", "failure"}),
        (90.1, {"failed", "failure"}),
        (364.9, {"failed", "failure"}),
        (365.1, set()),
    ],
)
def test_failures_outlive_successes_and_refused_requests_go_first(
    client: FlaskClient, team: Team, age: float, kept: set[str]
) -> None:
    refuse(client, team, 1)
    report(client, team)
    report(client, team, "failure")
    process_batch(10)
    report(client, team)
    with writing() as session:
        session.execute(update(Event).where(Event.state == "accepted").values(state="failed"))
    make_older(age)
    prune()
    left = {*db.session.scalars(select(Event.state)), *db.session.scalars(select(Run.outcome))}
    assert left == kept


def test_what_went_is_on_record_by_day_kind_and_reason(client: FlaskClient, team: Team) -> None:
    for _ in range(2):
        refuse(client, team, 2)
        report(client, team)
        process_batch(10)
        make_older(100)
        prune()
    found = db.session.execute(select(Purge.why, Purge.what, Purge.row_count)).all()
    assert sorted(tuple(each) for each in found) == [("age", "rejected", 4), ("age", "success", 4)]
    reached = db.session.scalars(select(Purge.reached_at)).all()
    assert all(each and each < now() - timedelta(days=99) for each in reached)
    with simulated_time(now() + timedelta(days=92)):
        prune()
    assert count(Purge) == 0
