"""Many alerts, messages, deliveries and entries of the audit log, for tests of what they cost."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Table, func, insert, select
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import Entity, writing
from app.models import Alert, AlertMessage, AuditEntry, Channel, Delivery, OutboxMessage
from app.processing.retention import MESSAGES_KEPT
from app.workspaces.audit import note
from tests.factories import Team

PEOPLE = 200
"""Whom mails go to."""


def fill_the_rest(team: Team, count: int) -> None:
    """So many alerts of the workspace that are over, messages of its first alert, each of them to a
    channel and to an address, and entries of the audit log in the workspace and outside of all.

    Raises NoResultFound without an alert and a channel.
    """
    with writing() as session:
        first = session.scalars(select(Alert).order_by(Alert.id).limit(1)).one()
        over = {"rule_id": None, "ended_at": now(), "due_at": None}
        _copy(
            session, first, ({"public_id": _name("zalert", each), **over} for each in range(count))
        )
        ids = _put_messages(session, count)
        _insert(session, AlertMessage, ({"alert_id": first.id, "message_id": each} for each in ids))
        _deliver(session, ids, team)
        _note(session, team, count)


def _put_messages(session: Session, count: int) -> range:
    """Their ids; as they come in all the time that they are kept."""
    message = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id).limit(1)).one()
    last = session.scalar(select(func.max(OutboxMessage.id))) or 0
    begin, step = now() - MESSAGES_KEPT, MESSAGES_KEPT / count
    _copy(
        session,
        message,
        (
            {"message_id": f"copy {each}", "created_at": begin + (each + 1) * step}
            for each in range(count)
        ),
    )
    return range(last + 1, last + 1 + count)


def _deliver(session: Session, message_ids: range, team: Team) -> None:
    channel_id = session.scalars(select(Channel.id).order_by(Channel.id).limit(1)).one()
    people = [team.email, *(f"person{each}@example.org" for each in range(PEOPLE - 1))]
    done = {"state": "delivered", "attempts": 1, "finished_at": now()}
    rows: list[dict[str, Any]] = []
    for each in message_ids:
        row = {"message_id": each, **done}
        sent = {"public_id": _name("sent", each), "channel_id": channel_id, "recipient": None}
        person = people[each % PEOPLE]
        mail = {"public_id": _name("mail", each), "channel_id": None, "recipient": person}
        rows += ({**row, **sent}, {**row, **mail})
    _insert(session, Delivery, rows)


def _note(session: Session, team: Team, count: int) -> None:
    """One a minute, the last of them a day ago: what a person does, and whom nobody knows."""
    note(session, "signed_in", team.workspace_id, "Ana")
    note(session, "sign_in_refused", None, "eve@example.org")
    session.flush()
    actors = {
        "signed_in": {"actor": "person", "who": team.email},
        "sign_in_refused": {"actor": "nobody"},
    }
    begin = now() - timedelta(days=1, minutes=count)
    for entry in session.scalars(select(AuditEntry).where(AuditEntry.what.in_(actors))).all():
        times = ({"at": begin + timedelta(minutes=each)} for each in range(count))
        _copy(session, entry, ({**actors[entry.what], **each} for each in times))


def _name(kind: str, number: int) -> str:
    """As long as a public id."""
    return f"{kind}{number:0{24 - len(kind)}}"


def _copy(session: Session, row: Entity, changes: Iterable[Mapping[str, Any]]) -> None:
    """Copies of a stored row with another id, and with each of the changes."""
    values = {each.name: getattr(row, each.name) for each in row.__table__.columns}
    del values["id"]
    _insert(session, type(row), ({**values, **each} for each in changes))


def _insert(session: Session, kind: type[Entity], rows: Iterable[Mapping[str, Any]]) -> None:
    session.connection().execute(insert(cast(Table, kind.__table__)), list(rows))
