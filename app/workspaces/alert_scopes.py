"""Which workflows a rule or a maintenance window is for: all, those with a label, or one."""

from typing import NamedTuple

from sqlalchemy import select

from app.extensions import db
from app.models import Workflow, WorkflowLabel
from app.workspaces.people import RefusedError

ALL = "all"
MOST_WORKFLOWS = 200
"""Workflows to choose from; more would make the page too heavy."""


class Scope(NamedTuple):
    """At most one of the two; neither stands for all workflows."""

    workflow_id: int | None = None
    label: str | None = None


class ScopeChoice(NamedTuple):
    """As a form sends it, and as a person reads it."""

    value: str
    name: str


class ScopeChoices(NamedTuple):
    labels: list[ScopeChoice]
    workflows: list[ScopeChoice]


def list_scopes(workspace_id: int, chosen: str = ALL) -> ScopeChoices:
    """The labels, and the workflows in use by name; also what is chosen and in use no more."""
    labels = select(WorkflowLabel.label).where(WorkflowLabel.workspace_id == workspace_id)
    workflows = select(Workflow.public_id, Workflow.name).where(
        Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None)
    )
    choices = ScopeChoices(
        [
            ScopeChoice(f"label:{label}", label)
            for label in db.session.scalars(labels.distinct().order_by(WorkflowLabel.label))
        ],
        [
            ScopeChoice(f"workflow:{public_id}", name)
            for public_id, name in db.session.execute(
                workflows.order_by(Workflow.name).limit(MOST_WORKFLOWS)
            )
        ],
    )
    known = {ALL, *(each.value for group in choices for each in group)}
    if chosen not in known:
        group = choices.labels if chosen.startswith("label:") else choices.workflows
        group.append(_name_scope(workspace_id, chosen))
    return choices


def _name_scope(workspace_id: int, value: str) -> ScopeChoice:
    what, _, name = value.partition(":")
    if what == "workflow":
        query = select(Workflow.name).where(
            Workflow.workspace_id == workspace_id, Workflow.public_id == name
        )
        name = db.session.scalar(query) or "a workflow that is gone"
    return ScopeChoice(value, name)


def read_scope(workspace_id: int, text: str) -> Scope:
    """`all`, `label:…` or `workflow:…`. Raises RefusedError."""
    what, _, name = text.partition(":")
    if text == ALL:
        return Scope()
    if what == "label" and _has_label(workspace_id, name):
        return Scope(label=name)
    found = db.session.scalar(
        select(Workflow.id).where(Workflow.workspace_id == workspace_id, Workflow.public_id == name)
    )
    if what == "workflow" and found is not None:
        return Scope(workflow_id=found)
    raise RefusedError("scope", "Choose all workflows, a label or a workflow of the list.")


def _has_label(workspace_id: int, label: str) -> bool:
    query = select(WorkflowLabel.id).where(
        WorkflowLabel.workspace_id == workspace_id, WorkflowLabel.label == label
    )
    return db.session.scalar(query.limit(1)) is not None
