"""A workflow's schedule: when its runs are expected, shown while it is typed, and its silences."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.clock import now
from app.console.account import zone_choices
from app.console.formatting import zone_name
from app.console.kept import kept_silences
from app.console.last_runs import list_last_runs
from app.console.reader import current_reader
from app.console.schedule_suggestion import suggest
from app.console.workflow_list import find_workflow
from app.extensions import db
from app.models import STUCK_AFTER, Run, Schedule, Silence, Workflow, is_open
from app.processing.silence_causes import explain_silence
from app.timetable import MOST_SECONDS, UNITS, list_next, span_in_words, split_seconds
from app.workspaces.people import RefusedError
from app.workspaces.schedules import (
    Wish,
    find_schedule,
    read_span,
    read_wish,
    remove_schedule,
    set_schedule,
    set_stuck_after,
)

SHOWN = 5
LATEST = 10
MOST_OPEN = 20
UNIT_CHOICES = tuple((unit, f"{unit}s") for unit in UNITS)
NEW = {"kind": "interval", "every": "1", "every_unit": "hour", "grace": "10"}
"""What the form begins with."""

blueprint = Blueprint("schedules", __name__)


class Expected(NamedTuple):
    """An expected time, as the clock on the wall has it in the schedule's zone."""

    at: datetime
    wall: str


class Preview(NamedTuple):
    """What a schedule means: in words, its next times, and when the first of them is overdue."""

    words: str
    zone: str
    grace: str
    expected: list[Expected]
    overdue: Expected


@blueprint.get("/workflows/<public_id:public_id>/schedule")
def show_schedule(public_id: str) -> str:
    return _show(find_workflow(public_id), {})


