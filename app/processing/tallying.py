"""Counts what came in, after it was stored: senders wait for none of it.

Ids follow commits, so that a look goes on where the last one ended and misses nothing; refused
requests that are only counted are added once their minute is over in all processes.
"""

from collections import Counter
from datetime import UTC, datetime

from sqlalchemy import bindparam, case, func, select, text, update
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, writing
from app.models import Event, TallyMark, UnstoredCount
from app.models.columns import UtcDateTime
from app.processing.inbox import newest_id
from app.processing.unstored_counts import OVER_AFTER
from app.tallies import ACCEPTED, REJECTED, count_up

WINDOW = 5_000
"""Events that one look counts: some 10 ms."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_BEGIN = text(
    "INSERT INTO tally_marks (id, event_id, minute_at) VALUES (1, :event_id, :minute_at) "
    "ON CONFLICT (id) DO NOTHING"
).bindparams(bindparam("minute_at", type_=UtcDateTime()))

Counts = Counter[tuple[str, str]]


def tally() -> bool:
    """Count one window; returns whether there is more. What another worker was quicker with is
    left to it."""
    mark = db.session.get(TallyMark, 1)
    at, minute = (mark.event_id, mark.minute_at) if mark else (0, BEGINNING)
    newest = newest_id(db.session()) or 0
    end, over = min(newest, at + WINDOW), _find_minute(minute)
    counts = _count_events(at, end) if end > at else Counter()
    if over > minute:
        counts += _count_unstored(minute, over)
    db.session.rollback()
    if end > at or over > minute:
        with writing() as session:
            if _advance(session, mark is None, (at, minute), (max(at, end), over)):
                count_up(session, counts)
    return end < newest


def _count_events(after: int, end: int) -> Counts:
    """The state is no plain column, so that SQLite goes by ids and not by all that is refused."""
    is_refused = Event.state + "" == "rejected"
    code = case((is_refused, Event.code))
    query = select(is_refused, code, func.count()).where(Event.id > after, Event.id <= end)
    counts: Counts = Counter()
    for refused, name, count in db.session.execute(query.group_by(is_refused, code)):
        counts[(REJECTED, name or "") if refused else (ACCEPTED, "")] += count
    return counts


def _find_minute(after: datetime) -> datetime:
    """The newest minute with counts that is over."""
    over = now() - 2 * OVER_AFTER
    minute = UnstoredCount.minute_at
    return db.session.scalar(select(func.max(minute)).where(minute <= over)) or after


def _count_unstored(after: datetime, end: datetime) -> Counts:
    columns = UnstoredCount.code, func.sum(UnstoredCount.count)
    minute = UnstoredCount.minute_at
    query = select(*columns).where(minute > after, minute <= end).group_by(UnstoredCount.code)
    return Counter({(REJECTED, code): int(count) for code, count in db.session.execute(query)})


def _advance(
    session: Session, is_new: bool, old: tuple[int, datetime], new: tuple[int, datetime]
) -> bool:
    """Whether the mark was still where it was read; else somebody else has counted this."""
    if is_new:
        moved = session.execute(_BEGIN, {"event_id": new[0], "minute_at": new[1]})
    else:
        moved = session.execute(
            update(TallyMark)
            .where(TallyMark.event_id == old[0], TallyMark.minute_at == old[1])
            .values(event_id=new[0], minute_at=new[1])
        )
    return bool(moved.rowcount)  # type: ignore[attr-defined]
