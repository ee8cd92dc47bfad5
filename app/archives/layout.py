"""What stands in an archive of a workspace, in which order, and what never does."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, select

from app.models import (
    Alert,
    AlertRule,
    AlertRuleChannel,
    ApiKey,
    Channel,
    Event,
    FormerSlug,
    IgnoredProblem,
    KeyUsage,
    MaintenanceWindow,
    Rollup,
    Run,
    Schedule,
    Silence,
    Workflow,
    WorkflowLabel,
    Workspace,
    WorkspaceRollup,
    of_state,
)

FORMAT, VERSION = "flowpulse-workspace", 1
MANIFEST = "manifest.json"
Mine = Callable[[int], ColumnElement[bool]]


class ArchiveError(Exception):
    """An archive that can't be made or taken in; the message says why and what to do."""


class Part(NamedTuple):
    """Rows of a table: `mine` is the condition that they are a workspace's.

    `is_live`: the worker acts on them, so that they come last, together with what makes the
    workspace a team's own. `is_steady`: nothing removes them while they are taken in.
    """

    name: str
    model: type[Any]
    mine: Mine
    is_live: bool = False
    is_steady: bool = True

    @property
    def table(self) -> Table:
        return cast(Table, self.model.__table__)

    @property
    def member(self) -> str:
        """Its place in the file."""
        return f"tables/{self.name}.jsonl"

    @property
    def columns(self) -> list[str]:
        return [each.name for each in self.table.columns if each.name not in self.hidden]

    @property
    def hidden(self) -> frozenset[str]:
        """Columns that no archive has: who of the people did it, and what this server alone has."""
        people = (each.name for each in self.table.columns if _names(each) == "users")
        return frozenset(people) | OF_SERVER.get(self.table.name, frozenset())


OF_SERVER = {
    "workspaces": frozenset({"deleted_at"}),
    "channels": frozenset({"sealed_settings"}),
}


def _of_workspace(model: type[Any]) -> Mine:
    return lambda workspace_id: model.workspace_id == workspace_id


def _by(column: Any, parent: type[Any]) -> Mine:
    def mine(workspace_id: int) -> ColumnElement[bool]:
        own = select(parent.id).where(parent.workspace_id == workspace_id)
        return cast(ColumnElement[bool], column.in_(own))

    return mine


def _events(*states: str) -> Mine:
    """Each state spelt out, by which an index leads to them."""

    def mine(workspace_id: int) -> ColumnElement[bool]:
        condition = of_state(states[0])
        for state in states[1:]:
            condition = condition | of_state(state)
        return (Event.workspace_id == workspace_id) & condition

    return mine


PARTS = (
    Part("workspaces", Workspace, Workspace.id.__eq__),
    Part("workflows", Workflow, _of_workspace(Workflow)),
    Part("former_slugs", FormerSlug, _of_workspace(FormerSlug), is_steady=False),
    Part("workflow_labels", WorkflowLabel, _of_workspace(WorkflowLabel)),
    Part("api_keys", ApiKey, _of_workspace(ApiKey)),
    Part("key_usage", KeyUsage, _by(KeyUsage.api_key_id, ApiKey), is_steady=False),
    Part("channels", Channel, _of_workspace(Channel)),
    Part("runs", Run, _of_workspace(Run)),
    Part("events", Event, _events("processed", "failed")),
    Part("refused_events", Event, _events("rejected"), is_steady=False),
    Part("ignored_problems", IgnoredProblem, _of_workspace(IgnoredProblem)),
    Part("rollups", Rollup, _by(Rollup.workflow_id, Workflow), is_steady=False),
    Part("workspace_rollups", WorkspaceRollup, _of_workspace(WorkspaceRollup), is_steady=False),
    Part("alert_rules", AlertRule, _of_workspace(AlertRule), is_live=True),
    Part(
        "alert_rule_channels",
        AlertRuleChannel,
        _by(AlertRuleChannel.rule_id, AlertRule),
        is_live=True,
    ),
    Part("alerts", Alert, _of_workspace(Alert), is_live=True),
    Part("maintenance_windows", MaintenanceWindow, _of_workspace(MaintenanceWindow), is_live=True),
    Part("silences", Silence, _by(Silence.workflow_id, Workflow), is_live=True),
    Part("schedules", Schedule, _by(Schedule.workflow_id, Workflow), is_live=True),
    Part("waiting_events", Event, _events("accepted"), is_live=True),
)
"""In the order in which they are read and taken in: what is pointed to comes first.

Not among them: people and their sessions, the audit log, messages and their deliveries, answers to
Idempotency-Keys, and counts of what was never stored.
"""
MOVED = ("events", "runs")
"""Tables whose rows keep their order and their distances: their ids move by one number."""


def _names(column: Any) -> str | None:
    """The table that the column points to."""
    return next((key.column.table.name for key in column.foreign_keys), None)


def points_to(column: Any) -> str | None:
    return POINTERS.get((column.table.name, column.name)) or _names(column)


POINTERS = {
    ("runs", "decided_by_event_id"): "events",
    ("events", "attempt_of_id"): "events",
    ("ignored_problems", "up_to_event_id"): "events",
    ("silences", "ended_by_run_id"): "runs",
}
"""Columns that name a row without a foreign key."""
