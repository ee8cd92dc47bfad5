"""Merges the counts of refused requests: one row for each minute, workspace and code."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from sqlalchemy import Table, bindparam, delete, select, update
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import checkpoint, db, writing
from app.models import UnstoredCount

OVER_AFTER = timedelta(minutes=2)
"""From the beginning of a minute. The server's processes write what they have counted within
seconds, each a row of its own; what comes later is merged with a later look."""
LOOKED_BACK = timedelta(minutes=10)
ROWS_AT_ONCE = 500
"""So few that nobody waits long for the write lock."""


class Counted(NamedTuple):
    """A row of the table, without its minute."""

    id: int
    workspace_id: int | None
    code: str
    number: int


_COLUMNS = (UnstoredCount.id, UnstoredCount.workspace_id, UnstoredCount.code, UnstoredCount.count)


class CountMerger:
    """Goes on where it was. Pages and alerts sum up by windows that begin at any minute: no sum
    changes as long as the minutes stay apart."""

    def __init__(self) -> None:
        self._reached: datetime | None = None
        """The newest minute that was looked at; None is for none yet."""

    def merge(self) -> Iterator[int]:
        """The number of rows that each look has saved, minute by minute."""
        over = now() - OVER_AFTER
        since = min(self._reached, over) - LOOKED_BACK if self._reached else None
        while (minute := _find_next(since, over)) is not None:
            yield from _merge_minute(minute)
            self._reached = since = minute


def _find_next(since: datetime | None, over: datetime) -> datetime | None:
    """Along the index, over all that has the same minute."""
    moment = UnstoredCount.minute_at
    query = select(moment).where(moment <= over).order_by(moment).limit(1)
    return db.session.scalar(query if since is None else query.where(moment > since))


def _merge_minute(minute: datetime) -> Iterator[int]:
    """Outside of the lock it is seen whether there is anything to merge."""
    last_id = 0
    while rows := _read(db.session(), minute, last_id):
        saved = 0
        if _find_same(rows):
            with writing(checkpoints=False) as session:
                saved = _merge(session, _read(session, minute, last_id, is_locked=True))
            checkpoint()
        yield saved
        if len(rows) < ROWS_AT_ONCE:
            return
        last_id = rows[-1].id


def _read(
    session: Session, minute: datetime, after_id: int, *, is_locked: bool = False
) -> Sequence[Counted]:
    """Plus 0, or else a planner may walk all ids until it has enough of that minute."""
    by_id = UnstoredCount.id + 0
    query = (
        select(*_COLUMNS)
        .where(UnstoredCount.minute_at == minute, by_id > after_id)
        .order_by(by_id)
        .limit(ROWS_AT_ONCE)
    )
    found = session.execute(query.with_for_update() if is_locked else query)
    return [Counted(*row) for row in found]


def _find_same(rows: Sequence[Counted]) -> list[list[Counted]]:
    """Several rows of one workspace and code."""
    groups: dict[tuple[int | None, str], list[Counted]] = defaultdict(list)
    for row in rows:
        groups[row.workspace_id, row.code].append(row)
    return [group for group in groups.values() if len(group) > 1]


def _merge(session: Session, rows: Sequence[Counted]) -> int:
    """The first of each takes the counts of the others, which go; returns how many went."""
    groups = _find_same(rows)
    sums = [{"row": group[0].id, "sum": sum(each.number for each in group)} for group in groups]
    gone = [each.id for group in groups for each in group[1:]]
    if gone:
        table = cast(Table, UnstoredCount.__table__)
        change = update(table).where(table.c.id == bindparam("row"))
        session.connection().execute(change.values(count=bindparam("sum")), sums)
        session.connection().execute(delete(table).where(table.c.id.in_(gone)))
    return len(gone)
