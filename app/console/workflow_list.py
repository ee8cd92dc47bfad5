"""Which workflows there are: those of the list, with how they do and how busy they are."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.clock import now
from app.console.guards import find_own
from app.console.workflow_health import WorkflowHealth, look_at
from app.extensions import db
from app.models import NAME_LENGTH, Rollup, Workflow

PAGE_SIZE, ARCHIVED_SIZE = 50, 25
MAX_QUERY = NAME_LENGTH
"""Of what is looked for, no more is read: no name is longer."""
WINDOW = timedelta(hours=24)


class Listed(NamedTuple):
    """How a workflow does, and its runs of the last 24 h; tests don't count."""

    health: WorkflowHealth
    runs: int

    @property
    def workflow(self) -> Workflow:
        return self.health.workflow

    @property
    def last_run_at(self) -> datetime | None:
        return self.health.last.ended_at if self.health.last else None

    @property
    def state(self) -> str:
        """As the overview tells it."""
        return self.health.state


class Found(NamedTuple):
    """The ids of the workflows that fit a search, by name; how many there are without it."""

    active: list[int]
    archived: list[int]
    total: int


def find_workflow(public_id: str) -> Workflow:
    """The workflow of the user's workspace; 404 for any other."""
    return find_own(Workflow, public_id, "workflow")


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


def load_workflows(workspace_id: int, ids: Sequence[int]) -> list[Listed]:
    """These, by name."""
    query = (
        select(Workflow)
        .options(joinedload(Workflow.schedule), joinedload(Workflow.open_silence))
        .where(Workflow.id.in_(ids))
        .order_by(Workflow.name)
    )
    runs, workflows = count_runs(ids), db.session.scalars(query).all()
    return [
        Listed(each, runs.get(each.workflow.id, 0)) for each in look_at(workspace_id, workflows)
    ]


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