@blueprint.post("/workflows/<public_id:public_id>/schedule")
def save_schedule(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    reading = read_wish(request.form)
    if reading.wish is None:
        return _show(workflow, reading.errors), 422
    set_schedule(workflow, reading.wish)
    flash(f"“{workflow.name}” is watched: {describe(reading.wish)}.", "success")
    return redirect(_address(workflow), 303)


@blueprint.post("/workflows/<public_id:public_id>/schedule/preview")
def preview(public_id: str) -> str:
    """What the form says as it is being typed."""
    find_workflow(public_id)
    reading = read_wish(request.form)
    shown = look_ahead(reading.wish.as_schedule()) if reading.wish else None
    return render_template(
        "console/_schedule_preview.html", preview=shown, preview_errors=reading.errors
    )


@blueprint.post("/workflows/<public_id:public_id>/schedule/remove")
def remove(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    remove_schedule(workflow)
    flash(f"“{workflow.name}” has no schedule any more.", "success")
    return redirect(_address(workflow), 303)


@blueprint.post("/workflows/<public_id:public_id>/stuck-after")
def save_stuck_after(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    amount, unit = request.form.get("limit", ""), request.form.get("limit_unit", "")
    try:
        seconds = read_span("limit", amount, unit, MOST_SECONDS) if amount.strip() else None
    except RefusedError as error:
        return _show(workflow, {error.field: [str(error)]}), 422
    set_stuck_after(workflow, seconds)
    limit = span_in_words(seconds or round(STUCK_AFTER.total_seconds()))
    flash(f"A run of “{workflow.name}” is stuck once it is open for {limit}.", "success")
    return redirect(_address(workflow), 303)


def describe(wish: Wish) -> str:
    """`every 15 minutes, with 5 minutes of grace`."""
    return f"{say_pace(wish)}, with {span_in_words(wish.grace_seconds)} of grace"


def say_pace(wish: Wish) -> str:
    """`every 15 minutes`, for the middle of a sentence."""
    words = wish.as_schedule().timetable.in_words()
    return words[0].lower() + words[1:]


def look_ahead(schedule: Schedule, first: datetime | None = None) -> Preview:
    """From the moment at which the next run is expected, or else from now on."""
    timetable = schedule.timetable
    times = [first, *list_next(timetable, first, SHOWN - 1)] if first else []
    expected = [_as_expected(at, timetable.zone) for at in times or _list_next(schedule)]
    return Preview(
        timetable.in_words(),
        schedule.time_zone,
        span_in_words(schedule.grace_seconds),
        expected,
        _as_expected(expected[0].at + schedule.grace, timetable.zone),
    )


def _list_next(schedule: Schedule) -> Sequence[datetime]:
    return list_next(schedule.timetable, now().replace(microsecond=0), SHOWN)


def _as_expected(at: datetime, zone: ZoneInfo) -> Expected:
    local = at.astimezone(zone)
    seconds = f":{local:%S}" if local.second else ""
    return Expected(
        at, f"{local:%a} {local.day} {local:%b}, {local:%H:%M}{seconds} {zone_name(local)}"
    )


def find_suggestion(workflow: Workflow) -> Wish | None:
    """For a workflow that has no schedule yet."""
    ends = [run.ended_at for run in list_last_runs([workflow.id], now())[workflow.id]]
    return suggest(ends, now(), current_reader().zone_name or "UTC")


def describe_watch(workflow: Workflow) -> dict[str, Any]:
    """What templates need to tell of a workflow's schedule, its silence and what may be why."""
    schedule, silence = find_schedule(workflow), find_silence(workflow)
    suggestion = None if schedule or workflow.archived_at else find_suggestion(workflow)
    explain, zone = silence is not None and not silence.during_downtime, current_reader().zone
    return {
        "schedule": schedule,
        "silence": silence,
        "cause": explain_silence(db.session(), workflow, now(), zone) if explain else None,
        "suggestion": suggestion,
        "suggested": say_pace(suggestion) if suggestion else "",
        "suggestion_form": as_form(suggestion) if suggestion else {},
    }


def find_silence(workflow: Workflow) -> Silence | None:
    query = select(Silence).where(Silence.workflow_id == workflow.id, Silence.ended_at.is_(None))
    return db.session.scalar(query)


def list_open_runs(workflow: Workflow) -> Sequence[Run]:
    """Those that have started and not ended, the longest open first; no tests."""
    query = select(Run).where(Run.workflow_id == workflow.id, is_open(), Run.is_test.is_(False))
    return db.session.scalars(query.order_by(Run.started_at).limit(MOST_OPEN)).all()


def list_silences(workflow: Workflow) -> Sequence[Silence]:
    query = select(Silence).where(Silence.workflow_id == workflow.id)
    query = query.options(joinedload(Silence.ended_by_run)).order_by(Silence.id.desc())
    return db.session.scalars(query.limit(LATEST)).all()


def as_form(wish: Wish | Schedule) -> dict[str, str]:
    """The values of the form's fields."""
    grace, grace_unit = split_seconds(wish.grace_seconds)
    form = {
        "kind": wish.kind,
        "expression": wish.cron_expression or "",
        "time_zone": wish.time_zone,
        "grace": str(grace),
        "grace_unit": grace_unit,
    }
    if wish.every_seconds:
        every, form["every_unit"] = split_seconds(wish.every_seconds)
        form["every"] = str(every)
    return form


def limit_form(workflow: Workflow) -> dict[str, str]:
    if workflow.stuck_after_seconds is None:
        return {"limit": "", "limit_unit": "hour"}
    amount, unit = split_seconds(workflow.stuck_after_seconds)
    return {"limit": str(amount), "limit_unit": unit}


def _begin_form(begin: Wish | Schedule | None) -> Mapping[str, str]:
    if begin:
        return as_form(begin)
    return {**NEW, "time_zone": current_reader().zone_name or "UTC"}


def _show(workflow: Workflow, errors: dict[str, list[str]]) -> str:
    watch = describe_watch(workflow)
    schedule: Schedule | None = watch["schedule"]
    form: dict[str, Any] = {"expression": "0 3 * * *", "every": "1", **limit_form(workflow)}
    form |= _begin_form(schedule or watch["suggestion"])
    form |= request.form.to_dict() if errors else {}
    wish, silences = read_wish(form).wish, list_silences(workflow)
    return render_template(
        "console/schedule.html",
        workflow=workflow,
        **watch,
        silences=silences,
        kept=kept_silences(workflow, silences, LATEST),
        preview=_preview_of(None if errors else schedule, wish),
        preview_errors=errors,
        zones=zone_choices(),
        units=UNIT_CHOICES,
        usual_limit=span_in_words(round(STUCK_AFTER.total_seconds())),
        form=form,
        errors=errors,
    )


def _preview_of(schedule: Schedule | None, wish: Wish | None) -> Preview | None:
    if schedule:
        return look_ahead(schedule, schedule.next_expected_at)
    return look_ahead(wish.as_schedule()) if wish else None


def _address(workflow: Workflow) -> str:
    return url_for("schedules.show_schedule", public_id=workflow.public_id)
