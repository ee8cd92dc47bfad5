"""Channels, the outbox of messages, their deliveries, and who wants the weekly digest.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "channels",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(24), nullable=False),
        sa.Column("workspace_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("sealed_settings", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", BIG_ID, nullable=True),
        sa.Column("last_ok_at", MOMENT, nullable=True),
        sa.Column("failing_since", MOMENT, nullable=True),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.Column("disabled_why", sa.Text(), nullable=True),
        _reference("channels", "workspace_id", "workspaces"),
        _reference("channels", "created_by_id", "users", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
        sa.UniqueConstraint("public_id", name=op.f("uq_channels_public_id")),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_channels_workspace_id_name")),
    )
    op.create_table(
        "messages",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("workspace_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("incident", sa.String(64), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        _reference("messages", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint("message_id", name=op.f("uq_messages_message_id")),
    )
    op.create_index(op.f("ix_messages_workspace_id"), "messages", ["workspace_id"])
    op.create_index(op.f("ix_messages_created_at"), "messages", ["created_at"])
    op.create_table(
        "deliveries",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(24), nullable=False),
        sa.Column("message_id", BIG_ID, nullable=False),
        sa.Column("channel_id", BIG_ID, nullable=True),
        sa.Column("recipient", sa.String(254), nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=True),
        sa.Column("lease_until", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("reached", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'failed', 'given_up')",
            name=op.f("ck_deliveries_state_known"),
        ),
        sa.CheckConstraint(
            "(channel_id IS NULL) <> (recipient IS NULL)", name=op.f("ck_deliveries_one_way")
        ),
        _reference("deliveries", "message_id", "messages"),
        _reference("deliveries", "channel_id", "channels"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("public_id", name=op.f("uq_deliveries_public_id")),
        sa.UniqueConstraint(
            "message_id", "channel_id", name=op.f("uq_deliveries_message_id_channel_id")
        ),
    )
    _index_some("ix_deliveries_waiting", ["next_try_at", "id"], "state = 'waiting'")
    _index_some("ix_deliveries_leased", ["lease_until"], "lease_until IS NOT NULL")
    op.create_index("ix_deliveries_channel_id_id", "deliveries", ["channel_id", "id"])
    op.create_table(
        "delivery_attempts",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("delivery_id", BIG_ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("took_ms", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        _reference("delivery_attempts", "delivery_id", "deliveries"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempts")),
    )
    op.create_index(op.f("ix_delivery_attempts_delivery_id"), "delivery_attempts", ["delivery_id"])
    op.create_table(
        "weekly_digests",
        sa.Column("membership_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("last_monday", sa.Date(), nullable=True),
        _reference("weekly_digests", "membership_id", "memberships"),
        sa.PrimaryKeyConstraint("membership_id", name=op.f("pk_weekly_digests")),
    )


def downgrade() -> None:
    for table in ("weekly_digests", "delivery_attempts", "deliveries", "messages", "channels"):
        op.drop_table(table)


def _reference(
    table: str, column: str, target: str, ondelete: str = "CASCADE"
) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)


def _index_some(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "deliveries", columns, sqlite_where=condition, postgresql_where=condition)
