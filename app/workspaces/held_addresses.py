"""Which addresses a person had, from when to when, and where something under one is theirs.

No mail proves a changed address: what stands under one is a person's only from while they had it,
and in workspaces that they were in with it. Elsewhere it may be of somebody else.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text, and_, func, or_, select, type_coerce

from app.extensions import db
from app.models import AuditEntry, Membership, User

CAME_AND_WENT = ("member_added", "member_removed")
CHANGED = "email_changed"


class Held(NamedTuple):
    """An address, from when to when it was the person's (None is without an end), and in which
    workspaces it counts. The one that the account was made with was theirs before, as they were
    invited by it, and counts in all that they are or were in; another one where the log names them
    by it, which they so had as a member."""

    email: str
    since: datetime | None
    until: datetime | None
    workspaces: tuple[int, ...] = ()

    def includes(self, workspace: Any, at: Any) -> ColumnElement[bool]:
        """Of columns with workspaces and times."""
        return and_(workspace.in_(self.workspaces), self._is_during(at))

    def _is_during(self, at: Any) -> ColumnElement[bool]:
        begins = [at >= self.since] if self.since else []
        ends = [at <= self.until] if self.until else []
        return and_(True, *begins, *ends)


class Traces(NamedTuple):
    """What a person can have left: the account's id, and their addresses, of which the last is the
    present one."""

    public_id: str
    held: tuple[Held, ...]

    @property
    def present(self) -> Held:
        return self.held[-1]

    def include(
        self, workspace: Any, at: Any, is_address: Callable[[str], ColumnElement[bool]]
    ) -> ColumnElement[bool]:
        """The condition that something of a workspace and a time names the person."""
        return or_(
            *(and_(is_address(each.email), each.includes(workspace, at)) for each in self.held)
        )


def find_traces(user_id: int, public_id: str, email: str) -> Traces:
    """Without former addresses that somebody else has now."""
    held = _find_held(public_id, email)
    former = {each.email for each in held} - {email}
    others = select(User.email).where(User.email.in_(former), User.id != user_id)
    taken = set(db.session.scalars(others))
    found = [
        each._replace(
            workspaces=_find_workspaces(user_id, public_id, each.email if place else None)
        )
        for place, each in enumerate(held)
        if each.email not in taken
    ]
    db.session.rollback()
    return Traces(public_id, tuple(found))


def _find_workspaces(user_id: int, public_id: str, email: str | None) -> tuple[int, ...]:
    """Whose log names the person by this address; without one, all that they are or were in."""
    told = select(AuditEntry.workspace_id).where(AuditEntry.about_id == public_id)
    if email is not None:
        told = told.where(AuditEntry.about == email)
        found = {*db.session.scalars(told)}
    else:
        own = select(Membership.workspace_id).where(Membership.user_id == user_id)
        moves = told.where(AuditEntry.what.in_(CAME_AND_WENT))
        found = {*db.session.scalars(own), *db.session.scalars(moves)}
    return tuple(sorted(each for each in found if each is not None))


def contains(details: Any, name: str, text: str) -> ColumnElement[bool]:
    """That details hold this pair, as they are written: JSON without spaces."""
    pair = json.dumps({name: text}, separators=(",", ":"))[1:-1]
    found: ColumnElement[bool] = type_coerce(details, Text).contains(pair, autoescape=True)
    return found


def _find_held(public_id: str, email: str) -> list[Held]:
    """The log tells of each change, in each workspace that the person was in then."""
    query = select(AuditEntry.at, AuditEntry.details).where(
        AuditEntry.about_id == public_id, AuditEntry.what == CHANGED
    )
    changes: list[tuple[datetime, str, str]] = []
    for at, details in db.session.execute(query.order_by(AuditEntry.id)):
        told = (details or {}).get("email", {})
        was, is_ = str(told.get("was", email)), str(told.get("is", email))
        if not changes or changes[-1][1:] != (was, is_):
            changes.append((at, was, is_))
    first = changes[0][1] if changes else email
    emails = [first, *(is_ for _, _, is_ in changes)]
    times = [_find_given_up(public_id, first), *(at for at, _, _ in changes), None]
    held = [Held(*each) for each in zip(emails, times, times[1:], strict=False)]
    known = held[-1]
    return held if known.email == email else [*held, Held(email, known.since, None)]


def _find_given_up(public_id: str, email: str) -> datetime | None:
    """When somebody else who had the address changed it: until then it was theirs."""
    others = select(func.max(AuditEntry.at)).where(
        AuditEntry.what == CHANGED,
        AuditEntry.about_id != public_id,
        contains(AuditEntry.details, "was", email),
    )
    return db.session.scalar(others)
