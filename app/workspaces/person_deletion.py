"""The end of a person's account: what tells of them goes, and the audit log keeps a number."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update

from app.extensions import db, writing
from app.models import (
    AuditEntry,
    Delivery,
    Event,
    Instance,
    Invitation,
    Membership,
    OutboxMessage,
    User,
    Workspace,
)
from app.workspaces.audit import note
from app.workspaces.held_addresses import Traces, contains, find_traces
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
    sent by it or to it in the person's workspaces. Raises RefusedError for another address, for the
    last owner of a workspace, and for who set the server up.

    First what is not the account itself, in batches: broken off, it can be begun anew.
    """
    user_id, public_id, email = user.id, user.public_id, user.email
    if email_again.strip().lower() != email:
        raise RefusedError(FIELD, f"Type the e-mail address as it is written: {email}")
    _refuse_needed(user_id)
    traces = find_traces(user_id, public_id, email)
    for ids in _find_sent(traces):
        with writing() as session:
            sent = update(Event).where(Event.id.in_(ids))
            session.execute(_quietly(sent.values(sent_by=public_id)))
    entries = _read(_tells_of(traces))
    with writing() as session:
        _refuse_needed(user_id)
        there = select(Membership.workspace_id).where(Membership.user_id == user_id)
        workspaces: list[int | None] = [*session.scalars(there)]
        for workspace_id in workspaces or [None]:
            note(session, "person_deleted", workspace_id, public_id)
        forget_person_in(session, email)
        session.execute(_quietly(delete(Invitation).where(_is_invited(traces))))
        session.execute(_quietly(delete(Delivery).where(_is_mailed(traces))))
        session.execute(_quietly(delete(User).where(User.id == user_id)))
        session.flush()
        newest = entries[-1] if entries else 0
        entries += session.scalars(_tells_of(traces).where(AuditEntry.id > newest))
        _forget(entries, traces)


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


def _is_invited(traces: Traces) -> ColumnElement[bool]:
    """By the present address, since it is the person's. By a former one nobody is turned away: it
    may be somebody else's by now, who has no account yet."""
    present = traces.present
    theirs = present.includes(Invitation.workspace_id, Invitation.created_at)
    return and_(Invitation.email == present.email, theirs)


def _is_mailed(traces: Traces) -> ColumnElement[bool]:
    present = traces.present
    theirs = present.includes(OutboxMessage.workspace_id, OutboxMessage.at)
    messages = select(OutboxMessage.id).where(theirs)
    return and_(Delivery.recipient == present.email, Delivery.message_id.in_(messages))


def _read(query: Select[Any]) -> list[Any]:
    found = list(db.session.scalars(query))
    db.session.rollback()
    return found


def _find_sent(traces: Traces) -> Iterator[Sequence[int]]:
    """Ids of events that the person sent from the console, some at a time."""
    theirs = traces.include(
        Event.workspace_id, Event.received_at, lambda each: Event.sent_by == each
    )
    low, high = db.session.execute(select(func.min(Event.id), func.max(Event.id))).one()
    db.session.rollback()
    for start in range(low or 0, (high or -1) + 1, WINDOW):
        inside = (Event.id >= start) & (Event.id < start + WINDOW)
        found = _read(select(Event.id).where(inside, theirs))
        for first in range(0, len(found), BATCH):
            yield found[first : first + BATCH]


def _tells_of(traces: Traces) -> Select[int]:
    mine = or_(
        AuditEntry.who_id == traces.public_id,
        AuditEntry.about_id == traces.public_id,
        _tells_of_invitation(traces),
        _names_inviter(traces),
    )
    return select(AuditEntry.id).where(mine).order_by(AuditEntry.id)


def _tells_of_invitation(traces: Traces) -> ColumnElement[bool]:
    named = traces.include(
        AuditEntry.workspace_id, AuditEntry.at, lambda each: AuditEntry.about == each
    )
    return and_(AuditEntry.what.in_(INVITED), named)


def _names_inviter(traces: Traces) -> ColumnElement[bool]:
    named = traces.include(
        AuditEntry.workspace_id,
        AuditEntry.at,
        lambda each: contains(AuditEntry.details, INVITED_BY, each),
    )
    return and_(AuditEntry.what == "member_added", named)


def _forget(entries: Sequence[int], traces: Traces) -> None:
    """The log keeps the number of who did it, and what was done; the database lets nobody do this
    to an entry of a person who is still there (migrations 0023 and 0025)."""
    public_id = traces.public_id
    for first in range(0, len(entries), BATCH):
        some = AuditEntry.id.in_(entries[first : first + BATCH])
        for chosen, values in (
            (
                AuditEntry.who_id == public_id,
                {"who": public_id, "remote_addr": None, "user_agent": None, "details": None},
            ),
            (AuditEntry.about_id == public_id, {"about": public_id, "details": None}),
            (_tells_of_invitation(traces), {"about": public_id}),
        ):
            db.session.execute(_quietly(update(AuditEntry).where(some, chosen).values(values)))
        _forget_inviter(some, traces)


def _forget_inviter(some: Any, traces: Traces) -> None:
    """In the entries of those who came by an invitation of this person's."""
    came = select(AuditEntry.id, AuditEntry.details).where(some, _names_inviter(traces))
    for entry_id, details in db.session.execute(came).all():
        told = {**details, INVITED_BY: traces.public_id}
        mine = update(AuditEntry).where(AuditEntry.id == entry_id)
        db.session.execute(_quietly(mine.values(details=told)))


def _quietly(statement: Any) -> Any:
    """The session need not know: it reads none of it again."""
    return statement.execution_options(synchronize_session=False)
