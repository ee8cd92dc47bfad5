"""Alert rules, alerts and the messages that tell of them, labels, and maintenance windows.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(24), nullable=False),
        sa.Column("workspace_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("workflow_id", BIG_ID, nullable=True),
        sa.Column("label", sa.String(40), nullable=True),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("cool_down_minutes", sa.Integer(), nullable=False),
        sa.Column("reminder_minutes", sa.Integer(), nullable=True),
        sa.Column("recovery_after", sa.Integer(), nullable=False),
        sa.Column("tells_recovery", sa.Boolean(), nullable=False),
        sa.Column("quiet_from", sa.String(5), nullable=True),
        sa.Column("quiet_until", sa.String(5), nullable=True),
        sa.Column("quiet_zone", sa.String(64), nullable=True),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("snoozed_until", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", BIG_ID, nullable=True),
        sa.CheckConstraint(
            "workflow_id IS NULL OR label IS NULL", name=op.f("ck_alert_rules_one_scope")
        ),
        _reference("alert_rules", "created_by_id", "users", "SET NULL"),
        _reference("alert_rules", "workflow_id", "workflows"),
        _reference("alert_rules", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_rules")),
        sa.UniqueConstraint("public_id", name=op.f("uq_alert_rules_public_id")),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_alert_rules_workspace_id_name")),
    )
    op.create_table(
        "maintenance_windows",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(24), nullable=False),
        sa.Column("workspace_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("workflow_id", BIG_ID, nullable=True),
        sa.Column("label", sa.String(40), nullable=True),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("is_weekly", sa.Boolean(), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", BIG_ID, nullable=True),
        sa.CheckConstraint(
            "workflow_id IS NULL OR label IS NULL", name=op.f("ck_maintenance_windows_one_scope")
        ),
        _reference("maintenance_windows", "created_by_id", "users", "SET NULL"),
        _reference("maintenance_windows", "workflow_id", "workflows"),
        _reference("maintenance_windows", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_windows")),
        sa.UniqueConstraint("public_id", name=op.f("uq_maintenance_windows_public_id")),
    )
    op.create_index("ix_maintenance_windows_workspace_id", "maintenance_windows", ["workspace_id"])
    op.create_table(
        "workflow_labels",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("workspace_id", BIG_ID, nullable=False),
        sa.Column("workflow_id", BIG_ID, nullable=False),
        sa.Column("label", sa.String(40), nullable=False),
        _reference("workflow_labels", "workflow_id", "workflows"),
        _reference("workflow_labels", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_labels")),
        sa.UniqueConstraint(
            "workflow_id", "label", name=op.f("uq_workflow_labels_workflow_id_label")
        ),
    )
    op.create_index(
        "ix_workflow_labels_workspace_id_label", "workflow_labels", ["workspace_id", "label"]
    )
    op.create_table(
        "alert_rule_channels",
        sa.Column("rule_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("channel_id", BIG_ID, autoincrement=False, nullable=False),
        _reference("alert_rule_channels", "channel_id", "channels"),
        _reference("alert_rule_channels", "rule_id", "alert_rules"),
        sa.PrimaryKeyConstraint("rule_id", "channel_id", name=op.f("pk_alert_rule_channels")),
    )
    op.create_index(
        op.f("ix_alert_rule_channels_channel_id"), "alert_rule_channels", ["channel_id"]
    )
    op.create_table(
        "alerts",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("public_id", sa.String(24), nullable=False),
        sa.Column("workspace_id", BIG_ID, nullable=False),
        sa.Column("rule_id", BIG_ID, nullable=True),
        sa.Column("rule_name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("workflow_id", BIG_ID, nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("count", BIG_ID, nullable=False),
        sa.Column("good_count", sa.Integer(), nullable=False),
        sa.Column("is_muted", sa.Boolean(), nullable=False),
        sa.Column("not_before", MOMENT, nullable=True),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.Column("last_told_at", MOMENT, nullable=True),
        sa.Column("told_count", BIG_ID, nullable=False),
        sa.Column("digest_count", sa.Integer(), nullable=False),
        sa.Column("end_told_at", MOMENT, nullable=True),
        sa.Column("due_at", MOMENT, nullable=True),
        _reference("alerts", "rule_id", "alert_rules", "SET NULL"),
        _reference("alerts", "workflow_id", "workflows"),
        _reference("alerts", "workspace_id", "workspaces"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("public_id", name=op.f("uq_alerts_public_id")),
    )
    _index_some("ix_alerts_open", ["workspace_id", "id"], "ended_at IS NULL")
    _index_some("ix_alerts_due_at", ["due_at"], "due_at IS NOT NULL")
    op.create_index("ix_alerts_rule_id_workflow_id", "alerts", ["rule_id", "workflow_id"])
    op.create_index("ix_alerts_workflow_id_id", "alerts", ["workflow_id", "id"])
    op.create_index("ix_alerts_workspace_id_id", "alerts", ["workspace_id", "id"])
    _index_some("uq_alerts_open", ["rule_id", "workflow_id"], "ended_at IS NULL", unique=True)
    _index_some(
        "uq_alerts_open_workspace",
        ["rule_id"],
        "ended_at IS NULL AND workflow_id IS NULL",
        unique=True,
    )
    op.create_table(
        "alert_messages",
        sa.Column("alert_id", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("message_id", BIG_ID, autoincrement=False, nullable=False),
        _reference("alert_messages", "alert_id", "alerts"),
        _reference("alert_messages", "message_id", "messages"),
        sa.PrimaryKeyConstraint("alert_id", "message_id", name=op.f("pk_alert_messages")),
    )
    op.create_index(op.f("ix_alert_messages_message_id"), "alert_messages", ["message_id"])


def downgrade() -> None:
    for table in (
        "alert_messages",
        "alerts",
        "alert_rule_channels",
        "workflow_labels",
        "maintenance_windows",
        "alert_rules",
    ):
        op.drop_table(table)


def _reference(
    table: str, column: str, target: str, ondelete: str = "CASCADE"
) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)


def _index_some(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        "alerts",
        columns,
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )
