"""Invitations: who is asked into a workspace by a link, and how they come in.

A link works once, for 72 hours, and only while whoever made it may still ask people in. Only its
hash is kept, so that nobody can read links from the database or a backup.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app.channels.message import Message
from app.channels.network import can_mail_links, link_to
from app.channels.outbox import put_mail
from app.channels.sealing import seal_link
from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import ROLES, Invitation, Membership, User, Workspace
from app.workspaces.audit import note
from app.workspaces.members import OWNER, deciding
from app.workspaces.mistakes import GoneError, Mistakes
from app.workspaces.people import RefusedError, clean_email, clean_field, make_hash
from app.workspaces.profile import MAX_NAME
from app.workspaces.sessions import hash_token

VALID_FOR = timedelta(hours=72)
MOST_PENDING = 100
PATH = "/invitation/"


def list_invitations(workspace_id: int) -> Sequence[Invitation]:
    """Those that are neither used nor over, the newest first."""
    own = (Invitation.workspace_id == workspace_id) & (Invitation.expires_at > now())
    query = select(Invitation).where(own).options(joinedload(Invitation.invited_by))
    return db.session.scalars(query.order_by(Invitation.id.desc()).limit(MOST_PENDING)).all()


def invite(actor: Membership, email: str, role: str) -> tuple[Invitation, str]:
    """Make an invitation; returns it with its token, which nobody can read later. Where mails are
    sent, one with the link is.

    One that the address had before ends by it. Raises RefusedError.
    """
    mistakes, token = Mistakes(), secrets.token_urlsafe(32)
    with mistakes.noted():
        email = clean_email(email)
    if role not in ROLES:
        mistakes.add("role", f"Choose one of {', '.join(ROLES)}.")
    mistakes.refuse()
    moment, workspace_id, user_id = now(), actor.workspace_id, actor.user_id
    with deciding(actor, actor) as session:
        _refuse(session, actor, email, role)
        same = (Invitation.email == email) | (Invitation.expires_at <= moment)
        session.execute(delete(Invitation).where(Invitation.workspace_id == workspace_id, same))
        invitation = Invitation(
            workspace_id=workspace_id,
            email=email,
            role=role,
            token_hash=hash_token(token),
            invited_by_id=user_id,
            expires_at=moment + VALID_FOR,
        )
        session.add(invitation)
        note(session, "member_invited", workspace_id, email, {"role": role})
        if can_mail_links():
            message = _write_mail(actor, email, token, moment)
            put_mail(session.connection(), message, workspace_id, [email], moment)
    return invitation, token


def _write_mail(actor: Membership, email: str, token: str, moment: datetime) -> Message:
    by, workspace = actor.user.name or actor.user.email, actor.workspace.name
    return Message(
        id=f"invitation-{new_id()}",
        kind="notice",
        title=f"{by} invites you to {workspace} on FlowPulse",
        text=f"The link below lets you join {workspace} as {email}. It works once, for three days.",
        facts=(("Invited by", actor.user.email),),
        link=seal_link(link_to(f"{PATH}{token}")),
        incident="",
        at=moment,
    )


def call_back(actor: Membership, public_id: str) -> str | None:
    """End an invitation; returns whose it was, None where it had ended. Raises RefusedError."""
    own = (Invitation.workspace_id == actor.workspace_id) & (Invitation.public_id == public_id)
    with deciding(actor, actor) as session:
        found = session.scalar(select(Invitation).where(own))
        if found is None:
            return None
        if found.role == OWNER and actor.role != OWNER:
            raise RefusedError("role", "Only an owner decides who is an owner.")
        session.delete(found)
        note(session, "invitation_called_back", found.workspace_id, found.email)
        return found.email


def find_invitation(token: str) -> Invitation | None:
    """The invitation that the link opens, while it can be used."""
    query = select(Invitation).where(Invitation.token_hash == hash_token(token))
    query = query.options(joinedload(Invitation.workspace), joinedload(Invitation.invited_by))
    found: Invitation | None = db.session.scalar(query)
    return found if found and _is_good(db.session(), found) else None


def has_account(invitation: Invitation) -> bool:
    return db.session.scalar(select(User.id).where(User.email == invitation.email)) is not None


def join(token: str, user: User) -> Workspace:
    """Bring a person who has an account in. Raises GoneError, and RefusedError for somebody else
    than the invitation is for."""
    user_id, email = user.id, user.email
    with _using(token) as (session, invitation):
        if invitation.email != email:
            raise RefusedError("email", f"This invitation is for {invitation.email}.")
        workspace = invitation.workspace
        _bring_in(session, invitation, session.get_one(User, user_id))
    return workspace


def join_as_new(token: str, name: str, password: str) -> User:
    """Make the account that the invitation is for, and bring it in. Raises GoneError and
    RefusedError."""
    invitation = find_invitation(token)
    if invitation is None:
        raise GoneError
    email, names = invitation.email, (invitation.email, name, invitation.workspace.name)
    db.session.rollback()  # Whoever queues for the hash holds no connection meanwhile.
    mistakes, user = Mistakes(), User(email=email)
    with mistakes.noted():
        user.name = clean_field("name", name, MAX_NAME) if name.strip() else None
    with mistakes.noted():
        user.password_hash = make_hash("password", password, names)
    mistakes.refuse()
    try:
        with _using(token) as (session, invitation):
            session.add(user)
            session.flush()
            _bring_in(session, invitation, user)
    except IntegrityError as error:
        text = f"There is an account for {email} by now. Sign in, then open the link again."
        raise RefusedError("password", text) from error
    return user


@contextmanager
def _using(token: str) -> Iterator[tuple[Session, Invitation]]:
    """A write that takes the invitation away: of two who come at once, one comes in."""
    query = select(Invitation).where(Invitation.token_hash == hash_token(token))
    query = query.options(joinedload(Invitation.invited_by))
    with writing() as session:
        invitation = session.scalar(query.with_for_update(of=Invitation))
        if invitation is None or not _is_good(session, invitation):
            raise GoneError
        session.delete(invitation)
        yield session, invitation


def find_good_in(session: Session, email: str) -> list[Invitation]:
    """Those of an address that can be used, for whoever is known to have it."""
    query = select(Invitation).where(Invitation.email == email, Invitation.expires_at > now())
    query = query.options(joinedload(Invitation.invited_by)).order_by(Invitation.id)
    return [each for each in session.scalars(query) if _is_good(session, each)]


def use_in(session: Session, invitation: Invitation, user: User) -> None:
    """Bring the person in, in a transaction that somebody else commits; the link is used up."""
    _bring_in(session, invitation, user)
    session.delete(invitation)


def _bring_in(session: Session, invitation: Invitation, user: User) -> None:
    """Who is in the workspace already keeps the role; the link is used up."""
    own = (Membership.workspace_id == invitation.workspace_id) & (Membership.user_id == user.id)
    if session.scalar(select(Membership.id).where(own)) is not None:
        return
    session.add(
        Membership(workspace_id=invitation.workspace_id, user_id=user.id, role=invitation.role)
    )
    told = {"role": invitation.role, "invited by": invitation.invited_by.email}
    note(session, "member_added", invitation.workspace_id, user, told, who=user)


def _is_good(session: Session, invitation: Invitation) -> bool:
    """Whoever made it must still be allowed to."""
    role = session.scalar(
        select(Membership.role).where(
            Membership.workspace_id == invitation.workspace_id,
            Membership.user_id == invitation.invited_by_id,
        )
    )
    least = OWNER if invitation.role == OWNER else "admin"
    may = role is not None and ROLES.index(role) >= ROLES.index(least)
    return may and not invitation.is_over


def _refuse(session: Session, actor: Membership, email: str, role: str) -> None:
    if role == OWNER and actor.role != OWNER:
        raise RefusedError("role", "Only an owner decides who is an owner.")
    here = Membership.workspace_id == actor.workspace_id
    members = select(Membership.id).join(Membership.user).where(here, User.email == email)
    if session.scalar(members) is not None:
        raise RefusedError("email", f"{email} is in this workspace already.")
    pending = select(func.count()).where(
        Invitation.workspace_id == actor.workspace_id, Invitation.expires_at > now()
    )
    if (session.scalar(pending) or 0) >= MOST_PENDING:
        raise RefusedError("email", f"{MOST_PENDING} invitations are open. Call some back first.")
