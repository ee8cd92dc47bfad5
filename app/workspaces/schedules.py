"""Schedules of workflows: read from a form, set, removed, and begun anew after a restore."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, writing
from app.models import (
    EXPRESSION_LENGTH,
    SCHEDULE_KINDS,
    STUCK_AFTER,
    Run,
    Schedule,
    Silence,
    Workflow,
    is_open,
)
from app.timetable import (
    MOST_GRACE,
    MOST_SECONDS,
    UNITS,
    UnreadableError,
    read_expression,
    span_in_words,
)
from app.workspaces.people import RefusedError
from app.workspaces.profile import is_time_zone

LEAST_SECONDS = UNITS["minute"]


@dataclass(frozen=True, slots=True)
class Wish:
    """A schedule as a person wants it; what does not belong to its kind is None."""

    kind: str
    every_seconds: int | None
    cron_expression: str | None
    time_zone: str
    grace_seconds: int

    def as_schedule(self, workflow_id: int | None = None) -> Schedule:
        """With nothing expected yet."""
        return Schedule(
            workflow_id=workflow_id,
            kind=self.kind,
            every_seconds=self.every_seconds,
            cron_expression=self.cron_expression,
            time_zone=self.time_zone,
            grace_seconds=self.grace_seconds,
        )


class Reading(NamedTuple):
    """What a form says: a wish, or what is wrong, by field."""

    wish: Wish | None
    errors: dict[str, list[str]]


def read_wish(given: Mapping[str, str]) -> Reading:
    """From `kind`, `every` and `every_unit` or `expression`, `time_zone`, `grace`, `grace_unit`."""
    errors: dict[str, list[str]] = {}
    kind = given.get("kind", "")
    if kind not in SCHEDULE_KINDS:
        return Reading(None, {"kind": ["Choose an interval or a cron expression."]})
    every, expression = _READERS[kind](given, errors)
    zone = given.get("time_zone", "").strip()
    if not is_time_zone(zone):
        errors["time_zone"] = ["Choose a time zone from the list."]
    grace = _read_span(given, "grace", MOST_GRACE, errors)
    if errors or grace is None:
        return Reading(None, errors)
    return Reading(Wish(kind, every, expression, zone, grace), errors)


def _read_interval(
    given: Mapping[str, str], errors: dict[str, list[str]]
) -> tuple[int | None, str | None]:
    return _read_span(given, "every", MOST_SECONDS, errors), None


def _read_cron(
    given: Mapping[str, str], errors: dict[str, list[str]]
) -> tuple[int | None, str | None]:
    text = given.get("expression", "")
    try:
        if len(text) > EXPRESSION_LENGTH:
            raise UnreadableError(f"At most {EXPRESSION_LENGTH} characters are taken.")
        return None, read_expression(text)
    except UnreadableError as error:
        errors["expression"] = [str(error)]
        return None, None


_READERS: dict[
    str, Callable[[Mapping[str, str], dict[str, list[str]]], tuple[int | None, str | None]]
] = {"interval": _read_interval, "cron": _read_cron}


def _read_span(
    given: Mapping[str, str], name: str, most: int, errors: dict[str, list[str]]
) -> int | None:
    """An amount with its unit, in seconds."""
    try:
        return read_span(name, given.get(name, ""), given.get(f"{name}_unit", ""), most)
    except RefusedError as error:
        errors[name] = [str(error)]
        return None


def read_span(field: str, amount: str, unit: str, most: int) -> int:
    """In seconds; raises RefusedError at the field."""
    text = amount.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 9) or unit not in UNITS:
        raise RefusedError(field, "Enter a whole number, such as 15.")
    seconds = int(text) * UNITS[unit]
    if not LEAST_SECONDS <= seconds <= most:
        raise RefusedError(field, f"Enter 1 minute to {span_in_words(most)}.")
    return seconds


# --- Writes -------------------------------------------------------------------------------------


def set_schedule(workflow: Workflow, wish: Wish) -> None:
    """Expect runs by this from now on; what was silent begins anew. The same again does nothing."""
    workflow_id = workflow.id
    with writing() as session:
        # Of two people who set the first one at once, the second waits and changes it.
        of_workflow = select(Workflow.id).where(Workflow.id == workflow_id)
        session.execute(of_workflow.with_for_update(key_share=True))
        present, wanted = _lock(session, workflow_id), wish.as_schedule(workflow_id)
        if present is not None and _is_alike(present, wanted):
            return
        schedule = present or wanted
        for name in _WISHED:
            setattr(schedule, name, getattr(wanted, name))
        schedule.changed_at = now()
        _begin_anew(session, schedule)
        session.add(schedule)


def add_schedule(session: Session, workflow_id: int, wish: Wish) -> None:
    """The first one of a workflow that is made in the same transaction."""
    schedule = wish.as_schedule(workflow_id)
    _begin_anew(session, schedule)
    session.add(schedule)


def remove_schedule(workflow: Workflow) -> None:
    workflow_id = workflow.id
    with writing() as session:
        schedule = _lock(session, workflow_id)
        if schedule is not None:
            session.delete(schedule)
            end_silence(session, workflow_id)


def resume_schedule(session: Session, workflow_id: int) -> None:
    """For a workflow that is restored: nothing was expected while it was archived."""
    schedule = _lock(session, workflow_id)
    if schedule is not None:
        _begin_anew(session, schedule)


def end_silence(session: Session, workflow_id: int) -> None:
    """Not by a run: nobody waits for one any more."""
    is_open = (Silence.workflow_id == workflow_id) & Silence.ended_at.is_(None)
    session.execute(update(Silence).where(is_open).values(ended_at=now()))


def set_stuck_after(workflow: Workflow, seconds: int | None) -> None:
    """How long a run may be open; None is a day. Open runs are judged anew."""
    limit = STUCK_AFTER if seconds is None else timedelta(seconds=seconds)
    workflow_id = workflow.id
    with writing() as session:
        workflow.stuck_after_seconds = seconds
        within = is_open() & (Run.started_at > now() - limit)
        of_workflow = (Run.workflow_id == workflow_id) & Run.stuck_since.is_not(None)
        session.execute(update(Run).where(of_workflow, within).values(stuck_since=None))


_WISHED = ("kind", "every_seconds", "cron_expression", "time_zone", "grace_seconds")


def _is_alike(one: Schedule, other: Schedule) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _WISHED)


def _lock(session: Session, workflow_id: int) -> Schedule | None:
    query = select(Schedule).where(Schedule.workflow_id == workflow_id).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def _begin_anew(session: Session, schedule: Schedule) -> None:
    end_silence(session, schedule.workflow_id)
    moment = now()
    schedule.last_run_at = find_last_run_at(session, schedule, moment)
    schedule.expect(first_expected(schedule, schedule.last_run_at, moment))


def first_expected(schedule: Schedule, last_run_at: datetime | None, moment: datetime) -> datetime:
    """After the last run, if that is yet to come; what is past is not held against anybody."""
    timetable = schedule.timetable
    due = timetable.after_run(last_run_at) if last_run_at else moment
    return due if due > moment else timetable.after_time(moment)


def find_last_run_at(session: Session, schedule: Schedule, moment: datetime) -> datetime | None:
    """The moment at which the workflow's newest run counts, open ones too."""
    runs = select(Run.started_at, Run.ended_at).where(
        Run.workflow_id == schedule.workflow_id, Run.is_test.is_(False)
    )
    ended = runs.where(Run.ended_at.is_not(None)).order_by(Run.ended_at.desc()).limit(1)
    running = runs.where(is_open()).order_by(Run.started_at.desc()).limit(1)
    found = [*session.execute(ended), *session.execute(running)]
    moments = [schedule.timetable.moment_of(*row) for row in found]
    return min(max(moments), moment) if moments else None


def find_schedule(workflow: Workflow) -> Schedule | None:
    return db.session.scalar(select(Schedule).where(Schedule.workflow_id == workflow.id))
