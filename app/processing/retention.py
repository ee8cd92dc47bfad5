"""What is past its time: which rows may go, workspace by workspace and table by table."""

import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import ColumnElement, and_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from app.clock import now
from app.extensions import db
from app.models import (
    IDEMPOTENCY_WINDOW,
    RETENTION,
    Alert,
    AuditEntry,
    Downtime,
    Event,
    FormerSlug,
    IdempotencyKey,
    KeyUsage,
    OutboxMessage,
    Purge,
    RateBucket,
    Rollup,
    Run,
    Silence,
    UnstoredCount,
    UserSession,
    WorkerHeartbeat,
    Workspace,
    WorkspaceRollup,
    is_open,
    of_outcome,
    of_state,
)
from app.processing.clock_jumps import AgePause
from app.processing.partitions import spare_large
from app.processing.rollups import is_past_quarter

KEY_USAGE_KEPT = timedelta(days=90)
MESSAGES_KEPT = timedelta(days=90)
PURGES_KEPT = timedelta(days=90)
CLOCKS_DIFFER = timedelta(minutes=5)
"""The database refuses to remove what, by its own clock, is to be kept."""

Condition = ColumnElement[bool]


class Removal(NamedTuple):
    """Rows of a table that may go, the oldest first by `moment`, where an index leads along it.

    `still` is looked at again when they go, under the lock: what has changed since then stays.
    `what` and `why` are for the record; without them there is none. At `most` so many go at once.
    `stay_counted`: refused requests that go for their number alone, and count as those that were
    never stored.
    """

    table: type[Any]
    condition: Condition
    still: Condition = true()
    moment: InstrumentedAttribute[Any] | None = None
    what: str = ""
    why: str = ""
    most: int = sys.maxsize
    stay_counted: bool = False


class Period(NamedTuple):
    """What a workspace keeps for so many days, of its own or by the server's setting."""

    days: str
    kind: Condition
    moment: InstrumentedAttribute[Any]
    what: str
    is_led_to: bool = True
    """Whether an index leads along the moments."""
    goes_by_size: bool = True
    """Whether it goes as well where the database is too large."""

    @property
    def table(self) -> type[Any]:
        return self.moment.class_  # type: ignore[no-any-return]

    def ends_at(self, workspace: Workspace | None, at: datetime) -> datetime:
        """What came before that is past its time."""
        own = getattr(workspace, self.days, None)
        return _days_ago(RETENTION[self.days], at) if own is None else at - timedelta(days=own)

    def before(self, workspace: Workspace | None, moment: datetime, why: str) -> Removal:
        """Runs along an index that begins with the workspace, or of refused requests alone."""
        owner: ColumnElement[int] = self.table.workspace_id
        if self.days == "rejected_days":
            owner = owner + 0  # Else SQLite goes through all that the workspace has.
        mine = owner == (workspace.id if workspace else None)
        return self.removal(mine, moment, why)

    def removal(self, mine: Condition, moment: datetime, why: str) -> Removal:
        """Of these, the ones from before that moment. When an event came never changes."""
        condition = self.kind & (self.moment < moment)
        still = self.kind if self.table is Event else condition
        along = self.moment if self.is_led_to else None
        return Removal(self.table, mine & condition, still, along, self.what, why)


PERIODS = (
    Period("rejected_days", of_state("rejected"), Event.received_at, "rejected"),
    Period("event_days", of_state("processed"), Event.received_at, "success"),
    Period("failure_days", of_state("failed"), Event.received_at, "failure"),
    Period("event_days", of_outcome("success"), Run.updated_at, "success"),
    Period("failure_days", of_outcome("failure"), Run.updated_at, "failure"),
    Period(
        "failure_days",
        Alert.ended_at.is_not(None),
        Alert.last_at,
        "failure",
        is_led_to=False,
        goes_by_size=False,
    ),
    Period("failure_days", is_open(), Run.updated_at, "failure", goes_by_size=False),
)
"""What goes by a workspace's own settings.

Age counts from when FlowPulse was told, not from when a run ended: a back-fill of last year's runs
must not vanish.
"""


def _days_ago(setting: str, moment: datetime) -> datetime:
    return moment - timedelta(days=current_app.config[setting])


def _too_many_rejected(at: datetime) -> Condition:
    """Those up to the newest refused request that is one too many."""
    limit: int = current_app.config["FLOWPULSE_REJECTED_ROWS"]
    newest = select(Event.received_at, Event.id).where(of_state("rejected"))
    found = db.session.execute(
        newest.order_by(Event.received_at.desc()).offset(limit).limit(1)
    ).first()
    last_at, last_id = found or (datetime.min.replace(tzinfo=at.tzinfo), 0)
    return and_(of_state("rejected"), Event.received_at <= last_at, Event.id <= last_id)


RULES: tuple[tuple[type[Any], Callable[[datetime], Condition]], ...] = (
    (Event, _too_many_rejected),
    (IdempotencyKey, lambda at: IdempotencyKey.created_at < at - IDEMPOTENCY_WINDOW),
    (FormerSlug, lambda at: FormerSlug.expires_at < at),
    (KeyUsage, lambda at: KeyUsage.day < (at - KEY_USAGE_KEPT).date()),
    (OutboxMessage, lambda at: OutboxMessage.created_at < at - MESSAGES_KEPT),
    (UserSession, lambda at: UserSession.expires_at < at),
    (UnstoredCount, lambda at: UnstoredCount.minute_at < _days_ago("FLOWPULSE_REJECTED_DAYS", at)),
    (Silence, lambda at: Silence.ended_at < _days_ago("FLOWPULSE_FAILURE_DAYS", at)),
    (Downtime, lambda at: Downtime.ended_at < _days_ago("FLOWPULSE_FAILURE_DAYS", at)),
    (WorkerHeartbeat, lambda at: WorkerHeartbeat.seen_at < at - timedelta(days=1)),
    (RateBucket, lambda at: RateBucket.updated_at < (at - timedelta(hours=1)).timestamp()),
    (Purge, lambda at: Purge.day < (at - PURGES_KEPT).date()),
    (AuditEntry, lambda at: AuditEntry.keep_until < at - CLOCKS_DIFFER),
    (Rollup, lambda at: is_past_quarter(Rollup, at)),
    (WorkspaceRollup, lambda at: is_past_quarter(WorkspaceRollup, at)),
)
"""What else may go: a table, and the condition at a moment."""
BY_AGE = frozenset(
    {
        IdempotencyKey,
        FormerSlug,
        KeyUsage,
        OutboxMessage,
        UserSession,
        UnstoredCount,
        Silence,
        Downtime,
        Purge,
        AuditEntry,
        Rollup,
        WorkspaceRollup,
    }
)
"""Of these, what would be missed."""


def find_past() -> Iterator[Removal]:
    """All that may be past its time, one table of a workspace after the other. After a long
    downtime, or where the clock may have been set ahead, none of it is for a day."""
    pause = AgePause()
    for workspace in (None, *list_workspaces()):
        for period in list_periods(workspace):
            at = now()
            if pause.holds(at):
                break
            past = period.before(workspace, period.ends_at(workspace, at), "age")
            yield past._replace(condition=past.condition & _spare(period, workspace))
    for table, condition in RULES:
        at = now()
        if table not in BY_AGE or not pause.holds(at):
            yield Removal(table, condition(at), stay_counted=table is Event)


def list_workspaces() -> list[Workspace]:
    """Read once and let go: each removal begins a transaction of its own."""
    workspaces = list(db.session.scalars(select(Workspace)))
    db.session.expunge_all()
    return workspaces


def list_periods(workspace: Workspace | None) -> tuple[Period, ...]:
    """None stands for the requests of no workspace, such as those with unknown keys."""
    return PERIODS if workspace else PERIODS[:1]


def _spare(period: Period, workspace: Workspace | None) -> Condition:
    """Events that go by the server's setting may wait to be dropped with their month."""
    is_of_server = workspace is not None and workspace.event_days is None
    if period.table is Event and period.days == "event_days" and is_of_server:
        return spare_large(db.session())
    return true()
