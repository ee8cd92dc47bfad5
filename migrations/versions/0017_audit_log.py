"""The audit log: who did what, when, about what and from where. The database itself keeps it.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLE = "audit_entries"
REFUSAL = "the audit log is never changed"
SQLITE = (
    f"CREATE TRIGGER {TABLE}_keep_as_is BEFORE UPDATE ON {TABLE} "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
    # The clock of the database, and its text for a moment.
    f"CREATE TRIGGER {TABLE}_keep BEFORE DELETE ON {TABLE} WHEN OLD.keep_until IS NULL "
    "OR OLD.keep_until >= strftime('%Y-%m-%d %H:%M:%f', 'now') "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
    # Without it, INSERT OR REPLACE would change an entry, and no other trigger would see it.
    f"CREATE TRIGGER {TABLE}_keep_ids BEFORE INSERT ON {TABLE} "
    f"WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id) "
    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END",
)
POSTGRESQL = (
    f"""
    CREATE FUNCTION {TABLE}_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.keep_until < now() THEN RETURN OLD; END IF;
        END IF;
        RAISE EXCEPTION '{REFUSAL}';
    END $$
    """,
    f"CREATE TRIGGER {TABLE}_keep BEFORE UPDATE OR DELETE ON {TABLE} "
    f"FOR EACH ROW EXECUTE FUNCTION {TABLE}_keep()",
    # A move from SQLite that begins anew empties what it has filled itself.
    f"CREATE TRIGGER {TABLE}_keep_all BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT "
    "WHEN (current_setting('flowpulse.is_moving', true) IS DISTINCT FROM 'yes') "
    f"EXECUTE FUNCTION {TABLE}_keep()",
)
BY_DIALECT = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("workspace_id", BIG_ID, nullable=True),
        sa.Column("actor", sa.String(12), nullable=False),
        sa.Column("who", sa.String(254), nullable=True),
        sa.Column("who_id", sa.String(24), nullable=True),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("about", sa.String(255), nullable=True),
        sa.Column("about_id", sa.String(24), nullable=True),
        sa.Column("remote_addr", sa.String(64), nullable=True),
        sa.Column("user_agent", sa.String(255), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("keep_until", MOMENT, nullable=True),
        sa.CheckConstraint(
            "actor IN ('person', 'nobody', 'command line', 'worker')",
            name=op.f("ck_audit_entries_actor_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entries")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_entries_workspace_id_id", TABLE, ["workspace_id", "id"])
    op.create_index("ix_audit_entries_workspace_id_who_id", TABLE, ["workspace_id", "who", "id"])
    op.create_index("ix_audit_entries_what_at", TABLE, ["what", "at"])
    is_kept_for_a_time = sa.text("keep_until IS NOT NULL")
    op.create_index(
        "ix_audit_entries_keep_until",
        TABLE,
        ["keep_until"],
        sqlite_where=is_kept_for_a_time,
        postgresql_where=is_kept_for_a_time,
    )
    for statement in BY_DIALECT[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table(TABLE)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {TABLE}_keep()")
