"""The audit log forgets the address of a person also where it tells of an invitation.

Revision ID: 0025
Revises: 0024
"""

import runpy
from pathlib import Path

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_OLDER = runpy.run_path(str(Path(__file__).with_name("0023_deleted_workspaces.py")))
SAME, HERE = _OLDER["SAME"], _OLDER["HERE"]
INVITED = ("member_invited", "invitation_called_back")
"""What is noted about an address that had no account yet: it stands in `about`, without an id."""
ADDRESS_HERE = "EXISTS (SELECT 1 FROM users WHERE email = {})"
DELETED = (
    "(EXISTS (SELECT 1 FROM audit_entries told"
    " WHERE told.workspace_id IN (SELECT id FROM workspaces)"
    " AND told.what = 'person_deleted' AND told.about = {0})"
    " OR EXISTS (SELECT 1 FROM audit_entries told WHERE told.workspace_id IS NULL"
    " AND told.what = 'person_deleted' AND told.about = {0}))"
)
"""That an entry tells of the deletion of the account with this id: it is noted before."""
WAS_IN = (
    "EXISTS (SELECT 1 FROM audit_entries told WHERE told.workspace_id = OLD.workspace_id"
    " AND (told.what = 'person_deleted' AND told.about = {0}"
    " OR told.what IN ('member_added', 'member_removed') AND told.about_id = {0}))"
)
"""That the person with this id was in the entry's workspace: else its log has nothing of theirs but
their id."""
BY = {
    "sqlite": "json_extract({}.details, '$.\"invited by\"')",
    "postgresql": "({}.details::jsonb ->> 'invited by')",
}
BESIDE = {
    "sqlite": "json_remove({}.details, '$.\"invited by\"')",
    "postgresql": "({}.details::jsonb - 'invited by')",
}
"""Who had invited a member, and what else the details of their coming tell."""


def _is_forgetting(dialect: str) -> str:
    """As in 0023, of all that is about a person; and an address without an account in an invitation
    becomes the id of somebody whose account was deleted, and who was in that workspace."""
    same = "IS" if dialect == "sqlite" else "IS NOT DISTINCT FROM"
    gone = f"(OLD.who_id IS NOT NULL AND NOT {HERE.format('OLD.who_id')})"
    about_gone = (
        f"(OLD.about_id IS NOT NULL AND NOT {HERE.format('OLD.about_id')} "
        f"AND {DELETED.format('OLD.about_id')})"
    )
    kept = [f"NEW.{name} {same} OLD.{name}" for name in SAME]
    rest = [
        f"(NEW.{name} {same} OLD.{name} OR (NEW.{name} IS NULL AND {gone}))"
        for name in ("remote_addr", "user_agent")
    ]
    who = f"(NEW.who {same} OLD.who OR (NEW.who {same} OLD.who_id AND {gone}))"
    invited = (
        f"(OLD.what IN {INVITED} AND OLD.about_id IS NULL "
        f"AND NOT {ADDRESS_HERE.format('OLD.about')} AND {DELETED.format('NEW.about')} "
        f"AND {WAS_IN.format('NEW.about')})"
    )
    about = (
        f"(NEW.about {same} OLD.about OR (NEW.about {same} OLD.about_id AND {about_gone}) "
        f"OR {invited})"
    )
    new_by, old_by = (BY[dialect].format(row) for row in ("NEW", "OLD"))
    new_beside, old_beside = (BESIDE[dialect].format(row) for row in ("NEW", "OLD"))
    invited_by = (
        f"(CASE WHEN OLD.what = 'member_added' THEN {new_beside} {same} {old_beside} "
        f"AND {old_by} IS NOT NULL AND NOT {ADDRESS_HERE.format(old_by)} "
        f"AND {DELETED.format(new_by)} AND {WAS_IN.format(new_by)} ELSE FALSE END)"
    )
    details = (
        f"(NEW.details {same} OLD.details "
        f"OR (NEW.details IS NULL AND ({gone} OR {about_gone})) OR {invited_by})"
    )
    return " AND ".join([*kept, *rest, who, about, details])


def upgrade() -> None:
    _OLDER["_keep_as_is"](_is_forgetting(op.get_bind().dialect.name))


def downgrade() -> None:
    same = "IS" if op.get_bind().dialect.name == "sqlite" else "IS NOT DISTINCT FROM"
    _OLDER["_keep_as_is"](_OLDER["_is_forgetting"](same))
