"""The row of the troubleshooting table that a failed delivery belongs to, kept with the try.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery_attempts", sa.Column("problem", sa.String(40), nullable=True))
    # Of older tries, the status tells it where there was an answer.
    op.execute(
        "UPDATE delivery_attempts SET problem = CASE WHEN status >= 500"
        " THEN 'delivery_server_error' ELSE 'delivery_rejected' END"
        " WHERE error IS NOT NULL AND status >= 300"
    )


def downgrade() -> None:
    op.drop_column("delivery_attempts", "problem")
