"""Runs that start, end in any order, or never: open, closed and stuck, over simulated time."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.extensions import db
from app.models import Rollup, Run, Workflow
from app.processing.batch import process_batch
from app.processing.stuck_runs import mark_stuck_runs
from app.workspaces.schedules import set_stuck_after
from tests.factories import Team, make_team, report
from tests.processing.conftest import NOON
from tests.simulated_time import SimulatedTime

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def team(time: SimulatedTime, app: Flask) -> Team:
    return make_team()


def start(client: FlaskClient, team: Team, execution: str, at: datetime, **more: Any) -> Any:
    body = {"workflow_slug": team.slug, "external_execution_id": execution, **more}
    body["started_at"] = at.isoformat()
    answer = client.post("/api/v1/ingest/run-start", json=body, headers=team.headers)
    assert answer.status_code == 202, answer.json
    return answer


def end(client: FlaskClient, team: Team, execution: str, at: datetime, **more: Any) -> None:
    report(client, team, external_execution_id=execution, ended_at=at.isoformat(), **more)


def runs() -> list[Run]:
    db.session.rollback()
    return list(db.session.scalars(select(Run).order_by(Run.external_execution_id)))


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(
    ("told", "started", "ended", "late"),
    [
        # A start, its end, and a start that lies behind it, such as of an id that is used again.
        ([("start", 0), ("end", 5), ("start", 10)], 0, 5, 10),
        ([("end", 5), ("start", 10), ("start", 10)], None, 5, 10),
        # Once a later end is told, it is that run's own.
        ([("end", 5), ("start", 10), ("end", 20)], 10, 20, None),
    ],
)
def test_no_run_starts_after_its_end(
    client: FlaskClient,
    team: Team,
    order: tuple[int, ...],
    told: list[tuple[str, int]],
    started: int | None,
    ended: int,
    late: int | None,
) -> None:
    for number in order:
        kind, minute = told[number]
        {"start": start, "end": end}[kind](client, team, "e-1", NOON + minute * MINUTE)
        process_batch(200)
        (run,) = runs()
        if run.started_at and run.ended_at:
            assert run.started_at <= run.ended_at
            assert run.duration_ms == (run.ended_at - run.started_at) / timedelta(milliseconds=1)
    (run,) = runs()
    assert run.started_at == (None if started is None else NOON + started * MINUTE)
    assert run.ended_at == NOON + ended * MINUTE
    assert (run.duration_ms is None) == (started is None)
    assert run.late_start == (None if late is None else NOON + late * MINUTE)


def test_a_start_opens_a_run_and_the_end_closes_it(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    start(client, team, "e-1", NOON, source_platform="n8n", metadata={"leads": 1})
    process_batch(200)
    (run,) = runs()
    assert (run.outcome, run.started_at, run.ended_at) == ("running", NOON, None)
    assert run.duration_ms is None and db.session.scalar(select(func.count(Rollup.period))) == 0
    end(client, team, "e-1", NOON + MINUTE)
    process_batch(200)
    (run,) = runs()
    assert (run.outcome, run.previous_outcome, run.event_count) == ("success", None, 2)
    assert (run.started_at, run.ended_at) == (NOON, NOON + MINUTE)
    assert (run.duration_ms, run.source_platform, run.details) == (60_000, "n8n", {"leads": 1})
    sums = db.session.scalars(select(Rollup.success_count).where(Rollup.period == "hour")).all()
    assert list(sums) == [1]


EVENTS = ("start", "start", "early", "late")


@pytest.mark.parametrize("together", [True, False])
def test_the_order_of_start_and_ends_makes_no_difference(
    client: FlaskClient, team: Team, time: SimulatedTime, together: bool
) -> None:
    """A start that comes twice, a failure, and a success that ended later and decides."""
    for number, order in enumerate(sorted(set(permutations(EVENTS)))):
        for event in order:
            execution = f"e-{number:02}"
            if event == "start":
                start(client, team, execution, NOON)
            elif event == "early":
                at = (NOON + MINUTE).isoformat()
                report(client, team, "failure", external_execution_id=execution, ended_at=at)
            else:
                end(client, team, execution, NOON + 2 * MINUTE)
            if not together:
                process_batch(200)
    process_batch(200)
    told = {
        (run.outcome, run.previous_outcome, run.started_at, run.ended_at, run.duration_ms)
        for run in runs()
    }
    assert told == {("success", "failure", NOON, NOON + 2 * MINUTE, 120_000)}
    assert {run.event_count for run in runs()} == {4}
    per_hour = select(Rollup.success_count, Rollup.failure_count, Rollup.duration_sum_ms)
    assert db.session.execute(per_hour.where(Rollup.period == "hour")).all() == [
        (12, 0, 12 * 120_000)
    ]


def test_a_duration_that_was_given_is_kept(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    start(client, team, "e-1", NOON)
    end(client, team, "e-1", NOON + MINUTE, duration_ms=7)
    start(client, team, "e-2", NOON + HOUR)  # The clocks of two machines.
    end(client, team, "e-2", NOON)
    process_batch(200)
    assert [run.duration_ms for run in runs()] == [7, None]


def test_stuck_at_the_second_and_each_run_by_itself(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    for number in range(3):
        start(client, team, f"e-{number}", NOON + number * MINUTE)
    process_batch(200)
    set_stuck_after(db.session.get_one(Workflow, team.workflow_id), 3_600)
    time.at = NOON + HOUR - SECOND
    assert mark_stuck_runs() == 0
    time.forward(seconds=1)
    assert (mark_stuck_runs(), mark_stuck_runs()) == (1, 0)
    end(client, team, "e-1", time.at)
    process_batch(200)
    time.forward(minutes=10)
    assert mark_stuck_runs() == 1
    since = [(run.outcome, run.stuck_since) for run in runs()]
    assert since == [
        ("running", NOON + HOUR),
        ("success", None),
        ("running", NOON + HOUR + 2 * MINUTE),
    ]
    end(client, team, "e-0", time.at)
    end(client, team, "e-2", NOON + HOUR)  # It had ended in time; we heard of it late.
    process_batch(200)
    assert [run.stuck_since for run in runs()] == [NOON + HOUR, None, None]


def test_an_end_that_waits_for_the_worker_is_waited_for(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    start(client, team, "e-1", NOON)
    process_batch(200)
    end(client, team, "e-1", NOON + HOUR)
    time.forward(days=2)
    assert mark_stuck_runs() == 0
    process_batch(200)
    assert mark_stuck_runs() == 0


def test_without_a_limit_of_its_own_a_run_may_be_open_for_a_day(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    start(client, team, "e-1", NOON)
    process_batch(200)
    time.forward(hours=24, seconds=-1)
    assert mark_stuck_runs() == 0
    time.forward(seconds=1)
    assert mark_stuck_runs() == 1
    set_stuck_after(db.session.get_one(Workflow, team.workflow_id), 2 * 86_400)
    assert [run.stuck_since for run in runs()] == [None]


@pytest.mark.parametrize("left_out", ["started_at", "external_execution_id"])
def test_a_start_needs_its_time_and_its_execution(
    client: FlaskClient, team: Team, time: SimulatedTime, left_out: str
) -> None:
    body = {
        "workflow_slug": team.slug,
        "external_execution_id": "e",
        "started_at": "2026-05-04T12:00Z",
    }
    body[left_out] = ""
    answer = client.post("/api/v1/ingest/run-start", json=body, headers=team.headers)
    assert answer.status_code == 400
    assert [(each["field"], each["code"]) for each in answer.json["errors"]] == [
        (left_out, "missing")
    ]
    late = start(client, team, "e", NOON, ended_at=NOON.isoformat(), duration_ms=1)
    assert [each["field"] for each in late.json["warnings"]] == ["duration_ms", "ended_at"]
    assert "send it to run-success" in late.json["warnings"][1]["message"]
