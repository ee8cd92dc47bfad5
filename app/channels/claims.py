"""The queue side of deliveries: claim what is due under a lease, and keep the lease alive."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased

from app.channels.message import Message
from app.channels.outbox import read_message
from app.models import Channel, Delivery, OutboxMessage
from app.models.columns import UtcDateTime

LEASE = timedelta(seconds=20)
RENEW_EVERY = timedelta(seconds=5)
"""A worker that is killed holds a delivery up for a lease; one that lives renews it in time."""
MAIL = 0
"""Stands for the channel of what goes to e-mail addresses without one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this worker sends now."""

    delivery_id: int
    channel_id: int | None
    workspace_id: int
    kind: str
    sealed_settings: str
    message: Message
    recipient: str | None
    attempts: int
    is_failing: bool
    reached: tuple[str, ...]


def has_due(session: Session, now: datetime) -> bool:
    """Whether there is anything to claim; asks without taking the write lock."""
    return session.scalar(_DUE, {"now": now}) is not None


def claim(session: Session, now: datetime, limit: int, failing_limit: int) -> list[Claim]:
    """At most one delivery for each channel, the longest due first, leased until later.

    Channels that are failing get `failing_limit` of the places at most, so that slow ones can't
    hold up the others. On PostgreSQL another worker passes over rows that are being claimed.
    """
    found: list[Claim] = []
    is_failing = Channel.failing_since.is_not(None)
    groups = ((or_(Channel.id.is_(None), ~is_failing), limit), (is_failing, failing_limit))
    for condition, most in groups:
        room = min(most, limit - len(found))
        if room > 0:
            found += _lease(session, now, condition, room)
    return found


def renew(session: Session, delivery_ids: Collection[int], now: datetime) -> None:
    mine = Delivery.id.in_(list(delivery_ids)) & (Delivery.state == "waiting")
    session.execute(update(Delivery).where(mine).values(lease_until=now + LEASE))


def _is_due(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return and_(
        Delivery.state == "waiting",
        Delivery.next_try_at <= now,
        or_(Delivery.lease_until.is_(None), Delivery.lease_until <= now),
        ~_waits_behind().exists(),
    )


def _waits_behind() -> Select[Any]:
    """What the channel has yet to be told of the same alert before: else the end of an incident
    would come before its begin, which would open it for good."""
    earlier, told, own = aliased(Delivery), aliased(OutboxMessage), aliased(OutboxMessage)
    return (
        select(earlier.id)
        .join(told, told.id == earlier.message_id)
        .join(own, own.incident == told.incident)
        .where(
            earlier.channel_id == Delivery.channel_id,
            earlier.state == "waiting",
            earlier.id < Delivery.id,
            own.id == Delivery.message_id,
            own.incident != "",
        )
        .correlate(Delivery)
    )


def _first_of_each(now: datetime) -> Select[Any]:
    """The delivery of each free channel that has been due for longest."""
    other = aliased(Delivery)
    lane = func.coalesce(Delivery.channel_id, MAIL)
    is_busy = select(other.id).where(
        other.lease_until > now, func.coalesce(other.channel_id, MAIL) == lane
    )
    place = func.row_number().over(partition_by=lane, order_by=(Delivery.next_try_at, Delivery.id))
    due = select(Delivery.id, place.label("place")).where(_is_due(now), ~is_busy.exists())
    ranked = due.subquery()
    return select(ranked.c.id).where(ranked.c.place == 1)


def _lease(
    session: Session, now: datetime, condition: ColumnElement[bool], limit: int
) -> list[Claim]:
    chosen = (
        select(Delivery, Channel, OutboxMessage)
        .join(OutboxMessage, OutboxMessage.id == Delivery.message_id)
        .outerjoin(Channel, Channel.id == Delivery.channel_id)
        .where(Delivery.id.in_(_first_of_each(now)), _is_due(now), condition)
        .order_by(Delivery.next_try_at, Delivery.id)
        .limit(limit)
        .with_for_update(of=Delivery, skip_locked=True)
    )
    rows = session.execute(chosen.execution_options(populate_existing=True)).all()
    for delivery, _, _ in rows:
        delivery.lease_until = now + LEASE
    return [
        Claim(
            delivery.id,
            delivery.channel_id,
            message.workspace_id,
            channel.kind if channel else "email",
            channel.sealed_settings if channel else "",
            read_message(message),
            delivery.recipient,
            delivery.attempts,
            channel is not None and channel.failing_since is not None,
            tuple(delivery.reached or ()),
        )
        for delivery, channel, message in rows
    ]


_DUE = select(Delivery.id).where(_is_due(bindparam("now", type_=UtcDateTime()))).limit(1)
"""Made once: an idle courier asks this four times a second, and little else."""
