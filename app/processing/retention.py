"""What is past its time goes, in small batches that never hold the database up for long."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import ColumnElement, delete, select, true
from sqlalchemy.orm import InstrumentedAttribute

from app.clock import now
from app.extensions import db, writing
from app.models import (
    IDEMPOTENCY_WINDOW,
    RETENTION,
    Alert,
    Downtime,
    Event,
    FormerSlug,
    IdempotencyKey,
    KeyUsage,
    OutboxMessage,
    RateBucket,
    Run,
    Silence,
    UnstoredCount,
    UserSession,
    WorkerHeartbeat,
    Workspace,
    is_open,
)
from app.processing.partitions import spare_large
from app.processing.rollups import prune_quarters

BATCH_SIZE = 500
KEY_USAGE_KEPT = timedelta(days=90)
MESSAGES_KEPT = timedelta(days=90)
MAX_BATCHES = 20
"""Batches of each kind in one go; what is left waits for the next."""

Condition = Callable[[datetime], ColumnElement[bool]]


def _days_ago(setting: str, moment: datetime) -> datetime:
    return moment - timedelta(days=current_app.config[setting])


def _oldest_kept_rejected() -> int | None:
    """The id of the newest rejected event that is too many."""
    rejected = select(Event.id).where(Event.state == "rejected")
    limit: int = current_app.config["FLOWPULSE_REJECTED_ROWS"]
    return db.session.scalar(rejected.order_by(Event.received_at.desc()).offset(limit).limit(1))


class Period(NamedTuple):
    """What a workspace keeps for so many days, of its own or by the server's setting."""

    days: str
    key: InstrumentedAttribute[Any]
    kind: ColumnElement[bool]
    moment: InstrumentedAttribute[datetime]

    def past(self, workspace: Workspace | None, at: datetime) -> ColumnElement[bool]:
        """Runs along an index that begins with the workspace, or of refused requests alone."""
        own = getattr(workspace, self.days, None)
        before = _days_ago(RETENTION[self.days], at) if own is None else at - timedelta(days=own)
        owner: ColumnElement[int] = self.key.class_.workspace_id
        if self.days == "rejected_days":
            owner = owner + 0  # Else SQLite goes through all that the workspace has.
        whose = owner == (workspace.id if workspace else None)
        return whose & self.kind & (self.moment < before)


PERIODS = (
    Period("rejected_days", Event.id, Event.state == "rejected", Event.received_at),
    Period("event_days", Event.id, Event.state == "processed", Event.received_at),
    Period("failure_days", Event.id, Event.state == "failed", Event.received_at),
    Period("event_days", Run.id, Run.outcome == "success", Run.updated_at),
    Period("failure_days", Run.id, Run.outcome == "failure", Run.updated_at),
    Period("failure_days", Alert.id, Alert.ended_at.is_not(None), Alert.last_at),
    Period("failure_days", Run.id, is_open(), Run.updated_at),
)
"""What goes by a workspace's own settings.

Age counts from when FlowPulse was told, not from when a run ended: a back-fill of last year's runs
must not vanish.
"""

RULES: tuple[tuple[InstrumentedAttribute[Any], Condition], ...] = (
    (
        Event.id,
        lambda at: (Event.state == "rejected") & (Event.id <= (_oldest_kept_rejected() or 0)),
    ),
    (IdempotencyKey.id, lambda at: IdempotencyKey.created_at < at - IDEMPOTENCY_WINDOW),
    (FormerSlug.id, lambda at: FormerSlug.expires_at < at),
    (KeyUsage.day, lambda at: KeyUsage.day < (at - KEY_USAGE_KEPT).date()),
    (OutboxMessage.id, lambda at: OutboxMessage.created_at < at - MESSAGES_KEPT),
    (UserSession.id, lambda at: UserSession.expires_at < at),
    (
        UnstoredCount.id,
        lambda at: UnstoredCount.minute_at < _days_ago("FLOWPULSE_REJECTED_DAYS", at),
    ),
    (Silence.id, lambda at: Silence.ended_at < _days_ago("FLOWPULSE_FAILURE_DAYS", at)),
    (Downtime.id, lambda at: Downtime.ended_at < _days_ago("FLOWPULSE_FAILURE_DAYS", at)),
    (WorkerHeartbeat.name, lambda at: WorkerHeartbeat.seen_at < at - timedelta(days=1)),
    (RateBucket.name, lambda at: RateBucket.updated_at < (at - timedelta(hours=1)).timestamp()),
)
"""What else may go: the key of a table, and the condition at a moment."""


def prune() -> int:
    """Remove what is past its time; returns how many rows went."""
    by_workspace = sum(_prune_workspace(workspace) for workspace in (None, *_list_workspaces()))
    with writing() as session:
        prune_quarters(session, now())
    return by_workspace + sum(_prune(key, condition(now())) for key, condition in RULES)


def _list_workspaces() -> list[Workspace]:
    """Read once and let go: each removal begins a transaction of its own."""
    workspaces = list(db.session.scalars(select(Workspace)))
    db.session.expunge_all()
    return workspaces


def _prune_workspace(workspace: Workspace | None) -> int:
    """None stands for the requests of no workspace, such as those with unknown keys."""
    kinds = PERIODS if workspace else PERIODS[:1]
    return sum(
        _prune(period.key, period.past(workspace, now()) & _spare(period, workspace))
        for period in kinds
    )


def _spare(period: Period, workspace: Workspace | None) -> ColumnElement[bool]:
    """Events that go by the server's setting may wait to be dropped with their month."""
    is_of_server = workspace is not None and workspace.event_days is None
    if period.key is Event.id and period.days == "event_days" and is_of_server:
        return spare_large(db.session())
    return true()


def _prune(key: InstrumentedAttribute[Any], condition: ColumnElement[bool]) -> int:
    total = 0
    for _ in range(MAX_BATCHES):
        past = list(db.session.scalars(select(key).where(condition).limit(BATCH_SIZE)))
        if past:
            with writing() as session:
                session.execute(delete(key.class_).where(key.in_(past)))
        total += len(past)
        if len(past) < BATCH_SIZE:
            break
    db.session.rollback()
    return total
