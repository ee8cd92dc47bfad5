"""The events table: the log of every request, the inbox, and the queue, in one."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.clock import now
from app.extensions import Entity
from app.models.account import User
from app.models.api_key import ApiKey
from app.models.columns import BigId, JsonText, Moment, PrimaryKey, PublicId, UtcDateTime
from app.models.run import Run
from app.models.workflow import Workflow

IDEMPOTENCY_WINDOW = timedelta(hours=24)
"""How long the answer to an Idempotency-Key is remembered."""

STATES = ("accepted", "processed", "failed", "rejected")
ORIGINS = ("test", "resend", "reprocess")
"""Who sent what no automation sent: a person in the console, in one of these ways."""


def _partial_index(name: str, where: str, *columns: str) -> Index:
    """An index over some of the events, so that a new one costs only what it needs itself."""
    condition = text(where)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


def _index_of_state(state: str, *columns: str) -> Index:
    return _partial_index(f"ix_events_{state}", f"state = '{state}'", *columns)


class Event(Entity):
    """One request. Ids are handed out in the order of commits: `id > cursor` loses no row."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state_known"),
        Index("ix_events_workspace_id_id", "workspace_id", "id"),
        _partial_index("ix_events_run_id", "run_id IS NOT NULL", "run_id"),
        _index_of_state("accepted", "next_attempt_at", "id"),
        _index_of_state("processed", "workspace_id", "received_at"),
        _index_of_state("failed", "workspace_id", "received_at"),
        _index_of_state("rejected", "received_at"),
        _partial_index(
            "ix_events_open_problem",
            "state = 'rejected' AND fingerprint IS NOT NULL AND resolved_at IS NULL",
            "workspace_id",
            "fingerprint",
            "id",
        ),
        _partial_index(
            "ix_events_refused_workflow",
            "state = 'rejected' AND workflow_id IS NOT NULL",
            "workflow_id",
            "received_at",
        ),
        _partial_index(
            "ix_events_refused_reference",
            "state = 'rejected' AND reference IS NOT NULL",
            "workspace_id",
            "reference",
            "received_at",
        ),
        _partial_index(
            "ix_events_refused_key",
            "state = 'rejected' AND reference IS NULL",
            "api_key_id",
            "received_at",
        ),
        _partial_index("ix_events_warned", "warnings IS NOT NULL", "workspace_id", "received_at"),
        _partial_index("ix_events_attempt_of_id", "attempt_of_id IS NOT NULL", "attempt_of_id"),
        _partial_index(
            "ix_events_rejected_execution",
            "state = 'rejected' AND execution_id IS NOT NULL",
            "workspace_id",
            "execution_id",
        ),
        _partial_index(
            "ix_events_rejected_correlation",
            "state = 'rejected' AND correlation_id IS NOT NULL",
            "workspace_id",
            "correlation_id",
        ),
        {"sqlite_autoincrement": True, "postgresql_partition_by": "RANGE (received_at)"},
    )

    # On PostgreSQL these two are unique in each partition: see `app.models.partitioning`.
    id: Mapped[PrimaryKey]
    public_id: Mapped[PublicId]
    workspace_id: Mapped[int | None] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE")
    )
    api_key_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"))
    workflow_id: Mapped[int | None] = mapped_column(
        ForeignKey("workflows.id", ondelete="CASCADE"), index=True
    )
    received_at: Mapped[Moment]
    state: Mapped[str] = mapped_column(String(10))
    kind: Mapped[str | None] = mapped_column(String(30))
    platform: Mapped[str | None] = mapped_column(String(64))
    origin: Mapped[str | None] = mapped_column(String(10))
    sent_by: Mapped[str | None] = mapped_column(String(254))  # The person's address at that time.
    # No foreign keys: SQLite would rebuild the table for them, and events outlive each other.
    attempt_of_id: Mapped[int | None] = mapped_column(BigId)

    method: Mapped[str] = mapped_column(String(20))
    path: Mapped[str] = mapped_column(String(2000))
    headers: Mapped[list[list[str]]] = mapped_column(JsonText, deferred=True)
    body: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    body_size: Mapped[int | None] = mapped_column(BigId)
    remote_addr: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(255))

    status: Mapped[int]
    code: Mapped[str | None] = mapped_column(String(40))
    detail: Mapped[str | None] = mapped_column(Text)
    errors: Mapped[list[dict[str, Any]] | None] = mapped_column(JsonText)
    warnings: Mapped[list[dict[str, Any]] | None] = mapped_column(JsonText)
    took_ms: Mapped[float] = mapped_column(Float)

    # Of a refused request alone; of the others, the payload and the run tell.
    reference: Mapped[str | None] = mapped_column(String(255))
    execution_id: Mapped[str | None] = mapped_column(String(255))
    correlation_id: Mapped[str | None] = mapped_column(String(255))
    fingerprint: Mapped[str | None] = mapped_column(String(16))
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    payload: Mapped[dict[str, Any] | None] = mapped_column(JsonText, deferred=True)
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    processed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str | None] = mapped_column(Text)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))

    api_key: Mapped[ApiKey | None] = relationship()
    workflow: Mapped[Workflow | None] = relationship()
    run: Mapped[Run | None] = relationship(back_populates="events")


def of_state(state: str) -> ColumnElement[bool]:
    """The condition with the state spelt out, so that SQLite sees which partial index fits.

    A search in windows of ids must not see it: it would sort that whole index for each window.
    """
    if state not in STATES:
        raise ValueError(f"there is no state {state!r}")
    return Event.state == literal_column(f"'{state}'")


IS_WARNED = Event.warnings.is_not(None)
"""What was accepted with warnings; refused requests keep none."""


class IgnoredProblem(Entity):
    """A group of refused requests that nobody wants to hear of until it happens again."""

    __tablename__ = "ignored_problems"
    __table_args__ = (UniqueConstraint("workspace_id", "fingerprint"),)

    id: Mapped[PrimaryKey]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    fingerprint: Mapped[str] = mapped_column(String(16))
    up_to_event_id: Mapped[int] = mapped_column(BigId)
    ignored_at: Mapped[Moment] = mapped_column(default=now)
    ignored_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    ignored_by: Mapped[User | None] = relationship()


class IdempotencyKey(Entity):
    """The first answer to an Idempotency-Key, remembered for a day."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("workspace_id", "key"),)

    id: Mapped[PrimaryKey]
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(255))
    request_hash: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]] = mapped_column(JsonText)
    created_at: Mapped[Moment] = mapped_column(index=True)


class UnstoredCount(Entity):
    """Refused requests that were counted and not stored, by minute, workspace and code."""

    __tablename__ = "unstored_counts"

    id: Mapped[PrimaryKey]
    minute_at: Mapped[Moment]
    workspace_id: Mapped[int | None] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE")
    )
    code: Mapped[str] = mapped_column(String(40))
    count: Mapped[int] = mapped_column(BigId)

    __table_args__ = (Index("ix_unstored_counts_minute_at", "minute_at"),)
