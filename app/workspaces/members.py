"""The people of a workspace: their roles, and leaving it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.extensions import db, writing
from app.models import ROLES, Membership, User, Workspace
from app.workspaces.audit import change, note
from app.workspaces.people import RefusedError
from app.workspaces.sessions import end_all_in

OWNER = "owner"
LAST_OWNER = "This is the last owner of the workspace. Make somebody else an owner first."


def list_members(workspace_id: int, start: int, most: int) -> Sequence[Membership]:
    """In the order in which they came."""
    query = select(Membership).where(Membership.workspace_id == workspace_id)
    query = query.options(joinedload(Membership.user)).order_by(Membership.id)
    return db.session.scalars(query.offset(start).limit(most)).all()


def count_members(workspace_id: int) -> int:
    query = select(func.count()).where(Membership.workspace_id == workspace_id)
    return db.session.scalar(query) or 0


def find_member(workspace_id: int, user_public_id: str) -> Membership | None:
    return db.session.scalar(
        select(Membership)
        .join(Membership.user)
        .where(Membership.workspace_id == workspace_id, User.public_id == user_public_id)
        .options(joinedload(Membership.user))
    )


def change_role(actor: Membership, member: Membership, role: str) -> None:
    """Give a member another role; all their sessions end. Raises RefusedError."""
    if role not in ROLES:
        raise RefusedError("role", f"Choose one of {', '.join(ROLES)}.")
    with deciding(actor, member) as session:
        _refuse_over_owners(actor, member, role)
        if role != OWNER:
            _refuse_last_owner(session, member)
        was, member.role = member.role, role
        if was != role:
            told = {"role": change(was, role)}
            note(session, "member_role_changed", member.workspace_id, member.user, told)
            end_all_in(session, member.user_id, "role")


def remove_member(actor: Membership, member: Membership) -> None:
    """End a person's access and sessions; what they made stays. Raises RefusedError."""
    if actor.id == member.id:
        raise RefusedError("member", "Nobody removes themselves. Ask another admin or owner.")
    with deciding(actor, member) as session:
        _refuse_over_owners(actor, member)
        _refuse_last_owner(session, member)
        note(session, "member_removed", member.workspace_id, member.user, {"role": member.role})
        end_all_in(session, member.user_id, "removed")
        session.delete(member)


def may_manage(actor: Membership, member: Membership) -> bool:
    """Whether the actor's role reaches over the member's."""
    return ROLES.index(actor.role) >= max(ROLES.index(member.role), ROLES.index("admin"))


@contextmanager
def deciding(actor: Membership, member: Membership) -> Iterator[Session]:
    """A write under the workspace's lock: two owners who demote each other at once must not
    leave it without any, nor somebody act on a role that was lost meanwhile."""
    workspace_id, ids = member.workspace_id, {actor.id, member.id}
    with writing() as session:
        workspace = select(Workspace.id).where(Workspace.id == workspace_id)
        session.execute(workspace.with_for_update())
        there = set(session.scalars(select(Membership.id).where(Membership.id.in_(ids))))
        if there != ids:
            raise RefusedError("member", "This person is not in the workspace any more.")
        if not may_manage(actor, actor):
            raise RefusedError("member", "Your role can't change this any more.")
        yield session


def _refuse_over_owners(actor: Membership, member: Membership, role: str = "") -> None:
    if actor.role != OWNER and OWNER in (member.role, role):
        raise RefusedError("role", "Only an owner decides who is an owner.")


def _refuse_last_owner(session: Session, member: Membership) -> None:
    owners = select(func.count()).where(
        Membership.workspace_id == member.workspace_id, Membership.role == OWNER
    )
    if member.role == OWNER and (session.scalar(owners) or 0) < 2:
        raise RefusedError("role", LAST_OWNER)
