"""Runs as a list shows them: without what can be long."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import defer, joinedload

from app.beginnings import mask_beginning, most_read
from app.clock import now
from app.console.hidden import visible
from app.console.run_links import SourceLink, find_source_link
from app.extensions import db
from app.models import Run

MESSAGE_LENGTH = 300
DETAILS_LENGTH = 4_000
"""Longer metadata is not looked into for a link; the run's own page does."""
MOST_RELATED = 50
MOST_COMPARED = 1_000


class ListedRun(NamedTuple):
    """A run, the beginning of its error message, and where it can be looked at."""

    run: Run
    message: str
    source: SourceLink | None

    @property
    def ended_at(self) -> datetime:
        """One that has not ended lasts until now."""
        return self.run.ended_at or now()

    @property
    def duration_ms(self) -> float | None:
        """As told; of one that has not ended, how long it has been running."""
        if self.run.ended_at is not None or self.run.started_at is None:
            return self.run.duration_ms
        return max(now() - self.run.started_at, timedelta()) / timedelta(milliseconds=1)

    @property
    def started_at(self) -> datetime | None:
        """As told, or else as it follows from the duration."""
        return find_start(self.run)


def find_start(run: Run) -> datetime | None:
    if run.started_at is not None or run.duration_ms is None or run.ended_at is None:
        return run.started_at
    try:
        return run.ended_at - timedelta(milliseconds=run.duration_ms)
    except OverflowError:
        return None


def load_runs(ids: Collection[int]) -> list[ListedRun]:
    """These runs, the one that ended last, or that began last and has not ended, first."""
    return _load(Run.id.in_(ids)) if ids else []


def latest_runs(workflow_id: int, limit: int) -> list[ListedRun]:
    newest = select(Run.id).where(Run.workflow_id == workflow_id, Run.ended_at.is_not(None))
    newest = newest.order_by(Run.ended_at.desc(), Run.id.desc()).limit(limit)
    return load_runs(db.session.scalars(newest).all())


def find_related(run: Run) -> list[ListedRun]:
    """All runs with the same correlation id, this one among them, in the order of their ends; those
    that have none as they began."""
    if run.correlation_id is None:
        return []
    # Without an order, which would lead SQLite through all of the workspace's runs.
    alike = select(Run.id).where(
        Run.workspace_id == run.workspace_id,
        Run.correlation_id == run.correlation_id,
    )
    newest = sorted(db.session.scalars(alike.limit(MOST_COMPARED)))[-MOST_RELATED:]
    return load_runs({*newest, run.id})[::-1] if len(newest) > 1 else []


def _load(condition: ColumnElement[bool]) -> list[ListedRun]:
    is_short = func.length(Run.details) <= DETAILS_LENGTH
    query = (
        select(
            Run,
            func.substr(Run.error_message, 1, most_read(MESSAGE_LENGTH)),
            case((is_short, Run.details), else_=None),
        )
        .where(condition)
        .options(defer(Run.details), defer(Run.error_message), joinedload(Run.workflow))
        .order_by(func.coalesce(Run.ended_at, Run.started_at).desc(), Run.id.desc())
    )
    return [
        ListedRun(run, _begin(message or ""), find_source_link(run, details))
        for run, message, details in db.session.execute(query)
    ]


def _begin(message: str) -> str:
    return mask_beginning(message, MESSAGE_LENGTH, visible)
