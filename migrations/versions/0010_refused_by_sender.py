"""Indexes of refused requests by workflow, reference and key: what may keep a workflow's runs out.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_events_refused_workflow": (["workflow_id", "received_at"], "workflow_id IS NOT NULL"),
    "ix_events_refused_reference": (
        ["workspace_id", "reference", "received_at"],
        "reference IS NOT NULL",
    ),
    "ix_events_refused_key": (["api_key_id", "received_at"], "reference IS NULL"),
}


def upgrade() -> None:
    for name, (columns, condition) in INDEXES.items():
        where = sa.text(f"state = 'rejected' AND {condition}")
        op.create_index(name, "events", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "events")
