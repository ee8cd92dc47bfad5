"""Indexes for long lists: the audit log by each of its filters and time, alerts by kind, mails.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

AUDIT, ALERTS, DELIVERIES, MESSAGES = "audit_entries", "alerts", "deliveries", "messages"
PERSON, NO_PERSON = "who IS NOT NULL", "actor <> 'person'"
MAIL, PAST = "recipient IS NOT NULL", "ended_at IS NOT NULL"
NEW: dict[str, tuple[str, list[str], str | None]] = {
    "ix_audit_entries_at": (AUDIT, ["workspace_id", "at", "id"], None),
    "ix_audit_entries_what": (AUDIT, ["workspace_id", "what", "at", "id"], None),
    "ix_audit_entries_who": (AUDIT, ["workspace_id", "who", "at", "id"], PERSON),
    "ix_audit_entries_who_what": (AUDIT, ["workspace_id", "who", "what", "at", "id"], PERSON),
    "ix_audit_entries_actor": (AUDIT, ["workspace_id", "actor", "at", "id"], NO_PERSON),
    "ix_audit_entries_actor_what": (
        AUDIT,
        ["workspace_id", "actor", "what", "at", "id"],
        NO_PERSON,
    ),
    "ix_alerts_workflow_id_kind_id": (ALERTS, ["workflow_id", "kind", "id"], None),
    "ix_alerts_workspace_id_kind_id": (ALERTS, ["workspace_id", "kind", "id"], None),
    "ix_alerts_past": (ALERTS, ["workspace_id", "last_at"], PAST),
    "ix_messages_workspace_id_created_at": (MESSAGES, ["workspace_id", "created_at"], None),
    "ix_deliveries_mails": (DELIVERIES, ["id"], MAIL),
    "ix_deliveries_recipient_id": (DELIVERIES, ["recipient", "id"], MAIL),
}
"""Table, columns, and which of its rows."""
OLD: dict[str, tuple[str, list[str], str | None]] = {
    "ix_audit_entries_workspace_id_id": (AUDIT, ["workspace_id", "id"], None),
    "ix_audit_entries_workspace_id_who_id": (AUDIT, ["workspace_id", "who", "id"], None),
    "ix_audit_entries_what_at": (AUDIT, ["what", "at"], None),
    "ix_messages_workspace_id": (MESSAGES, ["workspace_id"], None),
}
"""What the new ones do as well."""


def upgrade() -> None:
    _create(NEW)
    _drop(OLD)


def downgrade() -> None:
    _create(OLD)
    _drop(NEW)


def _create(indexes: dict[str, tuple[str, list[str], str | None]]) -> None:
    for name, (table, columns, condition) in indexes.items():
        where = None if condition is None else sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _drop(indexes: dict[str, tuple[str, list[str], str | None]]) -> None:
    for name, (table, _, _) in indexes.items():
        op.drop_index(name, table)
