"""Sums keep in step with the runs: taken back, pruned, and filled by the migration."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import downgrade, upgrade
from sqlalchemy import select

from app.clock import now
from app.extensions import db, writing
from app.models import Rollup, Run, WorkspaceRollup
from app.processing.rollups import take_back_workflows
from app.processing.sweeping import prune
from tests.factories import Team, make_team, report
from tests.processing.draining import drain
from tests.processing.sums import rows
from tests.simulated_time import simulated_time


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def send(client: FlaskClient, team: Team, kind: str, minutes_ago: float, **fields: Any) -> None:
    ended_at = (now() - timedelta(minutes=minutes_ago)).isoformat()
    assert report(client, team, kind, ended_at=ended_at, **fields).status_code == 202


def test_a_run_that_ends_anew_moves_to_its_new_quarter(client: FlaskClient, team: Team) -> None:
    send(client, team, "failure", 200, external_execution_id="e", duration_ms=5)
    drain()
    before = rows(Rollup)
    send(client, team, "success", 20, external_execution_id="e", duration_ms=70_000)
    drain()
    after = rows(Rollup)
    assert not before.items() & after.items()
    assert sorted(period for period, _ in after) == ["day", "hour", "quarter"]
    assert {each[:4] for each in after.values()} == {(1, 0, 1, 70_000.0)}
    assert rows(WorkspaceRollup) == after


def test_what_ended_long_ago_counts_there_and_makes_no_quarter(
    client: FlaskClient, team: Team
) -> None:
    report(client, team, ended_at="2024-02-29T23:59:59.999999Z", duration_ms=1)
    drain()
    day = datetime(2024, 2, 29, tzinfo=UTC)
    assert set(rows(Rollup)) == {("hour", day.replace(hour=23)), ("day", day)}


def test_quarters_go_after_a_time_and_the_sums_outlive_the_runs(
    client: FlaskClient, team: Team
) -> None:
    send(client, team, "success", 3 * 24 * 60, duration_ms=9)
    drain()
    with writing() as session:
        session.query(Run).update({"updated_at": now() - timedelta(days=500)})
    prune()
    assert db.session.scalar(select(Run)) is None
    assert len(rows(Rollup)) == len(rows(WorkspaceRollup)) == 3
    with simulated_time(now() + timedelta(days=99)):
        prune()
    assert {period for period, _ in rows(Rollup)} == {"hour", "day"}
    assert rows(Rollup) == rows(WorkspaceRollup)


def test_a_workflow_that_is_removed_is_taken_out_of_its_workspace(
    client: FlaskClient, team: Team
) -> None:
    for minutes in (5, 90, 3_000):
        send(client, team, "success", minutes, duration_ms=minutes)
    drain()
    with writing() as session:
        take_back_workflows(session, team.workspace_id, [team.workflow_id])
    assert db.session.scalars(select(WorkspaceRollup)).all() == []


def test_the_migration_fills_in_what_the_worker_would_have(client: FlaskClient, team: Team) -> None:
    for number in range(12):
        kind = "failure" if number % 3 == 0 else "success"
        message = f"boom {number} of José@x.org in 'x', DEADBEEFDEADBEEF"
        fields = {"error_message": message} if kind == "failure" else {}
        send(client, team, kind, 7 * number**3, duration_ms=number * 40 or None, **fields)
    report(client, team, ended_at="2024-02-29T12:00:00Z", duration_ms=77)
    drain()
    before = rows(Rollup), rows(WorkspaceRollup), groups()
    assert len({each for each in before[2] if each}) == 1
    db.session.remove()
    downgrade(revision="0006")
    upgrade()
    assert (rows(Rollup), rows(WorkspaceRollup), groups()) == before


def groups() -> list[str | None]:
    return list(db.session.scalars(select(Run.error_group).order_by(Run.id)))
