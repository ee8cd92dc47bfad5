"""When a session's password was given and why it ended; a second factor, and its recovery codes.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("user_sessions", sa.Column("password_at", sa.DateTime(timezone=True)))
    op.add_column("user_sessions", sa.Column("end_reason", sa.String(10)))
    op.add_column("users", sa.Column("totp_sealed", sa.Text()))
    op.add_column("users", sa.Column("totp_step", BIG))
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
            name=op.f("fk_recovery_codes_user_id_users"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
    )


def downgrade() -> None:
    op.drop_table("recovery_codes")
    op.drop_column("users", "totp_step")
    op.drop_column("users", "totp_sealed")
    op.drop_column("user_sessions", "end_reason")
    op.drop_column("user_sessions", "password_at")
