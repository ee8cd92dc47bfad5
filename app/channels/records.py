"""What came of a try: noted, and what follows from it for the delivery and for its channel."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.orm import Session

from app.channels.claims import Claim
from app.channels.message import TRIED_ONCE
from app.channels.switching import keeps_failing, switch_off
from app.models import Channel, Delivery, DeliveryAttempt
from app.tallies import DELIVERY, about_delivery, count_up

RETRY_DELAYS = tuple(
    timedelta(minutes=minutes) for minutes in (0.5, 1, 2, 5, 10, 30, 60, 120, 240, 480, 480)
)
"""Pauses after the first, second, … failure: 23 h 48 min in all, then it is given up."""
JITTER = 0.1
"""Each pause is longer or shorter by up to this part: what failed together comes back apart."""
KEPT_ANSWER = 2048
KEPT_ERROR = 1000


Row = TypeVar("Row", Channel, Delivery)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One try of a claimed delivery; without an error, it was delivered."""

    claim: Claim
    at: datetime
    took_ms: float
    status: int | None
    answer: str | None
    error: str | None
    reached: tuple[str, ...] = ()
    problem: str | None = None


def record(session: Session, outcome: Outcome, now: datetime) -> None:
    """Within the caller's transaction. A delivery that was deleted meanwhile is passed over."""
    channel = _lock(session, Channel, outcome.claim.channel_id)
    delivery = _lock(session, Delivery, outcome.claim.delivery_id)
    if delivery is None:
        return
    session.add(
        DeliveryAttempt(
            delivery_id=delivery.id,
            at=outcome.at,
            took_ms=outcome.took_ms,
            status=outcome.status,
            answer=outcome.answer[:KEPT_ANSWER] if outcome.answer else None,
            error=outcome.error[:KEPT_ERROR] if outcome.error else None,
            problem=outcome.problem,
        )
    )
    delivery.lease_until = None
    delivery.attempts += 1
    if outcome.error is None:
        _finish(session, delivery, "delivered", now)
    elif delivery.state == "waiting":
        delivery.reached = list(outcome.reached) or delivery.reached
        _put_off(session, delivery, outcome.claim.message.kind, now)
    if channel is not None:
        _judge(session, channel, outcome, now)


def _lock(session: Session, table: type[Row], key: int | None) -> Row | None:
    """Without a lock on the key: messages can be put in for the channel meanwhile."""
    if key is None:
        return None
    return session.get(table, key, with_for_update={"key_share": True}, populate_existing=True)


def _put_off(session: Session, delivery: Delivery, kind: str, now: datetime) -> None:
    failures = delivery.attempts
    if kind in TRIED_ONCE or failures > len(RETRY_DELAYS):
        _finish(session, delivery, "given_up", now)
        return
    pause = RETRY_DELAYS[failures - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
    delivery.next_try_at = now + pause


def _finish(session: Session, delivery: Delivery, state: str, now: datetime) -> None:
    count_up(session, {(DELIVERY, about_delivery(delivery.channel_id, state)): 1})
    delivery.state = state
    delivery.next_try_at = None
    delivery.finished_at = now


def _judge(session: Session, channel: Channel, outcome: Outcome, now: datetime) -> None:
    """One delivery that arrives makes a channel good again, whatever else still waits; a test that
    does not is told of where it was asked for, and nobody misses it."""
    if outcome.error is None:
        channel.last_ok_at = now
        channel.failing_since = None
        return
    if outcome.claim.message.kind in TRIED_ONCE:
        return
    channel.failing_since = channel.failing_since or now
    if channel.disabled_at is None and keeps_failing(session, channel, now):
        switch_off(session, channel, outcome.error, now)
