"""The end of a workspace: at once for people, keys and alerts; its rows go in small batches."""

from sqlalchemy import delete, func, select, update

from app.clock import now
from app.extensions import writing
from app.models import (
    Alert,
    AlertRule,
    ApiKey,
    Channel,
    Membership,
    Schedule,
    Workflow,
    Workspace,
)
from app.workspaces.audit import note
from app.workspaces.people import RefusedError

FIELD = "name_again"
WHY = "The workspace is deleted."


def delete_workspace(workspace: Workspace, name_again: str) -> None:
    """Mark it as deleted; the worker removes all that it has. Raises RefusedError where the name is
    another, and for the only one: a server without any has no use."""
    workspace_id, name = workspace.id, workspace.name
    if name_again.strip() != name:
        raise RefusedError(FIELD, f"Type its name as it is written: {name}")
    with writing() as session:
        others = select(func.count()).where(
            Workspace.id != workspace_id, Workspace.deleted_at.is_(None)
        )
        if not session.scalar(others):
            raise RefusedError(FIELD, "It is the only workspace of this server, and stays.")
        moment = now()
        mine = select(Workflow.id).where(Workflow.workspace_id == workspace_id)
        for statement in (
            update(ApiKey)
            .where(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None))
            .values(revoked_at=moment),
            update(AlertRule).where(AlertRule.workspace_id == workspace_id).values(is_on=False),
            update(Alert)
            .where(Alert.workspace_id == workspace_id, Alert.due_at.is_not(None))
            .values(due_at=None),
            update(Channel)
            .where(Channel.workspace_id == workspace_id, Channel.disabled_at.is_(None))
            .values(disabled_at=moment, disabled_why=WHY),
            delete(Schedule).where(Schedule.workflow_id.in_(mine)),
            delete(Membership).where(Membership.workspace_id == workspace_id),
            update(Workspace).where(Workspace.id == workspace_id).values(deleted_at=moment),
        ):
            session.execute(statement.execution_options(synchronize_session=False))
        note(session, "workspace_deleted", None, session.get_one(Workspace, workspace_id))
