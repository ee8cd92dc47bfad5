"""Runs as the rows of a file: all that the history with its filter shows, on all of its pages."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, undefer

from app.console.event_rows import mask
from app.console.places import Place
from app.console.run_filter import RunFilter
from app.console.run_list import find_start
from app.console.run_search import search
from app.extensions import db
from app.models import Run
from app.redaction import mask_value

READ_AT_ONCE = 200
COLUMNS = (
    "id",
    "workflow_id",
    "workflow_slug",
    "workflow_name",
    "outcome",
    "previous_outcome",
    "started_at",
    "ended_at",
    "stuck_since",
    "duration_ms",
    "external_execution_id",
    "source_platform",
    "source_workflow_id",
    "correlation_id",
    "error_type",
    "error_message",
    "error_group",
    "metadata",
    "event_count",
    "is_test",
    "created_at",
    "updated_at",
)
"""Of the file, in this order."""


def read_rows(workspace_id: int, wanted: RunFilter) -> Iterator[list[dict[str, Any]]]:
    """All that fit and are there now, in batches: as on the page first what is still running, then
    what has ended. One that ends meanwhile is in it once."""
    newest = db.session.scalar(select(func.max(Run.id))) or 0
    among, told = wanted.among_open_runs(), set[int]()
    for open_ids in _walk(workspace_id, among, newest) if among else ():
        told.update(open_ids)
        yield _load(open_ids)
    for ids in _walk(workspace_id, wanted, newest):
        yield _load([each for each in ids if each not in told])


def _walk(workspace_id: int, wanted: RunFilter, newest: int) -> Iterator[list[int]]:
    """Ids in the order of the list. Whoever takes them reads them before asking for more."""
    start: Place | None = None
    while True:
        found, stopped_at = search(workspace_id, wanted, start, limit=READ_AT_ONCE)
        yield [place.id for place in found if place.id <= newest]
        start = found[-1] if len(found) == READ_AT_ONCE else stopped_at
        if start is None:
            return


def _load(ids: Sequence[int]) -> list[dict[str, Any]]:
    """In this order, without those that have gone since. Nothing is held behind it."""
    query = select(Run).where(Run.id.in_(ids))
    query = query.options(joinedload(Run.workflow), undefer(Run.details))
    runs = {run.id: run for run in db.session.scalars(query)} if ids else {}
    rows = [_describe(runs[each]) for each in ids if each in runs]
    db.session.expunge_all()
    db.session.rollback()
    return rows


def _describe(run: Run) -> dict[str, Any]:
    """By COLUMNS, with secrets hidden as in the list."""
    return {
        "id": run.public_id,
        "workflow_id": run.workflow.public_id,
        "workflow_slug": run.workflow.slug,
        "workflow_name": run.workflow.name,
        "outcome": run.outcome,
        "previous_outcome": run.previous_outcome,
        "started_at": find_start(run),
        "ended_at": run.ended_at,
        "stuck_since": run.stuck_since,
        "duration_ms": run.duration_ms,
        "external_execution_id": mask(run.external_execution_id),
        "source_platform": mask(run.source_platform),
        "source_workflow_id": mask(run.source_workflow_id),
        "correlation_id": mask(run.correlation_id),
        "error_type": mask(run.error_type),
        "error_message": mask(run.error_message),
        "error_group": run.error_group,
        "metadata": mask_value(run.details),
        "event_count": run.event_count,
        "is_test": run.is_test,
        "created_at": run.created_at,
        "updated_at": run.updated_at,
    }
