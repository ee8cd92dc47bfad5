"""Silent at the right second: schedules over simulated time, on both databases."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.extensions import db, writing
from app.models import Downtime, Schedule, Silence, Workflow
from app.processing.batch import process_batch
from app.processing.schedules import judge_schedules, note_runs
from app.processing.worker import Worker
from app.timetable import EARLY, Cron, Interval, list_next
from app.workspaces.schedules import Wish, remove_schedule, set_schedule
from app.workspaces.workflows import archive_workflow, restore_workflow
from tests.factories import Team, make_team, report
from tests.processing.conftest import NOON
from tests.simulated_time import SimulatedTime

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
HOURLY = Wish("interval", 3_600, None, "UTC", 300)
AT_THREE = Wish("cron", None, "0 3 * * *", "Europe/Berlin", 1_800)


@pytest.fixture
def team(time: SimulatedTime, app: Flask) -> Team:
    return make_team()


def expect(team: Team, wish: Wish) -> Schedule:
    set_schedule(workflow(team), wish)
    return schedule(team)


def workflow(team: Team) -> Workflow:
    return db.session.get_one(Workflow, team.workflow_id)


def schedule(team: Team) -> Schedule:
    db.session.rollback()
    return db.session.scalars(select(Schedule)).one()


def silences() -> list[Silence]:
    db.session.rollback()
    return list(db.session.scalars(select(Silence).order_by(Silence.id)))


def open_silence() -> Silence | None:
    return next((each for each in silences() if each.ended_at is None), None)


def run(client: FlaskClient, team: Team, at: datetime, kind: str = "success", **more: Any) -> None:
    answer = report(client, team, kind, ended_at=at.isoformat(), **more)
    assert answer.status_code == 202, answer.json
    process_batch(200)


def judge_at(time: SimulatedTime, at: datetime) -> Silence | None:
    time.at = at
    judge_schedules()
    return open_silence()


def test_silent_at_the_second_and_not_one_before(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    run(client, team, NOON)
    expect(team, HOURLY)
    overdue = NOON + HOUR + 5 * MINUTE
    assert judge_at(time, overdue - SECOND) is None
    silence = judge_at(time, overdue)
    assert silence is not None
    assert (silence.expected_at, silence.silent_since) == (NOON + HOUR, overdue)
    assert (silence.missed_count, silence.during_downtime) == (1, False)


@pytest.mark.parametrize("kind", ["success", "failure"])
def test_a_run_of_either_outcome_ends_the_silence_and_counts_from_then(
    client: FlaskClient, team: Team, time: SimulatedTime, kind: str
) -> None:
    expect(team, HOURLY)
    assert judge_at(time, NOON + 3 * HOUR + 5 * MINUTE)
    came = time.forward(minutes=7)
    run(client, team, came, kind)
    (silence,) = silences()
    assert (silence.ended_at, silence.missed_count) == (came, 3)
    assert silence.ended_by_run is not None and silence.ended_by_run.outcome == kind
    assert schedule(team).next_expected_at == came + HOUR
    assert judge_at(time, came + HOUR + 5 * MINUTE)
    assert len(silences()) == 2


def test_a_run_late_within_its_grace_is_not_silent(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    first = expect(team, AT_THREE).next_expected_at
    assert first == datetime(2026, 5, 5, 1, tzinfo=UTC)
    late = first + 29 * MINUTE
    assert judge_at(time, late) is None
    run(client, team, late)
    assert schedule(team).next_expected_at == first + 24 * HOUR
    assert judge_at(time, first + 31 * MINUTE) is None


def test_a_run_counts_for_the_time_at_which_it_started(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    expect(team, Wish("cron", None, "0 * * * *", "UTC", 5_400))
    time.at = NOON + 2 * HOUR + 10 * MINUTE
    run(client, team, time.at, duration_ms=70 * 60_000)
    assert schedule(team).next_expected_at == NOON + 2 * HOUR
    run(client, team, time.at, external_execution_id="e", started_at=time.at.isoformat())
    assert schedule(team).next_expected_at == NOON + 3 * HOUR


@pytest.mark.parametrize(("early", "days"), [(EARLY, 1), (EARLY + SECOND, 0)])
def test_clocks_may_differ_by_a_little(
    client: FlaskClient, team: Team, time: SimulatedTime, early: timedelta, days: int
) -> None:
    due = expect(team, AT_THREE).next_expected_at
    time.at = due - early
    run(client, team, time.at)
    assert schedule(team).next_expected_at == due + timedelta(days=days)


def test_a_sender_in_the_future_does_not_put_off_the_next_run(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    expect(team, HOURLY)
    run(client, team, NOON + 20 * HOUR)
    assert judge_at(time, NOON + HOUR + 11 * MINUTE)


def test_tests_and_old_runs_change_nothing(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    run(client, team, NOON)
    due = expect(team, HOURLY).next_expected_at
    run(client, team, NOON - 30 * MINUTE)
    assert schedule(team).next_expected_at == due
    with writing() as session:
        note_runs(session, [{"workflow_id": team.workflow_id, "is_test": True}], NOON)
    assert schedule(team).next_expected_at == due


def test_reports_that_come_late_and_in_a_heap_end_one_silence(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    expect(team, HOURLY)
    assert judge_at(time, NOON + 10 * HOUR + 5 * MINUTE)
    for hour in range(1, 10):
        run(client, team, NOON + hour * HOUR)
        judge_schedules()
    (silence,) = silences()
    assert (silence.expected_at, silence.missed_count) == (NOON + 10 * HOUR, 1)
    assert silence.silent_since == time.at and silence.ended_at is None
    run(client, team, NOON + 10 * HOUR)
    (silence,) = silences()
    assert silence.ended_at == time.at
    assert judge_at(time, time.at) is None


def test_an_event_that_waits_for_the_worker_may_be_the_run(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    expect(team, HOURLY)
    time.at = NOON + HOUR
    report(client, team, ended_at=time.at.isoformat())
    assert judge_at(time, NOON + 5 * HOUR) is None
    process_batch(200)
    silence = judge_at(time, NOON + 5 * HOUR)
    assert silence is not None and silence.silent_since == NOON + 2 * HOUR + 5 * MINUTE


def test_what_fell_into_a_downtime_is_marked_and_the_next_miss_is_not(
    team: Team, time: SimulatedTime
) -> None:
    expect(team, Wish("cron", None, "0 * * * *", "UTC", 300))
    worker = Worker()
    worker.beat()
    time.at = NOON + 3 * HOUR + 20 * MINUTE
    restarted = Worker()
    restarted.beat()
    downtime = db.session.scalars(select(Downtime)).one()
    assert (downtime.began_at, downtime.ended_at) == (NOON, time.at)
    silence = judge_at(time, time.at)
    assert silence is not None and silence.during_downtime
    assert (silence.expected_at, silence.missed_count) == (NOON + HOUR, 3)
    real = judge_at(time, NOON + 4 * HOUR + 5 * MINUTE)
    assert real is not None and not real.during_downtime
    assert (real.silent_since, real.missed_count) == (time.at, 1)
    assert silences()[0].ended_at == time.at


def test_a_short_restart_is_no_downtime_and_no_excuse(team: Team, time: SimulatedTime) -> None:
    expect(team, HOURLY)
    Worker().beat()
    time.forward(seconds=30)
    Worker().beat()
    assert not db.session.scalars(select(Downtime)).all()
    with writing() as session:
        began_at = NOON + HOUR + 2 * MINUTE
        session.add(Downtime(began_at=began_at, ended_at=began_at + MINUTE))
    silence = judge_at(time, NOON + HOUR + 6 * MINUTE)
    assert silence is not None and not silence.during_downtime
    assert silence.silent_since == NOON + HOUR + 5 * MINUTE


def test_a_worker_that_signs_off_still_leaves_when_it_was_last_seen(
    team: Team, time: SimulatedTime
) -> None:
    worker = Worker()
    worker.beat()
    worker.sign_off()
    time.forward(minutes=10)
    Worker().beat()
    downtime = db.session.scalars(select(Downtime)).one()
    assert downtime.ended_at - downtime.began_at == 10 * MINUTE


def test_the_worker_judges_and_not_more_often_than_each_second(
    team: Team, time: SimulatedTime
) -> None:
    expect(team, HOURLY)
    worker = Worker()
    worker.judge()
    time.at = NOON + HOUR + 5 * MINUTE - SECOND / 2
    worker.judge()
    assert open_silence() is None
    time.forward(seconds=0.6)
    worker.judge()
    assert open_silence() is None
    time.forward(seconds=0.5)
    worker.judge()
    assert open_silence() is not None


def test_a_zone_that_the_machine_has_forgotten_counts_as_utc(
    team: Team, time: SimulatedTime
) -> None:
    set_schedule(workflow(team), AT_THREE)
    with writing() as session:
        session.execute(update(Schedule).values(time_zone="Mars/Olympus"))
    silence = judge_at(time, NOON + 24 * HOUR)
    assert silence is not None
    assert schedule(team).next_expected_at == datetime(2026, 5, 6, 3, tzinfo=UTC)


def test_a_schedule_that_is_set_looks_ahead_only(
    client: FlaskClient, team: Team, time: SimulatedTime
) -> None:
    run(client, team, NOON)
    time.at = NOON + 30 * MINUTE
    assert expect(team, HOURLY).next_expected_at == NOON + HOUR
    assert judge_at(time, NOON + 9 * HOUR)
    changed = expect(team, Wish("interval", 7_200, None, "UTC", 300))
    assert changed.next_expected_at == time.at + 2 * HOUR
    assert open_silence() is None and silences()[0].ended_by_run_id is None
    assert judge_at(time, time.at) is None


def test_the_same_schedule_again_leaves_its_silence(team: Team, time: SimulatedTime) -> None:
    expect(team, HOURLY)
    silence = judge_at(time, NOON + 2 * HOUR)
    expect(team, HOURLY)
    assert silence is not None and open_silence() == silence


def test_an_archived_workflow_and_one_without_schedule_are_never_silent(
    team: Team, time: SimulatedTime
) -> None:
    expect(team, HOURLY)
    assert judge_at(time, NOON + 2 * HOUR)
    archive_workflow(workflow(team))
    assert open_silence() is None
    assert judge_at(time, NOON + 9 * HOUR) is None
    restore_workflow(workflow(team))
    assert judge_at(time, NOON + 9 * HOUR) is None
    assert schedule(team).next_expected_at == NOON + 10 * HOUR
    assert judge_at(time, NOON + 11 * HOUR)
    remove_schedule(workflow(team))
    assert open_silence() is None
    assert judge_at(time, NOON + 99 * HOUR) is None


WISHES = (
    Wish("cron", None, "*/20 * * * *", "Europe/Berlin", 240),
    Wish("cron", None, "30 1-3 * * *", "Europe/Berlin", 1_260),
    Wish("cron", None, "15,45 2 * * *", "America/New_York", 600),
    Wish("cron", None, "0 * * * *", "Australia/Lord_Howe", 7_500),
    Wish("interval", 1_500, None, "UTC", 301),
    Wish("interval", 86_400, None, "Europe/Berlin", 3_000),
)
CHANGES = {
    "Europe/Berlin": tuple(datetime(2026, *day, 20, tzinfo=UTC) for day in ((3, 28), (10, 24))),
    "America/New_York": (datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 10, tzinfo=UTC),) * 2,
    "UTC": (NOON, NOON),
}


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.once)])
@pytest.mark.parametrize("number", range(len(WISHES)))
def test_never_early_and_never_missed_around_changes_of_the_clock(
    team: Team, time: SimulatedTime, number: int, seed: int
) -> None:
    """Runs come, are late, or don't come; at each moment the table says what the rule says.

    PostgreSQL sees one of the two changes in a year: what is reckoned is no statement.
    The rule: silent is whose expected time plus grace has passed without a run that counts for it.
    """
    wish, chance = WISHES[number], random.Random(number * 100 + seed)
    begun = CHANGES[wish.time_zone][seed]
    time.at = begun
    timetable, grace = expect(team, wish).timetable, timedelta(seconds=wish.grace_seconds)
    slots = list_next(timetable, begun, 14 if wish.kind == "cron" else 5)
    lags = [-EARLY, -EARLY - SECOND, 0 * SECOND, grace, grace + SECOND, grace / 2]
    came = sorted(slot + chance.choice(lags) for slot in slots if chance.random() < 0.6)
    edges = [slot + grace + side * SECOND for slot in slots for side in (-1, 0, 1)]
    edges += [run + length for run in came for length in (0 * SECOND, SECOND)]
    past: list[datetime] = []
    for at in sorted({each for each in (*edges, *came) if each > begun}):
        time.at = at
        if at in came:
            past.append(at)
            with writing() as session:
                note_runs(session, [columns(team, at)], at)
        judge_schedules()
        silence = open_silence()
        due = first_missed(timetable, grace, begun, past, at)
        assert (silence and silence.silent_since) == (due and due + grace), at
        assert silence is None or silence.expected_at == due


def columns(team: Team, at: datetime) -> dict[str, Any]:
    """A run as note_runs needs it."""
    run = {"id": None, "started_at": None, "ended_at": at, "duration_ms": None, "is_test": False}
    return {**run, "workflow_id": team.workflow_id}


def first_missed(
    timetable: Any, grace: timedelta, begun: datetime, past: list[datetime], at: datetime
) -> datetime | None:
    """The earliest expected time that is overdue at that moment, without a run for it."""
    if isinstance(timetable, Interval):
        due = timetable.after_run(past[-1] if past else begun)
        return due if due + grace <= at else None
    assert isinstance(timetable, Cron)
    local = timetable.zone
    assert isinstance(local, ZoneInfo)
    times = [each for each in list_next(timetable, begun, 40) if each + grace <= at]
    missed = [each for each in times if not any(run >= each - EARLY for run in past)]
    return missed[0] if missed else None
