"""Accepted events with warnings are found by their time: the troubleshooting table counts them.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("warnings IS NOT NULL")
    op.create_index(
        "ix_events_warned",
        "events",
        ["workspace_id", "received_at"],
        sqlite_where=where,
        postgresql_where=where,
    )


def downgrade() -> None:
    op.drop_index("ix_events_warned", "events")
