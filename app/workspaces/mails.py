"""Mails that go to people's addresses and not by a channel: weekly digests, and notices."""

from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import contains_eager

from app.extensions import db
from app.models import Delivery, Membership, OutboxMessage, User

FAILING_FOR = timedelta(days=8)
"""What was put in longer ago says nothing of now: a weekly digest has been tried again since."""


def select_mails(workspace_id: int) -> Select[Delivery]:
    """By their ids, an index leads along the mails of all workspaces, which are few."""
    owner = select(OutboxMessage.workspace_id).where(OutboxMessage.id == Delivery.message_id)
    its = owner.correlate(Delivery).scalar_subquery() == workspace_id
    return select(Delivery).where(Delivery.recipient.is_not(None), its)


def list_failing(workspace_id: int, now: datetime) -> list[Delivery]:
    """The last mail that was tried to each member, where it has not arrived; the newest first."""
    tried = select_mails(workspace_id).where(
        Delivery.recipient == User.email, Delivery.attempts > 0
    )
    newest = tried.with_only_columns(Delivery.id).order_by(Delivery.id.desc()).limit(1)
    last = select(newest.correlate(User).scalar_subquery()).select_from(User)
    members = last.join(Membership, Membership.user_id == User.id)
    ids = db.session.scalars(members.where(Membership.workspace_id == workspace_id)).all()
    failing = (
        select(Delivery)
        .join(Delivery.message)
        .where(
            Delivery.id.in_([each for each in ids if each is not None]),
            Delivery.state != "delivered",
            OutboxMessage.created_at > now - FAILING_FOR,
        )
        .options(contains_eager(Delivery.message))
    )
    return list(db.session.scalars(failing.order_by(Delivery.id.desc())))
