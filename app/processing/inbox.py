"""The queue side of the events table: claim what is due, put off what failed, give up at last."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, func, select, text, type_coerce, update
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from app.extensions import is_sqlite
from app.models import Event
from app.postgres import SORT_AGAIN
from app.processing.many_rows import update_rows

MAX_ATTEMPTS = 5
RETRY_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (2, 10, 60, 600))
"""Pauses after the first, second, third and fourth failure."""
MAX_FAILURE_LENGTH = 500
_TABLE = cast(Table, Event.__table__)
_EVENTS = _TABLE.c
_DUE = (
    select(_EVENTS.id)
    .where(_EVENTS.state == "accepted", _EVENTS.next_attempt_at <= bindparam("now"))
    .limit(1)
)
"""Made once: an idle worker asks this ten times a second, and little else."""
_CLAIM = (
    select(
        _EVENTS.id,
        _EVENTS.received_at,
        _EVENTS.workspace_id,
        _EVENTS.workflow_id,
        _EVENTS.kind,
        _EVENTS.attempts,
        type_coerce(_EVENTS.payload, Text),
        _EVENTS.origin,
    )
    .where(_EVENTS.state == "accepted", _EVENTS.next_attempt_at <= bindparam("now"))
    .order_by(_EVENTS.next_attempt_at, _EVENTS.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
"""What a batch asks while nobody else can write to SQLite is made once, here and elsewhere: to put
such a statement together takes longer than to answer it."""
_CLAIM_BY_INDEX = _CLAIM.where(text(SORT_AGAIN))
_KEYS = {True: ("id",), False: ("id", "received_at")}
"""What finds an event on SQLite, and on PostgreSQL, where the time tells the month's table."""


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An accepted event as the worker needs it; `payload` is JSON that is yet to be read."""

    id: int
    received_at: datetime
    workspace_id: int
    workflow_id: int
    kind: str
    attempts: int
    payload: str
    origin: str | None

    def read_payload(self) -> dict[str, Any]:
        fields = json.loads(self.payload)
        if not isinstance(fields, dict):
            raise TypeError("the payload is no object")
        return fields


def has_due(session: Session, now: datetime) -> bool:
    """Whether there is anything to claim; asks without taking the write lock."""
    return session.connection().execute(_DUE, {"now": now}).first() is not None


def claim(session: Session, now: datetime, limit: int) -> list[ClaimedEvent]:
    """The accepted events that are due, in order of arrival, locked until the transaction ends.

    On PostgreSQL another worker passes over them; on SQLite only one transaction writes at a time.
    It is the first that a transaction does which sorts nothing: PostgreSQL takes the queue to be as
    short as when it was last counted, and would sort a whole backlog for each claim (50 ms with
    15,000 waiting, and more the longer it gets).
    """
    given = {"now": now, "most": limit}
    statement = _CLAIM if is_sqlite() else _CLAIM_BY_INDEX
    return [ClaimedEvent(*row) for row in session.connection().execute(statement, given)]


def finish(
    session: Session, events: Sequence[ClaimedEvent], run_ids: dict[int, int], now: datetime
) -> None:
    """Mark events as processed; `run_ids` gives each event's run."""
    keys = _KEYS[is_sqlite()]
    done = [event for event in events if event.id in run_ids]
    if not done:
        return
    rows = [
        {**{key: getattr(event, key) for key in keys}, "run_id": run_ids[event.id]}
        for event in done
    ]
    came = [event.received_at for event in done]
    months = () if is_sqlite() else (_EVENTS.received_at.between(min(came), max(came)),)
    same = {"state": "processed", "processed_at": now, "next_attempt_at": None, "failure": None}
    update_rows(session, _TABLE, keys, rows, same, *months)


def put_off(session: Session, event: ClaimedEvent, error: Exception, now: datetime) -> None:
    """Count a failed attempt: the event is tried again later, or given up after the fifth."""
    attempts = event.attempts + 1
    gives_up = attempts >= MAX_ATTEMPTS
    session.execute(
        update(Event)
        .where(Event.id == event.id)
        .values(
            attempts=attempts,
            failure=f"{type(error).__name__}: {error}"[:MAX_FAILURE_LENGTH],
            state="failed" if gives_up else "accepted",
            next_attempt_at=None if gives_up else now + RETRY_DELAYS[attempts - 1],
            processed_at=now if gives_up else None,
        )
    )


def retry(session: Session, event_ids: Iterable[int], now: datetime) -> int:
    """Put failed events back into the queue; returns how many were still failed."""
    result = session.execute(
        update(Event)
        .where(Event.id.in_(list(event_ids)), Event.state == "failed")
        .values(state="accepted", attempts=0, next_attempt_at=now, processed_at=None)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def newest_id(session: Session) -> int | None:
    """The id of the event that came last."""
    return session.scalar(select(func.max(Event.id)))


def oldest_accepted(session: Session) -> datetime | None:
    """When the oldest event came in that is not processed yet, also one that is put off."""
    # Plus 0: SQLite would look for the least id from the first of all events on.
    oldest = select(func.min(Event.id + 0)).where(Event.state == "accepted").scalar_subquery()
    return session.scalar(select(Event.received_at).where(Event.id == oldest))


def waiting_since(session: Session) -> datetime | None:
    """Since when the event at the head of the queue is due; the lag is the time from then on."""
    head = select(Event.next_attempt_at).where(Event.state == "accepted")
    return session.scalar(head.order_by(Event.next_attempt_at, Event.id).limit(1))
