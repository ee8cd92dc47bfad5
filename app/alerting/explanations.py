"""Why a workflow may be silent: what else FlowPulse knows about it, for a message."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.alerting.course import Said
from app.alerting.kinds import KINDS
from app.alerting.words import moment_in_words
from app.models import Run, Schedule, Workflow

MINUTES_UP_TO, HOURS_UP_TO = 120, 48
"""From there on a span is told in hours, and in days."""


class Cause(Protocol):
    """What may be the cause, as a sentence."""

    @property
    def text(self) -> str: ...


Explain = Callable[[Session, Workflow, datetime, tzinfo], Cause | None]
"""Of app/processing, which stands above: the worker hands it down."""


def explain_silences(
    session: Session,
    told: Sequence[Said],
    zones: Mapping[int, ZoneInfo],
    now: datetime,
    explain: Explain | None,
) -> dict[int, str]:
    """For each silent workflow's alert, by its id: since when it has not run, how often it should,
    and what may be the cause. `zones` are those of the rules' messages, by the rules' ids."""
    silent = {
        said.alert.id: said.alert
        for said in told
        if KINDS[said.alert.kind].source == "silences" and said.alert.ended_at is None
    }
    if not silent:
        return {}
    ids = {alert.workflow_id for alert in silent.values()}
    found = session.scalars(select(Workflow).where(Workflow.id.in_(ids)))
    workflows = {workflow.id: workflow for workflow in found}

    @cache  # Several rules may have found the same silence.
    def tell(workflow: Workflow, zone: ZoneInfo) -> str:
        cause = explain(session, workflow, now, zone) if explain else None
        parts = [describe_silence(session, workflow, now, zone), cause.text if cause else ""]
        return " ".join(filter(None, parts))

    return {
        alert_id: tell(workflow, zones.get(alert.rule_id or 0, ZoneInfo("UTC")))
        for alert_id, alert in silent.items()
        if (workflow := workflows.get(alert.workflow_id or 0)) is not None
    }


def describe_silence(session: Session, workflow: Workflow, now: datetime, zone: ZoneInfo) -> str:
    """`No run for 3 h (the last ended 28 Nov 2026, 20:45 UTC); expected every hour.`"""
    last = session.scalar(
        select(Run.ended_at)
        .where(Run.workflow_id == workflow.id, Run.ended_at <= now, Run.is_test.is_(False))
        .order_by(Run.ended_at.desc())
        .limit(1)
    )
    schedule = session.scalar(select(Schedule).where(Schedule.workflow_id == workflow.id))
    words = schedule.timetable.in_words() if schedule else ""
    expected = f"; expected {words[0].lower()}{words[1:]}" if words else ""
    if last is None:
        return f"No run has ended yet{expected}."
    ended = moment_in_words(last, zone)
    return f"No run for {_span(now - last)} (the last ended {ended}){expected}."


def _span(length: timedelta) -> str:
    """`45 min`, `3 h`, `4 days`."""
    minutes = length // timedelta(minutes=1)
    if minutes < MINUTES_UP_TO:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < HOURS_UP_TO else f"{hours // 24} days"
