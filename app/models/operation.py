"""What the processes of one server tell each other: heartbeats, shared limits, what was removed."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, Float, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Entity
from app.models.columns import BigId, Moment, UtcDateTime

PURGE_REASONS = ("age", "size")
PURGED = ("rejected", "success", "failure")
"""What is removed, in the order in which it goes when the database is too large."""


class WorkerHeartbeat(Entity):
    """A worker that lives, or when it was last seen."""

    __tablename__ = "worker_heartbeats"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    started_at: Mapped[Moment]
    seen_at: Mapped[Moment]


class RateBucket(Entity):
    """How full a limiter's bucket was at a moment, as all processes together filled it."""

    __tablename__ = "rate_buckets"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    level: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float, index=True)


class Purge(Entity):
    """How many events, runs and alerts went on a day (UTC), and why."""

    __tablename__ = "purges"
    __table_args__ = (
        CheckConstraint(f"why IN {PURGE_REASONS}", name="why_known"),
        CheckConstraint(f"what IN {PURGED}", name="what_known"),
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    why: Mapped[str] = mapped_column(String(4), primary_key=True)
    what: Mapped[str] = mapped_column(String(10), primary_key=True)
    row_count: Mapped[int] = mapped_column(BigId)
    last_at: Mapped[Moment]
    # Of the last that went: when it had been told. What is left is younger, where size was why.
    reached_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Tally(Entity):
    """How often something has happened on this server. It only ever grows, whatever is removed."""

    __tablename__ = "tallies"

    what: Mapped[str] = mapped_column(String(20), primary_key=True)
    about: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int] = mapped_column(BigId)


class TallyMark(Entity):
    """The last event, and the last minute of counts without events, that the tallies hold."""

    __tablename__ = "tally_marks"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    event_id: Mapped[int] = mapped_column(BigId)
    minute_at: Mapped[Moment]


class BackupTurn(Entity):
    """The last scheduled backup: for when it was due, who makes it, and what came of it."""

    __tablename__ = "backup_turns"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    due_at: Mapped[Moment]
    # The worker that has taken it, as its heartbeat is called.
    taken_by: Mapped[str] = mapped_column(String(120))
    begun_at: Mapped[Moment]
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(Text)
