"""How many events, runs and alerts were removed on each day, and why.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "purges",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("why", sa.String(4), nullable=False),
        sa.Column("what", sa.String(10), nullable=False),
        sa.Column("row_count", BIG_ID, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("reached_at", MOMENT, nullable=True),
        sa.CheckConstraint("why IN ('age', 'size')", name=op.f("ck_purges_why_known")),
        sa.CheckConstraint(
            "what IN ('rejected', 'success', 'failure')", name=op.f("ck_purges_what_known")
        ),
        sa.PrimaryKeyConstraint("day", "why", "what", name=op.f("pk_purges")),
    )


def downgrade() -> None:
    op.drop_table("purges")
