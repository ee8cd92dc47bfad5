"""What the lists' parameters ask for, as conditions, and which indexes lead to it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import SQLColumnExpression, and_, func, literal_column, select

from app.api.search import Condition, Lead, Sought
from app.models import Event, Run, Workflow, has_outcome, is_open, of_state

EXACT = ("correlation_id", "external_execution_id", "error_group", "platform")
"""Parameters of the runs that have to be equal."""
WorkflowIds = Sequence[int] | None
"""The workflows that a key is limited to; None stands for all."""


class Span(NamedTuple):
    """Of one workflow, from a moment on, and before another."""

    workflow_id: int | None
    since: datetime | None
    until: datetime | None

    def limits(self, moment: SQLColumnExpression[Any]) -> list[Condition]:
        found = [moment >= self.since] if self.since else []
        return [*found, moment < self.until] if self.until else found


def seek_workflows(workspace_id: int, workflow_ids: WorkflowIds) -> Sought:
    conditions = [] if workflow_ids is None else [Workflow.id.in_(workflow_ids)]
    leads = [Lead(conditions)] if conditions else []
    return Sought(Workflow.id, Workflow.workspace_id, workspace_id, conditions, leads)


def seek_events(
    workspace_id: int, workflow_ids: WorkflowIds, *, status: str | None, span: Span
) -> Sought:
    conditions = _of_workflows(Event.workflow_id, workflow_ids, span)
    leads = [Lead([each]) for each in conditions]
    if status:
        conditions.append(Event.state == status)
        leads.append(Lead([of_state(status)]))
    if limits := span.limits(Event.received_at):
        conditions += limits
        leads.append(Lead(_within(workspace_id, limits)))
    return Sought(Event.id, Event.workspace_id, workspace_id, conditions, leads)


def _within(workspace_id: int, limits: Sequence[Condition]) -> list[Condition]:
    """Events of a time, by the index of each state; all that are accepted, which are few."""
    # Plus 0, where an index holds the state's events of all workspaces: SQLite would take another.
    mine, whosever = Event.workspace_id == workspace_id, Event.workspace_id + 0 == workspace_id
    return [
        of_state("accepted"),
        and_(of_state("rejected"), whosever, *limits),
        *(and_(of_state(state), mine, *limits) for state in ("processed", "failed")),
    ]


def seek_runs(
    workspace_id: int,
    workflow_ids: WorkflowIds,
    *,
    outcome: str | None,
    exact: Mapping[str, str],
    span: Span,
) -> Sought:
    conditions = _of_workflows(Run.workflow_id, workflow_ids, span)
    leads = [Lead([each]) for each in conditions]
    mine = Run.workspace_id == workspace_id
    if outcome:
        conditions.append(has_outcome(outcome))
        leads.append(Lead([mine & has_outcome(outcome)]))
    for name, value in exact.items():
        condition, lead = _of_exact(name, value, workspace_id)
        conditions.append(condition)
        leads += lead
    if limits := span.limits(func.coalesce(Run.ended_at, Run.started_at)):
        conditions += limits
        ended = and_(mine, *span.limits(Run.ended_at))
        leads.append(Lead([ended, mine & is_open()]))
    return Sought(Run.id, Run.workspace_id, workspace_id, conditions, leads)


def _of_exact(name: str, value: str, workspace_id: int) -> tuple[Condition, list[Lead]]:
    """The condition, and what leads to its runs."""
    if name == "platform":
        return Run.source_platform == value.lower(), []
    condition: Condition = getattr(Run, name) == value
    owners: dict[str, Condition] = {
        "correlation_id": Run.workspace_id == workspace_id,
        "external_execution_id": Run.workflow_id.in_(
            select(Workflow.id).where(Workflow.workspace_id == workspace_id)
        ),
        "error_group": Run.outcome == literal_column("'failure'"),
    }
    return condition, [Lead([owners[name] & condition])]


def _of_workflows(column: Any, workflow_ids: WorkflowIds, span: Span) -> list[Condition]:
    found = [] if workflow_ids is None else [column.in_(workflow_ids)]
    return found if span.workflow_id is None else [*found, column == span.workflow_id]
