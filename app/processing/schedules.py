"""Schedules are kept: a run moves the next one on, and one that does not come makes a silence."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, writing
from app.models import Downtime, Event, Schedule, Silence, Workflow
from app.processing.downtimes import Span, look_for_web

FUTURE_TRUSTED = timedelta(minutes=5)
"""A run counts by its sender's clock, but no further ahead of ours than this."""
MOST_AT_ONCE = 1_000
"""Schedules in one transaction; a batch of events never tells of more workflows."""
MOST_JUDGED_AT_ONCE = 100
MOST_MISSED_AT_ONCE = 100
"""So many expected times of a schedule are looked at in one go; the rest waits for the next."""

RunColumns = Mapping[str, Any]


# --- Runs come ----------------------------------------------------------------------------------


def note_runs(session: Session, runs: Iterable[RunColumns], moment: datetime) -> None:
    """Move the schedules of these runs on, and end the silences that they end.

    Belongs into the transaction that records the runs. An open run counts too: it has come.
    """
    by_workflow: dict[int, list[RunColumns]] = {}
    for run in runs:
        if not run["is_test"]:
            by_workflow.setdefault(run["workflow_id"], []).append(run)
    if not by_workflow:
        return
    schedules = session.scalars(_OF_WORKFLOWS, {"workflow_ids": list(by_workflow)}).all()
    silences = _find_open_silences(session, schedules)
    for schedule in schedules:
        silence = silences.get(schedule.workflow_id)
        counted = [(_moment_of(schedule, run), run) for run in by_workflow[schedule.workflow_id]]
        for at, run in sorted(counted, key=lambda each: each[0]):
            at = min(at, moment + FUTURE_TRUSTED)
            if schedule.last_run_at is None or at > schedule.last_run_at:
                schedule.last_run_at = at
                silence = _move_on(schedule, silence, at, run, moment)


def _moment_of(schedule: Schedule, run: RunColumns) -> datetime:
    return schedule.timetable.moment_of(_started_at(run), run["ended_at"])


def _started_at(run: RunColumns) -> datetime | None:
    """As told, or worked out from the end and the duration."""
    started_at: datetime | None = run["started_at"]
    if started_at is None and run["duration_ms"] is not None:
        try:
            started_at = run["ended_at"] - timedelta(milliseconds=run["duration_ms"])
        except OverflowError:
            return None
    return started_at


def _move_on(
    schedule: Schedule, silence: Silence | None, at: datetime, run: RunColumns, moment: datetime
) -> Silence | None:
    """The silence that is left after a run that counts at that moment."""
    expected_at = schedule.timetable.after_run(at)
    if silence is None:
        # What came in late, from before the schedule was set, calls nothing back.
        schedule.expect(max(expected_at, schedule.next_expected_at))
    elif expected_at + schedule.grace > moment:
        schedule.expect(expected_at)
        came_at = run["ended_at"] or run["started_at"]
        silence.ended_at = came_at if silence.silent_since <= came_at <= moment else moment
        silence.ended_by_run_id = run["id"]
        return None
    elif expected_at > silence.expected_at:
        # It is one of the missed ones, and came in late; the judge counts those that still miss.
        schedule.expect(expected_at)
        silence.expected_at, silence.silent_since = expected_at, schedule.overdue_at
        silence.missed_count = 0
    return silence


# --- Runs don't come ----------------------------------------------------------------------------


def judge_schedules(moment: datetime | None = None) -> int:
    """Make and count the silences of schedules that are overdue; returns of how many.

    A workflow of which an event waits to be processed is left for later: it may be the run.
    """
    at, lasting = look_for_web(db.session(), moment or now())
    overdue = (Schedule.overdue_at <= at) & Schedule.workflow_id.in_(
        select(Workflow.id).where(Workflow.archived_at.is_(None))
    )
    found = db.session.scalar(select(Schedule.id).where(overdue).limit(1))
    db.session.rollback()
    if found is None:
        return 0
    with writing() as session:
        waiting = list_waiting_workflows(session)
        schedules = _lock(session, overdue, Schedule.workflow_id.not_in(waiting))
        schedules = schedules[:MOST_JUDGED_AT_ONCE]
        silences = _find_open_silences(session, schedules)
        downtimes = _list_downtimes(session, schedules)
        downtimes += [lasting] if lasting else []
        for schedule in schedules:
            _judge(session, schedule, silences.get(schedule.workflow_id), downtimes, at)
    return len(schedules)


