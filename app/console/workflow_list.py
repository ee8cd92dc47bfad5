"""Which workflows there are: those of the list, with their last run and how busy they are."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from flask import abort
from sqlalchemy import func, select
from sqlalchemy.orm import aliased, joinedload

from app.clock import now
from app.console.guards import current_workspace
from app.extensions import db
from app.models import Rollup, Run, Workflow

PAGE_SIZE = 50
WINDOW = timedelta(hours=24)


class Listed(NamedTuple):
    """A workflow, the run that ended last, and its runs of the last 24 h; tests don't count."""

    workflow: Workflow
    last_run: Run | None
    runs: int

    @property
    def state(self) -> str:
        """`ok`, `failing`, `silent` or `unreported`."""
        if self.workflow.silent_since:
            return "silent"
        if self.last_run is None:
            return "unreported"
        return "ok" if self.last_run.outcome == "success" else "failing"


class Found(NamedTuple):
    """The ids of the workflows that fit a search, by name; how many there are without it."""

    active: list[int]
    archived: list[int]
    total: int


def find_workflow(public_id: str) -> Workflow:
    """The workflow of the user's workspace; 404 for any other."""
    workflow = db.session.scalar(
        select(Workflow).where(
            Workflow.public_id == public_id, Workflow.workspace_id == current_workspace().id
        )
    )
    if workflow is None:
        abort(404, "There is no such workflow in this workspace.")
    return workflow


def search_workflows(workspace_id: int, text: str) -> Found:
    """By name, slug or id, in any letter case and script, which SQLite's LIKE can't."""
    query = (
        select(Workflow.id, Workflow.name, Workflow.slug, Workflow.public_id, Workflow.archived_at)
        .where(Workflow.workspace_id == workspace_id)
        .order_by(Workflow.name)
    )
    wanted, found, total = text.casefold(), Found([], [], 0), 0
    for workflow_id, *words, archived_at in db.session.execute(query):
        total += 1
        if any(wanted in word.casefold() for word in words):
            (found.active if archived_at is None else found.archived).append(workflow_id)
    return found._replace(total=total)


def load_workflows(ids: Sequence[int]) -> list[Listed]:
    """These, by name; one index look-up finds each last run."""
    each_run = aliased(Run)
    last_run = (
        select(each_run.id)
        .where(
            each_run.workflow_id == Workflow.id,
            each_run.is_test.is_(False),
            each_run.ended_at.is_not(None),
        )
        .order_by(each_run.ended_at.desc(), each_run.id.desc())
        .limit(1)
        .correlate(Workflow)
        .scalar_subquery()
    )
    query = (
        select(Workflow, Run)
        .outerjoin(Run, Run.id == last_run)
        .options(joinedload(Workflow.schedule), joinedload(Workflow.open_silence))
        .where(Workflow.id.in_(ids))
        .order_by(Workflow.name)
    )
    runs = count_runs(ids)
    return [Listed(*row, runs.get(row[0].id, 0)) for row in db.session.execute(query)]


def count_runs(ids: Sequence[int]) -> dict[int, int]:
    """The runs of the last 24 h, to the hour, from the rollups: however many there were, it is
    24 rows a workflow."""
    query = (
        select(Rollup.workflow_id, func.sum(Rollup.success_count + Rollup.failure_count))
        .where(
            Rollup.workflow_id.in_(ids),
            Rollup.period == "hour",
            Rollup.starts_at > now() - WINDOW,
        )
        .group_by(Rollup.workflow_id)
    )
    return {workflow_id: int(count) for workflow_id, count in db.session.execute(query)}
