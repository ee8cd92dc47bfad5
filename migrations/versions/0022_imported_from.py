"""What a workflow was made from, so that an import that runs twice makes none twice.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INDEX = "uq_workflows_imported_from"


def upgrade() -> None:
    op.add_column("workflows", sa.Column("imported_from", sa.String(100)))
    op.create_index(INDEX, "workflows", ["workspace_id", "imported_from"], unique=True)


def downgrade() -> None:
    op.drop_index(INDEX, "workflows")
    op.drop_column("workflows", "imported_from")
