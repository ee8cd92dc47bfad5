"""Mails that go to people's addresses and not by a channel: weekly digests, and notices."""

from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from app.extensions import db
from app.models import Delivery, Membership, OutboxMessage, User

FAILING_FOR = timedelta(days=8)
"""What was put in longer ago says nothing of now: a weekly digest has been tried again since."""


def select_mails(workspace_id: int) -> Select[Delivery]:
    return (
        select(Delivery)
        .join(OutboxMessage, OutboxMessage.id == Delivery.message_id)
        .where(Delivery.channel_id.is_(None), OutboxMessage.workspace_id == workspace_id)
    )


def list_failing(workspace_id: int, now: datetime) -> list[Delivery]:
    """The last mail that was tried to each member, where it has not arrived; the newest first."""
    members = select(func.lower(User.email)).join(Membership, Membership.user_id == User.id)
    tried = (
        select_mails(workspace_id)
        .where(
            Delivery.attempts > 0,
            OutboxMessage.created_at > now - FAILING_FOR,
            func.lower(Delivery.recipient).in_(
                members.where(Membership.workspace_id == workspace_id)
            ),
        )
        .options(joinedload(Delivery.message))
        .order_by(Delivery.id.desc())
    )
    newest: dict[str | None, Delivery] = {}
    for delivery in db.session.scalars(tried):
        newest.setdefault(delivery.recipient, delivery)
    return [each for each in newest.values() if each.state != "delivered"]
