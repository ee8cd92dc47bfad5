"""Schedules, silences and downtimes; runs that are open, and how long they may be.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
KNOWN, ENDS = "ck_runs_outcome_known", "ck_runs_ends_with_its_outcome"
RUNNING = sa.text("outcome = 'running'")


def upgrade() -> None:
    op.add_column("workflows", sa.Column("stuck_after_seconds", sa.Integer()))
    op.add_column("instance", sa.Column("worker_seen_at", MOMENT))
    _upgrade_runs()
    _create_schedules()
    _create_silences()
    op.create_table(
        "downtimes",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_downtimes")),
    )
    op.create_index(op.f("ix_downtimes_ended_at"), "downtimes", ["ended_at"])


def _upgrade_runs() -> None:
    """SQLite copies the table: it can't change a constraint."""
    with op.batch_alter_table("runs", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.add_column(sa.Column("stuck_since", MOMENT))
        batch_op.alter_column("ended_at", existing_type=MOMENT, nullable=True)
        batch_op.drop_constraint(op.f(KNOWN), type_="check")
        batch_op.create_check_constraint(
            op.f(KNOWN), "outcome IN ('success', 'failure', 'running')"
        )
        batch_op.create_check_constraint(
            op.f(ENDS),
            "CASE WHEN outcome = 'running' THEN started_at IS NOT NULL AND ended_at IS NULL "
            "ELSE ended_at IS NOT NULL END",
        )
    op.create_index(
        "ix_runs_running",
        "runs",
        ["workflow_id", "started_at"],
        sqlite_where=RUNNING,
        postgresql_where=RUNNING,
    )


def _create_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("workflow_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("every_seconds", sa.Integer()),
        sa.Column("cron_expression", sa.String(200)),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("grace_seconds", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("last_run_at", MOMENT),
        sa.Column("next_expected_at", MOMENT, nullable=False),
        sa.Column("overdue_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('interval', 'cron')", name=op.f("ck_schedules_kind_known")),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_schedules_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint("workflow_id", name=op.f("uq_schedules_workflow_id")),
    )
    for column in ("next_expected_at", "overdue_at"):
        op.create_index(op.f(f"ix_schedules_{column}"), "schedules", [column])


def _create_silences() -> None:
    op.create_table(
        "silences",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("workflow_id", BIG_ID, nullable=False),
        sa.Column("expected_at", MOMENT, nullable=False),
        sa.Column("silent_since", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("ended_by_run_id", BIG_ID),
        sa.Column("missed_count", sa.Integer(), nullable=False),
        sa.Column("during_downtime", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.ForeignKeyConstraint(
            ["workflow_id"],
            ["workflows.id"],
            name=op.f("fk_silences_workflow_id_workflows"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["ended_by_run_id"],
            ["runs.id"],
            name=op.f("fk_silences_ended_by_run_id_runs"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_silences_ended_by_run_id"), "silences", ["ended_by_run_id"])
    op.create_index(
        "ix_silences_workflow_id_silent_since", "silences", ["workflow_id", "silent_since"]
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_silences_open",
        "silences",
        ["workflow_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )


def downgrade() -> None:
    for table in ("downtimes", "silences", "schedules"):
        op.drop_table(table)
    op.execute("DELETE FROM runs WHERE outcome = 'running'")
    op.drop_index("ix_runs_running", "runs")
    with op.batch_alter_table("runs", table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        batch_op.drop_constraint(op.f(ENDS), type_="check")
        batch_op.drop_constraint(op.f(KNOWN), type_="check")
        batch_op.create_check_constraint(op.f(KNOWN), "outcome IN ('success', 'failure')")
        batch_op.alter_column("ended_at", existing_type=MOMENT, nullable=False)
        batch_op.drop_column("stuck_since")
    with op.batch_alter_table("instance") as batch_op:
        batch_op.drop_column("worker_seen_at")
    with op.batch_alter_table("workflows") as batch_op:
        batch_op.drop_column("stuck_after_seconds")
