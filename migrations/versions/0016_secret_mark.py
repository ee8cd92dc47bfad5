"""Which secret key the keys and channels were made with: all machines need the same.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("instance", sa.Column("secret_mark", sa.String(32), nullable=True))


def downgrade() -> None:
    op.drop_column("instance", "secret_mark")
