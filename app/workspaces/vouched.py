"""People for whom somebody else vouches, a provider or a proxy: which account is theirs."""

import logging
from typing import NamedTuple

from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extensions import db, writing
from app.models import NO_PASSWORD, Identity, Membership, User, Workspace
from app.problems import ProblemError
from app.ways_in import ISSUER, has_provider, may_sign_up, provider_name, trusts_proxy
from app.workspaces.audit import note
from app.workspaces.invitations import find_good_in, use_in
from app.workspaces.mistakes import RefusedError
from app.workspaces.other_ways_in import close_in
from app.workspaces.people import clean_email, clean_field
from app.workspaces.profile import MAX_NAME

PROXY = "proxy"
"""Whose identities those are that a proxy has told of, in the place of an issuer's address."""
UNKNOWN, OTHERS = "unknown_person", "address_of_another"
logger = logging.getLogger(__name__)


class Vouched(NamedTuple):
    """Who comes, as somebody else tells, who has checked that the address is theirs.

    `by`: what that is called. A provider names the person by `issuer` and `subject`, for good; a
    proxy knows the address alone.
    """

    email: str
    by: str
    name: str = ""
    issuer: str = ""
    subject: str = ""


def find_bound(issuer: str, subject: str) -> User | None:
    """Who has signed in as this person of the provider before, whatever the address is now."""
    own = (Identity.issuer == issuer) & (Identity.subject == subject)
    user: User | None = db.session.scalar(select(User).join(Identity).where(own))
    return user


def find_identity(user: User) -> Identity | None:
    """Who the person is at the provider of the settings, once they have signed in by it."""
    issuer: str = current_app.config[ISSUER]
    if not issuer:
        return None
    own = (Identity.user_id == user.id) & (Identity.issuer == issuer)
    found: Identity | None = db.session.scalar(select(Identity).where(own))
    return found


def is_bound(user: User) -> bool:
    return find_identity(user) is not None


def refuse_new_address(user: User) -> None:
    """Raises RefusedError where the address says whose account it is: else somebody could give
    theirs a colleague's, and share what the colleague then signs in to."""
    if trusts_proxy():
        raise RefusedError("email", "The proxy knows people by their address: it can't be changed.")
    if has_provider() and not is_bound(user):
        text = f"Sign in with {provider_name()} once: until then the address says whose this is."
        raise RefusedError("email", text)


def let_in(who: Vouched) -> User:
    """Whose account it is: bound before, or of this address; or a new one, for who is invited or
    may sign up. Raises ProblemError for all others."""
    try:
        _refuse_look_alike(who.email)
        who = who._replace(email=clean_email(who.email))
    except RefusedError:
        raise ProblemError(UNKNOWN, f"{who.by} names no e-mail address.") from None
    try:
        return _find(who) or _bring_in(who)
    except IntegrityError:  # The same person has come twice at the same moment.
        found = _find(who)
        if found is None:
            raise _be_others(who) from None
        return found


def _find(who: Vouched) -> User | None:
    """Who needs nothing to be written."""
    if who.subject:
        return find_bound(who.issuer, who.subject)
    own = (Identity.issuer == PROXY) & (User.email == who.email)
    user: User | None = db.session.scalar(select(User).join(Identity).where(own))
    return user


def _bring_in(who: Vouched) -> User:
    with writing() as session:
        user = session.scalar(select(User).where(User.email == who.email).with_for_update())
        is_new = user is None
        if user is None:
            user = _make_account(session, who)
        if not who.subject:  # A proxy knows none: that it has vouched for the account is kept.
            who = who._replace(issuer=PROXY, subject=user.public_id)
        _bind(session, user, who, is_new)
    return user


def _bind(session: Session, user: User, who: Vouched, is_new: bool) -> None:
    """An account that was there before may be somebody else's making, who was never asked whether
    the address is theirs: whatever else opens it goes."""
    own = (Identity.user_id == user.id) & (Identity.issuer == who.issuer)
    bound = session.scalar(select(Identity.subject).where(own))
    if bound == who.subject:
        return  # By the same person, a moment ago.
    if bound is not None:
        raise _be_others(who)
    session.add(Identity(user_id=user.id, issuer=who.issuer, subject=who.subject))
    user.has_lost = "" if is_new else close_in(session, user, "linked")
    told = {"provider": who.by, "taken away": user.has_lost or None}
    there = select(Membership.workspace_id).where(Membership.user_id == user.id)
    workspaces: list[int | None] = [*session.scalars(there.order_by(Membership.id))]
    for workspace_id in workspaces or [None]:
        note(session, "provider_linked", workspace_id, details=told, who=user)


def _be_others(who: Vouched) -> ProblemError:
    return ProblemError(
        OTHERS,
        f"The account of {who.email} is linked to somebody else at {who.by}, who had this "
        "address before. Ask whoever runs this server.",
    )


def _make_account(session: Session, who: Vouched) -> User:
    invitations = find_good_in(session, who.email)
    workspace = None if invitations else _find_workspace(session, who)
    user = User(email=who.email, password_hash=NO_PASSWORD, name=_clean_name(who.name))
    session.add(user)
    session.flush()
    for each in invitations:
        use_in(session, each, user)
    if workspace:
        role: str = current_app.config["FLOWPULSE_SIGN_UP_ROLE"]
        session.add(Membership(user_id=user.id, workspace_id=workspace.id, role=role))
        told = {"role": role, "account": "new", "signed up by": who.by}
        note(session, "member_added", workspace.id, user, told, who=user)
    return user


def _find_workspace(session: Session, who: Vouched) -> Workspace:
    """The one that people sign up into. Raises ProblemError for who may not."""
    if may_sign_up(who.email):
        wanted: str = current_app.config["FLOWPULSE_SIGN_UP_WORKSPACE"]
        found = find_sign_up_workspace(session)
        if found is not None:
            return found
        logger.error("FLOWPULSE_SIGN_UP_WORKSPACE: there is no workspace %r.", wanted)
    raise ProblemError(
        UNKNOWN,
        f"{who.by} knows you as {who.email}, and there is neither an account nor an open "
        "invitation for that address here. Ask an admin of your team to invite it.",
    )


def find_sign_up_workspace(session: Session) -> Workspace | None:
    wanted: str = current_app.config["FLOWPULSE_SIGN_UP_WORKSPACE"]
    query = select(Workspace).where(Workspace.public_id == wanted, Workspace.deleted_at.is_(None))
    found: Workspace | None = session.scalar(query)
    return found


def _refuse_look_alike(email: str) -> None:
    """Some signs turn into letters of ASCII in lower case, such as the one for kelvin, and blanks
    would be cut off: another person's address would come of it. Raises RefusedError."""
    has_turned = sum(map(str.isascii, email)) != sum(map(str.isascii, email.lower()))
    if has_turned or email != email.strip():
        raise RefusedError("email", "Another address would come of it.")


def _clean_name(name: str) -> str | None:
    """As the provider has it, where it can be shown."""
    try:
        return clean_field("name", name[:MAX_NAME], MAX_NAME) if name.strip() else None
    except RefusedError:
        return None
