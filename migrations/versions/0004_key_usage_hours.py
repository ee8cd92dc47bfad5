"""In which hours of a day a key was used: how long its senders usually pause.

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
    op.add_column("key_usage", sa.Column("hours", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("key_usage", "hours")
