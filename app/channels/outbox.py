"""The outbox: messages are put in here by the transaction that decides on them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Table, insert, select

from app.beginnings import mask_beginning
from app.channels.message import Message, MessageKind
from app.identifiers import new_id
from app.models import Channel, Delivery, OutboxMessage
from app.problems import presentable
from app.redaction import mask_text
from app.signs import show_signs

MAX_TITLE, MAX_TEXT, MAX_FACT = 500, 20_000, 1000
"""Characters that are kept; more helps nobody who reads it on a phone."""
MESSAGES = cast(Table, OutboxMessage.__table__)
DELIVERIES = cast(Table, Delivery.__table__)


def put(
    connection: Connection,
    message: Message,
    workspace_id: int,
    channel_ids: Iterable[int],
    now: datetime,
    recipients: Iterable[str] = (),
) -> int:
    """Leave a message for channels of the workspace, and addresses; returns its row's id.

    Within the caller's transaction: it is sent once that has committed, and never if it doesn't.
    Channels that are gone or switched off are passed over. Raises IntegrityError for a stable id
    that is there already.
    """
    wanted = select(Channel.id).where(
        Channel.id.in_(set(channel_ids)),
        Channel.workspace_id == workspace_id,
        Channel.disabled_at.is_(None),
    )
    # A channel that somebody deletes meanwhile must not fail the caller's transaction.
    locked = wanted.order_by(Channel.id).with_for_update(read=True, key_share=True)
    ids = list(connection.scalars(locked))
    ways: list[dict[str, Any]] = [{"channel_id": each, "recipient": None} for each in ids]
    ways += [{"channel_id": None, "recipient": each} for each in recipients]
    return _insert(connection, message, workspace_id, ways, now)


def put_mail(
    connection: Connection,
    message: Message,
    workspace_id: int,
    recipients: Iterable[str],
    now: datetime,
) -> int:
    """Leave a message for e-mail addresses alone; otherwise as `put`."""
    return put(connection, message, workspace_id, (), now, recipients)


def read_message(row: OutboxMessage) -> Message:
    """The message as it was put in."""
    return Message(
        row.message_id,
        cast(MessageKind, row.kind),
        row.title,
        row.text,
        tuple((name, value) for name, value in row.facts),
        row.link,
        row.incident,
        row.at,
    )


def _insert(
    connection: Connection,
    message: Message,
    workspace_id: int,
    ways: list[dict[str, Any]],
    now: datetime,
) -> int:
    row = {
        "message_id": message.id,
        "workspace_id": workspace_id,
        "kind": message.kind,
        "title": _plain(message.title, MAX_TITLE),
        "text": _plain(message.text, MAX_TEXT),
        "facts": [
            [_plain(name, MAX_FACT), _plain(value, MAX_FACT)] for name, value in message.facts
        ],
        "link": message.link,
        "incident": message.incident,
        "at": message.at,
        "created_at": now,
    }
    key = connection.execute(insert(MESSAGES).returning(MESSAGES.c.id), row).scalar_one()
    if ways:
        common = {"message_id": key, "state": "waiting", "attempts": 0, "next_try_at": now}
        rows = [{"public_id": new_id(), **common, **way} for way in ways]
        connection.execute(insert(DELIVERIES), rows)
    return int(key)


def _plain(text: str, most: int) -> str:
    """Without secrets, and cut only then: a part of one would no longer be known for what it is.
    Signs that control a terminal, hide something or turn it round are seen."""
    return show_signs(presentable(mask_beginning(text, most, mask_text)))
