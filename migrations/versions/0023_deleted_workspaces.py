"""When a workspace was deleted; and the audit log forgets people whose accounts are gone.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLE, REFUSAL = "audit_entries", "the audit log is never changed"
SAME = ("id", "at", "workspace_id", "actor", "who_id", "what", "about_id", "keep_until")
"""Columns of an entry that nothing changes."""
ABOUT_PEOPLE = (
    "member_added",
    "member_role_changed",
    "member_removed",
    "signed_in",
    "sign_in_refused",
    "signed_out",
    "sessions_ended",
    "password_confirmed",
    "password_refused",
    "profile_changed",
    "email_changed",
    "password_changed",
    "two_factor_on",
    "two_factor_off",
    "recovery_codes_made",
    "recovery_code_used",
)
"""What is noted about a person, and so with an address in `about`."""
HERE = "EXISTS (SELECT 1 FROM users WHERE public_id = {})"


def _is_forgetting(same: str) -> str:
    """The condition that an UPDATE only puts a person's id in the place of what tells of them, once
    the account is gone; `same` compares two values, of which both may be NULL."""
    gone = f"(OLD.who_id IS NOT NULL AND NOT {HERE.format('OLD.who_id')})"
    about_gone = (
        f"(OLD.about_id IS NOT NULL AND OLD.what IN {ABOUT_PEOPLE} "
        f"AND NOT {HERE.format('OLD.about_id')})"
    )
    kept = [f"NEW.{name} {same} OLD.{name}" for name in SAME]
    rest = [
        f"(NEW.{name} {same} OLD.{name} OR (NEW.{name} IS NULL AND {gone}))"
        for name in ("remote_addr", "user_agent")
    ]
    who = f"(NEW.who {same} OLD.who OR (NEW.who {same} OLD.who_id AND {gone}))"
    about = f"(NEW.about {same} OLD.about OR (NEW.about {same} OLD.about_id AND {about_gone}))"
    details = (
        f"(NEW.details {same} OLD.details OR (NEW.details IS NULL AND ({gone} OR {about_gone})))"
    )
    return " AND ".join([*kept, *rest, who, about, details])


def _function(may_update: str) -> str:
    return f"""
    CREATE OR REPLACE FUNCTION {TABLE}_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.keep_until < now() THEN RETURN OLD; END IF;
        END IF;
        IF TG_OP = 'UPDATE' THEN
            IF {may_update} THEN RETURN NEW; END IF;
        END IF;
        RAISE EXCEPTION '{REFUSAL}';
    END $$
    """


def _keep_as_is(may_update: str) -> None:
    """Make anew what refuses each UPDATE but these."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_function(may_update))
        return
    op.execute(f"DROP TRIGGER {TABLE}_keep_as_is")
    op.execute(
        f"CREATE TRIGGER {TABLE}_keep_as_is BEFORE UPDATE ON {TABLE} "
        f"WHEN ({may_update}) IS NOT TRUE BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    same = "IS" if op.get_bind().dialect.name == "sqlite" else "IS NOT DISTINCT FROM"
    _keep_as_is(_is_forgetting(same))


def downgrade() -> None:
    _keep_as_is("FALSE")
    op.drop_column("workspaces", "deleted_at")
