"""Each workspace has its own retention: what looks for old rows goes by workspace first.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATES = ("processed", "failed")


def upgrade() -> None:
    for state in STATES:
        _index_state(state, ["workspace_id", "received_at"])
    op.drop_index("ix_runs_outcome_updated_at", "runs")
    op.create_index(
        "ix_runs_workspace_id_outcome_updated_at", "runs", ["workspace_id", "outcome", "updated_at"]
    )


def downgrade() -> None:
    op.drop_index("ix_runs_workspace_id_outcome_updated_at", "runs")
    op.create_index("ix_runs_outcome_updated_at", "runs", ["outcome", "updated_at"])
    for state in STATES:
        _index_state(state, ["received_at"])


def _index_state(state: str, columns: list[str]) -> None:
    name, where = f"ix_events_{state}", sa.text(f"state = '{state}'")
    op.drop_index(name, "events")
    op.create_index(name, "events", columns, sqlite_where=where, postgresql_where=where)
