"""The end of a person's account: what tells of them goes, and the audit log keeps a number."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Select, Text, and_, delete, func, or_, select, type_coerce, update

from app.extensions import db, writing
from app.models import (
    AuditEntry,
    Delivery,
    Event,
    Instance,
    Invitation,
    Membership,
    User,
    Workspace,
)
from app.workspaces.audit import note
from app.workspaces.people import RefusedError
from app.workspaces.tries import forget_person_in

FIELD = "email_again"
INVITED = ("member_invited", "invitation_called_back")
INVITED_BY = "invited by"
"""Where entries name an address without the id of an account: as what they are about, and in the
details of `member_added`."""
WINDOW = 20_000
"""Ids of events that are looked at in one statement, outside of the write lock."""
BATCH = 500


def delete_person(user: User, email_again: str) -> None:
    """Remove the account with its sessions, codes and memberships, and the address from what was
    sent by it or to it. Raises RefusedError for another address, for the last owner of a workspace,
    and for who set the server up.

    First what is not the account itself, in batches: broken off, it can be begun anew.
    """
    user_id, public_id, email = user.id, user.public_id, user.email
    if email_again.strip().lower() != email:
        raise RefusedError(FIELD, f"Type the e-mail address as it is written: {email}")
    _refuse_needed(user_id)
    emails = _find_addresses(user_id, public_id, email)
    for ids in _find_sent(emails):
        with writing() as session:
            sent = update(Event).where(Event.id.in_(ids))
            session.execute(_quietly(sent.values(sent_by=public_id)))
    entries = _find_entries(public_id, emails)
    with writing() as session:
        _refuse_needed(user_id)
        there = select(Membership.workspace_id).where(Membership.user_id == user_id)
        workspaces: list[int | None] = [*session.scalars(there)]
        for workspace_id in workspaces or [None]:
            note(session, "person_deleted", workspace_id, public_id)
        forget_person_in(session, email)
        session.execute(_quietly(delete(Invitation).where(Invitation.email.in_(emails))))
        session.execute(_quietly(delete(Delivery).where(Delivery.recipient == email)))
        session.execute(_quietly(delete(User).where(User.id == user_id)))
        session.flush()
        newest = entries[-1] if entries else 0
        entries += session.scalars(_tells_of(public_id, emails).where(AuditEntry.id > newest))
        _forget(entries, public_id, emails)


def _refuse_needed(user_id: int) -> None:
    if db.session.scalar(select(Instance.id).where(Instance.owner_id == user_id)):
        raise RefusedError(FIELD, "This account set the server up, which needs its owner.")
    owners = select(func.count(Membership.id)).where(
        Membership.workspace_id == Workspace.id,
        Membership.role == "owner",
        Membership.user_id != user_id,
    )
    lonely = (
        select(Workspace.name)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .where(Membership.user_id == user_id, Membership.role == "owner")
        .where(owners.correlate(Workspace).scalar_subquery() == 0)
    )
    name = db.session.scalar(lonely.limit(1))
    if name is not None:
        raise RefusedError(
            FIELD,
            f"This is the last owner of the workspace {name}. Make somebody else an owner first, "
            "or delete the workspace.",
        )


def _find_addresses(user_id: int, public_id: str, email: str) -> list[str]:
    """The person's, and those that they had before, unless somebody else has one of them now."""
    changed = select(AuditEntry.details).where(
        AuditEntry.about_id == public_id, AuditEntry.what == "email_changed"
    )
    former = {str((each or {}).get("email", {}).get("was", email)) for each in _read(changed)}
    others = select(User.email).where(User.email.in_(former), User.id != user_id)
    return [email, *sorted(former - {email} - set(_read(others)))]


def _read(query: Select[Any]) -> list[Any]:
    found = list(db.session.scalars(query))
    db.session.rollback()
    return found


def _find_sent(emails: Collection[str]) -> Iterator[Sequence[int]]:
    """Ids of events that were sent from the console under these addresses, some at a time."""
    low, high = db.session.execute(select(func.min(Event.id), func.max(Event.id))).one()
    db.session.rollback()
    for start in range(low or 0, (high or -1) + 1, WINDOW):
        inside = (Event.id >= start) & (Event.id < start + WINDOW)
        found = _read(select(Event.id).where(inside, Event.sent_by.in_(emails)))
        for first in range(0, len(found), BATCH):
            yield found[first : first + BATCH]


def _find_entries(public_id: str, emails: Collection[str]) -> list[int]:
    return _read(_tells_of(public_id, emails))


def _tells_of(public_id: str, emails: Collection[str]) -> Select[int]:
    invited = and_(AuditEntry.what.in_(INVITED), AuditEntry.about.in_(emails))
    mine = or_(
        AuditEntry.who_id == public_id,
        AuditEntry.about_id == public_id,
        invited,
        and_(AuditEntry.what == "member_added", _names_inviter(emails)),
    )
    return select(AuditEntry.id).where(mine).order_by(AuditEntry.id)


def _names_inviter(emails: Collection[str]) -> Any:
    """As the details are written: JSON without spaces."""
    written = type_coerce(AuditEntry.details, Text)
    pairs = (json.dumps({INVITED_BY: each}, separators=(",", ":"))[1:-1] for each in emails)
    return or_(*(written.contains(pair, autoescape=True) for pair in pairs))


def _forget(entries: Sequence[int], public_id: str, emails: Collection[str]) -> None:
    """The log keeps the number of who did it, and what was done; the database lets nobody do this
    to an entry of a person who is still there (migrations 0023 and 0025)."""
    for first in range(0, len(entries), BATCH):
        some = AuditEntry.id.in_(entries[first : first + BATCH])
        for chosen, values in (
            (
                AuditEntry.who_id == public_id,
                {"who": public_id, "remote_addr": None, "user_agent": None, "details": None},
            ),
            (AuditEntry.about_id == public_id, {"about": public_id, "details": None}),
            (
                and_(AuditEntry.what.in_(INVITED), AuditEntry.about.in_(emails)),
                {"about": public_id},
            ),
        ):
            db.session.execute(_quietly(update(AuditEntry).where(some, chosen).values(values)))
        _forget_inviter(some, public_id, emails)


def _forget_inviter(some: Any, public_id: str, emails: Collection[str]) -> None:
    """In the entries of those who came by an invitation of this person's."""
    came = select(AuditEntry.id, AuditEntry.details).where(
        some, AuditEntry.what == "member_added", _names_inviter(emails)
    )
    for entry_id, details in db.session.execute(came).all():
        told = {**details, INVITED_BY: public_id}
        mine = update(AuditEntry).where(AuditEntry.id == entry_id)
        db.session.execute(_quietly(mine.values(details=told)))


def _quietly(statement: Any) -> Any:
    """The session need not know: it reads none of it again."""
    return statement.execution_options(synchronize_session=False)
