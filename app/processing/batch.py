"""One batch: claimed events become runs, rollups, alerts and a new state, in one transaction."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

from sqlalchemy.event import listen
from sqlalchemy.orm import Session

from app.alerting.deciding import decide
from app.clock import now
from app.extensions import OUTAGES, checkpoint, db, is_sqlite, writing
from app.processing.inbox import ClaimedEvent, claim, finish, has_due, put_off
from app.processing.rollups import add_up
from app.processing.runs import read_report, record_runs
from app.processing.schedules import note_runs

logger = logging.getLogger(__name__)


def process_batch(limit: int, breathe: Callable[..., None] | None = None) -> int:
    """Process the events that are due, up to `limit`; returns how many were claimed.

    All of it commits, or nothing: a crash at any moment repeats or skips nothing. `breathe` is
    called after each statement.
    """
    if not has_due(db.session(), now()):
        db.session.rollback()
        return 0
    events: list[ClaimedEvent] = []
    try:
        with _writing(breathe) as session:
            moment = now()
            events = claim(session, moment, limit)
            _process(session, events, moment)
    except OUTAGES:
        raise
    except Exception as error:
        logger.info("A batch of %d goes one by one: %s", len(events), error)
        events = _process_one_by_one(limit, breathe)
    with suppress(*OUTAGES):  # Of a full disk the next batch will tell; this one is done.
        checkpoint()
    return len(events)


@contextmanager
def _writing(breathe: Callable[..., None] | None) -> Iterator[Session]:
    """On SQLite others wait for the lock meanwhile: they get no time in the middle of a batch, and
    its log is copied after it."""
    with writing(checkpoints=False, sorts=False) as session:
        if breathe is not None and not is_sqlite():
            listen(session.connection(), "after_cursor_execute", breathe)
        yield session


def _process_one_by_one(limit: int, breathe: Callable[..., None] | None) -> list[ClaimedEvent]:
    """Those that are due by now, after all of a batch was taken back: there is an event among them
    that can't be processed."""
    with _writing(breathe) as session:
        moment = now()
        events = claim(session, moment, limit)
        for event in events:
            _process_alone(session, event, moment)
    return events


def _process(session: Session, events: Sequence[ClaimedEvent], moment: datetime) -> None:
    reports = [read_report(event, moment) for event in events]
    recorded = record_runs(session, reports)
    add_up(session, recorded.contributions, moment)
    note_runs(session, recorded.runs, moment)
    moved = {each.workflow_id for each in recorded.contributions if each.sign < 0}
    decide(session, recorded.decided, moved, moment)
    finish(session, events, recorded.run_ids, moment)


def _process_alone(session: Session, event: ClaimedEvent, moment: datetime) -> None:
    """An event that can't be processed is put off and holds up nobody."""
    try:
        with session.begin_nested():
            _process(session, [event], moment)
    except OUTAGES:
        raise
    except Exception as error:
        logger.warning("Event %d failed in attempt %d: %s", event.id, event.attempts + 1, error)
        put_off(session, event, error, moment)