def list_waiting_workflows(session: Session) -> list[int]:
    """The workflows that the worker has yet to process an event of."""
    waiting = select(Event.workflow_id).where(Event.state == "accepted").distinct()
    return [workflow_id for workflow_id in session.scalars(waiting) if workflow_id is not None]


def _judge(
    session: Session,
    schedule: Schedule,
    silence: Silence | None,
    downtimes: Sequence[Span],
    at: datetime,
) -> None:
    for _ in range(MOST_MISSED_AT_ONCE):
        if schedule.overdue_at > at:
            return
        expected_at, since = schedule.next_expected_at, schedule.overdue_at
        lost = any(_may_have_lost(downtime, expected_at, since) for downtime in downtimes)
        if silence and silence.during_downtime and not lost:
            begins_anew_at = _begin_anew(schedule, downtimes)
            if begins_anew_at and begins_anew_at > expected_at:
                schedule.expect(begins_anew_at)
                continue
            silence.ended_at = since
            session.flush()  # At most one of a workflow is open.
            silence = None
        if silence is None:
            silence = Silence(
                workflow_id=schedule.workflow_id,
                expected_at=expected_at,
                silent_since=since,
                missed_count=0,
                during_downtime=lost,
            )
            session.add(silence)
        silence.missed_count += 1
        schedule.expect(schedule.timetable.after_time(expected_at))


def _begin_anew(schedule: Schedule, downtimes: Sequence[Span]) -> datetime | None:
    """When the next run is expected after the last downtime, if it lost one: an interval counts
    from its end, since nobody knows when the run ended that could not be told."""
    ends = [each.ended_at for each in downtimes if each.ended_at < schedule.next_expected_at]
    return schedule.timetable.after_time(max(ends)) if ends else None


def _may_have_lost(downtime: Span, expected_at: datetime, overdue_at: datetime) -> bool:
    """Whether a run may have come, or come late, while nobody could take it.

    A short downtime within a long grace time is no excuse.
    """
    began_at, ended_at = downtime
    if any(began_at <= at <= ended_at for at in (expected_at, overdue_at)):
        return True
    covered = min(ended_at, overdue_at) - max(began_at, expected_at)
    return covered > (overdue_at - expected_at) / 2


def _list_downtimes(session: Session, schedules: Sequence[Schedule]) -> list[Span]:
    """Those that may have a part in what is overdue."""
    if not schedules:
        return []
    first = min(
        each.next_expected_at - timedelta(seconds=each.every_seconds or 0) for each in schedules
    )
    query = select(Downtime.began_at, Downtime.ended_at).where(Downtime.ended_at > first)
    return [Span(*row) for row in session.execute(query)]


def _find_open_silences(session: Session, schedules: Sequence[Schedule]) -> dict[int, Silence]:
    """By workflow; the lock on its schedule guards it."""
    if not schedules:
        return {}
    query = select(Silence).where(
        Silence.workflow_id.in_([each.workflow_id for each in schedules]),
        Silence.ended_at.is_(None),
    )
    found = session.scalars(query.execution_options(populate_existing=True))
    return {silence.workflow_id: silence for silence in found}


def _lock(session: Session, *conditions: ColumnElement[bool]) -> Sequence[Schedule]:
    """In one order, so that two workers can't wait for each other."""
    return session.scalars(_select_locked(*conditions)).all()


def _select_locked(*conditions: ColumnElement[bool]) -> Select[Schedule]:
    query = select(Schedule).where(*conditions).order_by(Schedule.id).limit(MOST_AT_ONCE)
    return query.with_for_update().execution_options(populate_existing=True)


_OF_WORKFLOWS = _select_locked(Schedule.workflow_id.in_(bindparam("workflow_ids", expanding=True)))
