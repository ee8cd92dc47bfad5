"""All that a workspace has goes, in the sweep's small batches; its own row goes last."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, select

from app.extensions import db
from app.models import (
    Alert,
    ApiKey,
    Event,
    IdempotencyKey,
    KeyUsage,
    OutboxMessage,
    Rollup,
    Run,
    Silence,
    UnstoredCount,
    Workflow,
    Workspace,
    WorkspaceRollup,
)
from app.processing.retention import Removal

_WITH_WORKSPACE: tuple[type[Any], ...] = (
    Event,
    Run,
    OutboxMessage,
    Alert,
    WorkspaceRollup,
    UnstoredCount,
    IdempotencyKey,
)
"""Tables that may be long, what points to others first. The rest is short, and goes with the
workspace's own row."""


def find_deleted() -> Iterator[Removal]:
    """Of each workspace that somebody has deleted."""
    deleted = select(Workspace.id).where(Workspace.deleted_at.is_not(None))
    for workspace_id in db.session.scalars(deleted).all():
        yield from list_removals(workspace_id)


def list_removals(workspace_id: int) -> Iterator[Removal]:
    """In the order in which they go."""
    for table in _WITH_WORKSPACE:
        yield Removal(table, table.workspace_id == workspace_id)
    for table, column, parent in (
        (Rollup, Rollup.workflow_id, Workflow),
        (Silence, Silence.workflow_id, Workflow),
        (KeyUsage, KeyUsage.api_key_id, ApiKey),
    ):
        own = select(parent.id).where(parent.workspace_id == workspace_id)
        mine: ColumnElement[bool] = column.in_(own)
        yield Removal(table, mine)
    yield Removal(Workspace, Workspace.id == workspace_id)
