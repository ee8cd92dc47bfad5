"""What the console needs: attempts and groups of refused requests, former slugs, key usage.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
REPLACES = "fk_api_keys_replaces_id_api_keys"
INDEXES = (
    (
        "ix_events_open_problem",
        ["workspace_id", "fingerprint", "id"],
        "state = 'rejected' AND fingerprint IS NOT NULL AND resolved_at IS NULL",
    ),
    ("ix_events_attempt_of_id", ["attempt_of_id"], "attempt_of_id IS NOT NULL"),
    (
        "ix_events_rejected_execution",
        ["workspace_id", "execution_id"],
        "state = 'rejected' AND execution_id IS NOT NULL",
    ),
    (
        "ix_events_rejected_correlation",
        ["workspace_id", "correlation_id"],
        "state = 'rejected' AND correlation_id IS NOT NULL",
    ),
)


def upgrade() -> None:
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    with op.batch_alter_table("api_keys") as batch_op:
        batch_op.create_foreign_key(
            op.f(REPLACES), "api_keys", ["replaces_id"], ["id"], ondelete="SET NULL"
        )
    for name, columns, where in INDEXES:
        condition = sa.text(where)
        op.create_index(name, "events", columns, sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "former_slugs",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("workspace_id", BIG_ID, nullable=False),
        sa.Column("workflow_id", BIG_ID, nullable=False),
        sa.Column("slug", sa.String(80), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_former_slugs_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_former_slugs_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_slugs")),
        sa.UniqueConstraint("workspace_id", "slug", name=op.f("uq_former_slugs_workspace_id_slug")),
    )
    op.create_index(op.f("ix_former_slugs_workflow_id"), "former_slugs", ["workflow_id"])
    op.create_index(op.f("ix_former_slugs_expires_at"), "former_slugs", ["expires_at"])
    op.create_table(
        "ignored_problems",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("workspace_id", BIG_ID, nullable=False),
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("up_to_event_id", BIG_ID, nullable=False),
        sa.Column("ignored_at", MOMENT, nullable=False),
        sa.Column("ignored_by_id", BIG_ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_ignored_problems_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["ignored_by_id"],
            ["users.id"],
            name=op.f("fk_ignored_problems_ignored_by_id_users"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ignored_problems")),
        sa.UniqueConstraint(
            "workspace_id", "fingerprint", name=op.f("uq_ignored_problems_workspace_id_fingerprint")
        ),
    )
    op.create_table(
        "key_usage",
        sa.Column("api_key_id", BIG_ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("remote_addr", sa.String(64), nullable=False),
        sa.Column("user_agent", sa.String(255), nullable=False),
        sa.Column("count", BIG_ID, nullable=False),
        sa.Column("rotated_count", BIG_ID, nullable=False, server_default="0"),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_keys.id"],
            name=op.f("fk_key_usage_api_key_id_api_keys"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "api_key_id", "day", "remote_addr", "user_agent", name=op.f("pk_key_usage")
        ),
    )
    op.create_index("ix_key_usage_day", "key_usage", ["day"])


def downgrade() -> None:
    op.drop_table("key_usage")
    op.drop_table("ignored_problems")
    op.drop_table("former_slugs")
    for name, _, _ in INDEXES:
        op.drop_index(name, "events")
    with op.batch_alter_table("api_keys") as batch_op:
        batch_op.drop_constraint(op.f(REPLACES), type_="foreignkey")
    for table, columns in _columns().items():
        with op.batch_alter_table(table) as batch_op:
            for column in columns:
                batch_op.drop_column(column.name)


def _columns() -> dict[str, tuple["sa.Column[object]", ...]]:
    """What is new in each table; none of it makes SQLite rebuild a table of a million events."""
    return {
        "events": (
            sa.Column("platform", sa.String(64)),
            sa.Column("origin", sa.String(10)),
            sa.Column("sent_by", sa.String(254)),
            sa.Column("attempt_of_id", BIG_ID),
            sa.Column("reference", sa.String(255)),
            sa.Column("execution_id", sa.String(255)),
            sa.Column("correlation_id", sa.String(255)),
            sa.Column("fingerprint", sa.String(16)),
            sa.Column("resolved_at", MOMENT),
        ),
        "runs": (sa.Column("is_test", sa.Boolean(), nullable=False, server_default=sa.false()),),
        "api_keys": (sa.Column("workflow_ids", sa.Text()), sa.Column("replaces_id", BIG_ID)),
        "users": (
            sa.Column("name", sa.String(120)),
            sa.Column("time_zone", sa.String(64)),
            sa.Column("theme", sa.String(10), nullable=False, server_default="system"),
        ),
        "workspaces": (
            sa.Column("rejected_days", sa.Integer()),
            sa.Column("event_days", sa.Integer()),
            sa.Column("failure_days", sa.Integer()),
        ),
    }
