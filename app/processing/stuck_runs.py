"""Runs that have started and don't end: each one is stuck once it is open for too long."""

from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, writing
from app.models import STUCK_AFTER, Downtime, Run, Workflow, is_open
from app.processing.downtimes import look_for_web
from app.processing.schedules import list_waiting_workflows

MOST_AT_ONCE = 500
GRACE = timedelta(minutes=10)
"""So long, or for their limit, runs from before a downtime of FlowPulse are let be after it: their
ends may be sent again."""
_LIMIT = func.coalesce(Workflow.stuck_after_seconds, int(STUCK_AFTER.total_seconds()))


def stuck_after(workflow: Workflow) -> timedelta:
    """How long a run of the workflow may be open."""
    seconds = workflow.stuck_after_seconds
    return STUCK_AFTER if seconds is None else timedelta(seconds=seconds)


def mark_stuck_runs(moment: datetime | None = None) -> int:
    """Mark the open runs that have reached their workflow's limit; returns how many.

    A workflow of which an event waits to be processed is left for later: it may be the end. While
    no web process takes any in, nothing is marked.
    """
    at, downtime = look_for_web(db.session(), moment or now())
    found = [] if downtime else _list_overdue(db.session(), at)
    db.session.rollback()
    if not found:
        return 0
    with writing() as session:
        waiting = set(list_waiting_workflows(session))
        overdue = [each for each in _list_overdue(session, at) if each[1] not in waiting]
        for run_id, _, since in overdue:
            open_still = (Run.id == run_id) & is_open()
            session.execute(update(Run).where(open_still).values(stuck_since=since))
    return len(overdue)


def _list_overdue(session: Session, at: datetime) -> list[tuple[int, int, datetime]]:
    """Run, workflow, and since when it is stuck: one look for each limit that is in use."""
    unjudged = select(Run.id).where(is_open(), Run.stuck_since.is_(None)).limit(1)
    if session.scalar(unjudged) is None:
        return []
    in_use = Workflow.archived_at.is_(None)
    recent = select(func.max(Downtime.ended_at)).where(Downtime.ended_at > at - GRACE)
    down_until = session.scalar(recent)
    limits = session.scalars(select(_LIMIT).where(in_use).distinct())
    found: list[tuple[int, int, datetime]] = []
    for seconds in limits.all():
        limit = timedelta(seconds=seconds)
        query = select(Run.id, Run.workflow_id, Run.started_at).where(
            is_open(),
            Run.stuck_since.is_(None),
            Run.is_test.is_(False),
            Run.started_at <= at - limit,
            Run.workflow_id.in_(select(Workflow.id).where(in_use, _LIMIT.in_([seconds]))),
        )
        if down_until is not None and at < down_until + min(limit, GRACE):
            query = query.where(Run.started_at > down_until)
        rows = session.execute(query.order_by(Run.id).limit(MOST_AT_ONCE))
        found += [(run, workflow, began + limit) for run, workflow, began in rows if began]
    return found
