"""In which hours of a day a key was used, and an index of accepted events that have warnings.

The hours tell how long a key's senders usually pause; the troubleshooting table counts warnings.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("key_usage", sa.Column("hours", sa.Integer(), server_default="0", nullable=False))
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
    op.drop_column("key_usage", "hours")
