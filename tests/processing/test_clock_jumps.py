"""A clock that is set ahead or back, over simulated time: nothing goes at once, nothing waits."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.clock import now
from app.doctor.database_health import check_retention
from app.extensions import db, writing
from app.models import (
    AuditEntry,
    Delivery,
    Downtime,
    Event,
    IdempotencyKey,
    Instance,
    RateBucket,
    Run,
    Schedule,
    Silence,
    Workflow,
)
from app.processing.batch import process_batch
from app.processing.partitions import tend_partitions
from app.processing.schedules import judge_schedules
from app.processing.sweeping import prune
from app.processing.web_beat import beat
from app.processing.worker import Worker
from app.workspaces.schedules import Wish, set_schedule
from tests.factories import Team, make_team, report
from tests.simulated_time import SimulatedTime

YEAR = timedelta(days=366)


@pytest.fixture
def team(time: SimulatedTime, app: Flask) -> Team:
    """On a server that has worked until now."""
    team = make_team()
    Worker().beat()
    return team


def count(table: type[Event] | type[Run] | type[IdempotencyKey] | type[Downtime]) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def store(client: FlaskClient, team: Team) -> None:
    answer = client.post(
        "/api/v1/ingest/run-success",
        json={"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"},
        headers={**team.headers, "Idempotency-Key": "one"},
    )
    assert answer.status_code == 202
    assert process_batch(10) == 1


@pytest.mark.parametrize("ahead", [timedelta(hours=1, minutes=1), timedelta(days=1), YEAR])
def test_a_clock_that_is_set_ahead_removes_nothing(
    client: FlaskClient, team: Team, time: SimulatedTime, ahead: timedelta
) -> None:
    store(client, team)
    time.at += ahead
    prune()  # Before the first beat. What has no age that anybody counts on may go.
    Worker().beat()
    tend_partitions()
    prune()
    assert (count(Event), count(Run), count(IdempotencyKey)) == (1, 1, 1)
    assert check_retention().state == "warn"
    time.at -= ahead
    Worker().beat()
    prune()
    assert (count(Event), count(Downtime)) == (1, 0)
    assert check_retention().state == "ok"


def test_what_is_past_goes_a_day_after_a_long_downtime(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    store(client, team)
    time.at += YEAR
    worker = Worker()
    worker.beat()
    prune()
    assert count(Event) == 1
    for _ in range(26):
        time.forward(minutes=59)
        worker.beat()
    prune()
    assert (count(Event), count(Run)) == (0, 0)


def test_refused_sign_ins_that_are_noted_stay_while_the_clock_may_be_wrong(
    team: Team, time: SimulatedTime
) -> None:
    """One whose time is over by any clock that the database may have: else that would refuse."""
    with writing() as session:
        until = datetime(2020, 1, 1, tzinfo=UTC)
        row = {"actor": "nobody", "what": "sign_in_refused", "workspace_id": None}
        session.add(AuditEntry(about="ada@example.org", keep_until=until, **row))
    noted = select(func.count(AuditEntry.id)).where(AuditEntry.what == "sign_in_refused")
    worker = Worker()
    time.at += YEAR
    worker.beat()
    prune()
    db.session.rollback()
    assert db.session.scalar(noted) == 1
    for _ in range(26):
        time.forward(minutes=59)
        worker.beat()
    prune()
    db.session.rollback()
    assert db.session.scalar(noted) == 0


def test_a_short_downtime_holds_nothing_up(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    store(client, team)
    time.at += timedelta(days=1) - timedelta(minutes=30)
    with writing() as session:
        session.execute(update(Instance).values(worker_seen_at=now()))
    time.forward(minutes=50)
    Worker().beat()
    prune()
    assert count(IdempotencyKey) == 0


def test_a_clock_that_is_set_back_holds_no_part_of_the_worker_up(
    team: Team, time: SimulatedTime
) -> None:
    worker = Worker()
    worker.work()
    parts = ("_beat_at", "_judged_at", "_watched_at", "_tidied_at")
    time.forward(days=-1)
    worker.work()
    assert {getattr(worker, part) for part in parts} == {time.at}
    worker._sweeper.end()


def test_what_was_put_off_by_a_wrong_clock_goes_on_when_it_is_set_back(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    workflow = db.session.scalars(select(Workflow)).one()
    set_schedule(workflow, Wish("interval", 600, None, "UTC", 60))
    expected_at = db.session.scalars(select(Schedule.next_expected_at)).one()
    time.forward(days=1)
    worker = Worker()
    worker.beat()
    judge_schedules()
    report(client, team)  # The wrong clock says when it came, and it is not processed yet.
    with writing() as session:
        bucket = RateBucket(name="key", level=1000.0, updated_at=time.at.timestamp())
        session.add(bucket)
    time.forward(days=-1)
    worker.beat()
    assert process_batch(10) == 1 and count(Run) == 1
    db.session.rollback()
    assert db.session.scalars(select(RateBucket)).all() == []
    assert db.session.scalars(select(Silence)).all() == []
    schedule = db.session.scalars(select(Schedule)).one()
    assert schedule.next_expected_at <= time.at + timedelta(minutes=16)
    assert schedule.next_expected_at >= expected_at
    assert db.session.scalars(select(Instance.worker_seen_at)).one() == time.at
    assert db.session.scalars(select(Delivery)).all() == []


def test_a_clock_that_jumps_in_the_middle_of_a_round_makes_no_silence(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    """A report comes at the new time before any process has said that it lives at that time."""
    workflow = db.session.scalars(select(Workflow)).one()
    set_schedule(workflow, Wish("interval", 600, None, "UTC", 60))
    worker = Worker()
    worker.beat()
    beat()
    time.forward(days=1)
    client.post("/api/v1/ingest/run-success", data=b"nonsense", headers=team.headers)
    client.application.extensions["flowpulse_ingest"].recorder.flush()
    worker.judge()
    assert db.session.scalars(select(Silence)).all() == []
    db.session.rollback()
    worker.beat()
    worker.judge()
    assert {each.during_downtime for each in db.session.scalars(select(Silence))} == {True}
