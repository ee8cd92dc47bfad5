"""Channels, the outbox of messages, and what came of each try to deliver one."""

from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    Date,
    Float,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import now
from app.extensions import Entity
from app.models.account import Membership, User, Workspace
from app.models.columns import JsonText, Moment, PrimaryKey, PublicId, UtcDateTime

DELIVERY_STATES = ("waiting", "delivered", "failed", "given_up")
"""`waiting` until it is delivered or given up after a day; `failed`: its channel was switched off
before."""
_IS_MAIL = text("recipient IS NOT NULL")


class Channel(Entity):
    """A way to a team: what kind, and the sealed settings that only the worker opens."""

    __tablename__ = "channels"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(20))
    sealed_settings: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Moment] = mapped_column(default=now)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    last_ok_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_why: Mapped[str | None] = mapped_column(Text)

    created_by: Mapped[User | None] = relationship()
    workspace: Mapped[Workspace] = relationship()


class OutboxMessage(Entity):
    """A message that was decided on; `message_id` is the stable id that every try carries."""

    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_workspace_id_created_at", "workspace_id", "created_at"),)

    id: Mapped[PrimaryKey]
    message_id: Mapped[str] = mapped_column(String(64), unique=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    title: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    facts: Mapped[list[list[str]]] = mapped_column(JsonText)
    link: Mapped[str] = mapped_column(Text)
    incident: Mapped[str] = mapped_column(String(64))
    at: Mapped[Moment]  # When it happened.
    created_at: Mapped[Moment] = mapped_column(index=True)


class Delivery(Entity):
    """A message on its way to one channel or, where it has none, to one e-mail address."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint(f"state IN {DELIVERY_STATES}", name="state_known"),
        CheckConstraint("(channel_id IS NULL) <> (recipient IS NULL)", name="one_way"),
        UniqueConstraint("message_id", "channel_id"),
        Index(
            "ix_deliveries_waiting",
            "next_try_at",
            "id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_deliveries_channel_id_id", "channel_id", "id"),
        Index("ix_deliveries_mails", "id", sqlite_where=_IS_MAIL, postgresql_where=_IS_MAIL),
        Index(
            "ix_deliveries_recipient_id",
            "recipient",
            "id",
            sqlite_where=_IS_MAIL,
            postgresql_where=_IS_MAIL,
        ),
        Index(
            "ix_deliveries_leased",
            "lease_until",
            sqlite_where=text("lease_until IS NOT NULL"),
            postgresql_where=text("lease_until IS NOT NULL"),
        ),
    )

    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"))
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    recipient: Mapped[str | None] = mapped_column(String(254))
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Until then one worker is sending it; a worker that is killed lets it run out.
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Of a channel with several recipients: those who have it from an earlier try.
    reached: Mapped[list[str] | None] = mapped_column(JsonText)

    message: Mapped[OutboxMessage] = relationship()
    channel: Mapped[Channel | None] = relationship()
    tries: Mapped[list["DeliveryAttempt"]] = relationship(order_by="DeliveryAttempt.id")


class DeliveryAttempt(Entity):
    """One try: what the other side answered (the first 2 KB), or why there was no answer."""

    __tablename__ = "delivery_attempts"

    id: Mapped[PrimaryKey]
    delivery_id: Mapped[int] = mapped_column(
        ForeignKey("deliveries.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[Moment]
    took_ms: Mapped[float] = mapped_column(Float)
    status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    problem: Mapped[str | None] = mapped_column(String(40))
    """The error's row of the troubleshooting table."""


class WeeklyDigest(Entity):
    """A person who wants a workspace's weekly digest, and the Monday of the last one."""

    __tablename__ = "weekly_digests"

    membership_id: Mapped[int] = mapped_column(
        ForeignKey("memberships.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    last_monday: Mapped[date | None] = mapped_column(Date)

    membership: Mapped[Membership] = relationship()
