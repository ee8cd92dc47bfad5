"""An index over the runs that have been stuck, which are few: a rule's preview looks for them.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NAME = "ix_runs_stuck"
WHERE = sa.text("stuck_since IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        NAME,
        "runs",
        ["workflow_id", "stuck_since"],
        sqlite_where=WHERE,
        postgresql_where=WHERE,
    )


def downgrade() -> None:
    op.drop_index(NAME, "runs")
