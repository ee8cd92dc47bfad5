"""Switching a channel off that has failed for days, with notice, and on again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.channels.kinds import WITH_INCIDENTS
from app.channels.message import TRIED_ONCE, Message
from app.channels.network import link_to, read_mail_server
from app.channels.outbox import put
from app.models import (
    AuditEntry,
    Channel,
    Delivery,
    DeliveryAttempt,
    Membership,
    OutboxMessage,
    User,
)
from app.tallies import DELIVERY, about_delivery, count_up

SWITCH_OFF_AFTER = timedelta(days=5)
QUIET_FOR = timedelta(days=2)
"""A longer time without a try says nothing of a channel: from the next the days count anew."""

LONGEST_TRY = timedelta(minutes=1)
"""What lies at most between the begin of a try and its record."""


def keeps_failing(session: Session, channel: Channel, now: datetime) -> bool:
    """Whether its messages have failed for all the days, with no long pause between the tries.

    Nothing has arrived since `failing_since`; tests do not count.
    """
    since = channel.failing_since
    if since is None or now - since < SWITCH_OFF_AFTER:
        return False
    tries = (
        select(DeliveryAttempt.at)
        .join(Delivery, Delivery.id == DeliveryAttempt.delivery_id)
        .join(OutboxMessage, OutboxMessage.id == Delivery.message_id)
        .where(
            Delivery.channel_id == channel.id,
            OutboxMessage.kind.not_in(TRIED_ONCE),
            DeliveryAttempt.at >= max(since - LONGEST_TRY, now - SWITCH_OFF_AFTER - QUIET_FOR),
        )
    )
    later = now
    for at in session.scalars(tries.order_by(DeliveryAttempt.at.desc())):
        if later - at > QUIET_FOR:
            return False
        if now - at >= SWITCH_OFF_AFTER:
            return True
        later = at
    return False


def switch_off(session: Session, channel: Channel, why: str, now: datetime) -> None:
    """Within the caller's transaction: nothing more goes to it; the team is told otherwise."""
    channel.disabled_at = now
    channel.disabled_why = why
    session.add(
        AuditEntry(
            actor="worker",
            what="channel_switched_off",
            workspace_id=channel.workspace_id,
            about=channel.name,
            about_id=channel.public_id,
        )
    )
    waiting = (Delivery.channel_id == channel.id) & (Delivery.state == "waiting")
    given_up = session.execute(
        update(Delivery)
        .where(waiting)
        .values(state="failed", next_try_at=None, lease_until=None, finished_at=now)
    )
    number: int = given_up.rowcount  # type: ignore[attr-defined]
    count_up(session, {(DELIVERY, about_delivery(channel.id, "failed")): number})
    _tell_team(session, channel, why, now)


def switch_on(channel: Channel) -> None:
    """What follows starts anew, also the days until it would be switched off again."""
    channel.disabled_at = None
    channel.disabled_why = None
    channel.failing_since = None


def _tell_team(session: Session, channel: Channel, why: str, now: datetime) -> None:
    """One message: by mail to the owners, where that can be sent, and over channels that work."""
    addresses = _list_owners(session, channel.workspace_id) if read_mail_server() else []
    channel_ids = _choose_others(session, channel, is_told=bool(addresses))
    if not addresses and not channel_ids:
        return
    message = Message(
        id=f"off-{channel.public_id}-{int(now.timestamp())}",
        kind="notice",
        title=f"The channel “{channel.name}” was switched off",
        text="All messages to it have failed for 5 days, so that no more go to it. Mend its "
        "settings under Alerts → Channels, send a test, and switch it on again.",
        facts=(
            ("Failing since", f"{channel.failing_since or now:%Y-%m-%d %H:%M} UTC"),
            ("Last error", why),
        ),
        link=link_to(f"/alerts/channels/{channel.public_id}"),
        incident="",
        at=now,
    )
    put(session.connection(), message, channel.workspace_id, channel_ids, now, addresses)


def _list_owners(session: Session, workspace_id: int) -> Sequence[str]:
    owners = select(User.email).join(Membership, Membership.user_id == User.id)
    owners = owners.where(Membership.workspace_id == workspace_id, Membership.role == "owner")
    return session.scalars(owners).all()


def _choose_others(session: Session, channel: Channel, *, is_told: bool) -> list[int]:
    """The ids of the workspace's channels that work. Those with incidents, of which this would open
    one that nothing ends, only where there is no other way to tell anybody."""
    working = select(Channel.id, Channel.kind).where(
        Channel.workspace_id == channel.workspace_id,
        Channel.id != channel.id,
        Channel.disabled_at.is_(None),
        Channel.failing_since.is_(None),
    )
    rows = session.execute(working).all()
    quiet = [channel_id for channel_id, kind in rows if kind not in WITH_INCIDENTS]
    return quiet if quiet or is_told else [channel_id for channel_id, _ in rows]
