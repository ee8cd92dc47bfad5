"""Removes what may go in batches so small that nobody waits long for the write lock."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, and_, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import checkpoint, db, is_sqlite, writing
from app.models import Event, Purge, UnstoredCount
from app.processing.erasing import find_deleted
from app.processing.many_rows import insert_rows
from app.processing.retention import Removal, find_past
from app.processing.size_limit import find_too_much
from app.processing.unstored_counts import CountMerger

AIM_SECONDS = 0.01
"""How long the rows of a batch should take, without the commit, which takes about as long again."""
SLOW_SECONDS = 0.03
"""A batch that held the write lock for longer, with its commit, makes the next one smaller."""
FIRST_ROWS, FEWEST_ROWS, MOST_ROWS = 100, 50, 2_000
ENOUGH_ROWS = 100
"""Where so few rows take long to commit, it is the disk that is slow, and fewer would not help."""
MOST_GROWTH = 1.5
LOOKED_BACK = 5
SHARE = 0.2
"""Of all time, how much of it the sweep may hold the write lock."""
LEAST_REST = 0.02
FIND_SECONDS = 0.02
_SWEEP_LOCK = 0x666C_6F77_7377_6570
"""On PostgreSQL, of several workers one removes: two would wait for each other's rows and, where
the database is too large, remove twice as much."""

_KEEP_WITHOUT_SNAPSHOT = "SET LOCAL idle_in_transaction_session_timeout = 0"
"""No setting of the server's ends the transaction that keeps the lock. And what was asked before,
which PostgreSQL keeps with its snapshot until something else is asked, goes: else nothing that is
deleted or updated meanwhile could be cleaned up, and after a quarter of an hour the worker would
walk over 180,000 dead entries to find the next event."""


class Batch(NamedTuple):
    """What one look came to: how many rows went, and how long the write lock was held for it."""

    rows: int = 0
    seconds: float = 0.0


class RowPace:
    """How many rows of a table go at once, by what its last batches took."""

    def __init__(self) -> None:
        self.size = FIRST_ROWS
        self._seconds_a_row: deque[float] = deque(maxlen=LOOKED_BACK)

    def note(self, rows: int, worked: float, held: float) -> None:
        """The quickest of the last batches tells what a row takes: others had to wait for the
        machine. One that held the lock for too long makes the next one small all the same.

        `worked`: seconds until its rows were gone; `held`: until they were committed as well.
        """
        if rows < self.size:
            return  # It was the last: it tells of no larger one.
        self._seconds_a_row.append(max(worked, 1e-6) / rows)
        fitting = AIM_SECONDS / min(self._seconds_a_row)
        size = min(fitting, self.size * MOST_GROWTH, MOST_ROWS)
        if held > SLOW_SECONDS:
            size = min(size, max(self.size / 2, ENOUGH_ROWS))
        self.size = max(int(size), FEWEST_ROWS)


class Sweeper:
    """Goes through all that may go once, a little at each step."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._paces: dict[type[Any], RowPace] = defaultdict(RowPace)
        self._removed: Counter[type[Any]] = Counter()
        self._merger = CountMerger()
        self._under_way: Generator[Batch, None, None] | None = None
        self._rests_until = 0.0

    @property
    def is_under_way(self) -> bool:
        return self._under_way is not None

    def begin(self) -> None:
        self._under_way = self.sweep()

    def end(self) -> None:
        """Leave the rest for later, and let another worker begin."""
        if self._under_way is not None:
            self._under_way.close()
            self._under_way = None

    def step(self) -> float:
        """Remove a batch, unless it is time to rest; returns the seconds until there is more to do.

        A step that finds nothing to remove ends after FIND_SECONDS, too.
        """
        started = self._clock()
        if self._under_way is None or started < self._rests_until:
            return max(self._rests_until - started, 0.0)
        under_way, self._under_way = self._under_way, None  # An error ends it: begin anew then.
        for batch in under_way:
            ended = self._clock()
            if batch.rows or ended - started >= FIND_SECONDS:
                rest = max(LEAST_REST, batch.seconds * (1 / SHARE - 1))
                self._rests_until = ended + rest
                self._under_way = under_way
                db.session.rollback()  # Nothing that was read is held while it rests.
                return rest
        return 0.0

    def sweep(self) -> Generator[Batch, None, None]:
        """All of it, without rest; nothing where another worker is at it."""
        with _alone() as is_alone:
            if is_alone:
                yield from self._remove_all(find_deleted())
                yield from self._remove_all(find_past())
                yield from self._remove_all(find_too_much(self._removed))
                yield from self._merge_counts()
        db.session.rollback()

    def remove(self, removals: Iterable[Removal]) -> Iterator[Batch]:
        """All of these, whoever else is at it."""
        yield from self._remove_all(removals)

    def _merge_counts(self) -> Iterator[Batch]:
        started = self._clock()
        for rows in self._merger.merge():
            yield Batch(rows, self._clock() - started)
            started = self._clock()

    def _remove_all(self, removals: Iterable[Removal]) -> Iterator[Batch]:
        for removal in removals:
            pace, since, left = self._paces[removal.table], None, removal.most
            while left:
                size = min(pace.size, left)
                found = _find(removal, since, size)
                yield self._remove(removal, found, pace) if found else Batch()
                if len(found) < size:
                    break
                since, left = found[-1].moment, left - size

    def _remove(self, removal: Removal, found: list["Found"], pace: RowPace) -> Batch:
        """How long others had to wait is counted from the lock to the end of the commit."""
        with writing(checkpoints=False) as session:
            started = self._clock()
            if removal.stay_counted:
                _count_as_unstored(session, found)
            rows = _delete(session, removal, found)
            if rows and removal.what:
                _record(session, removal, rows, found[-1].moment)
            worked = self._clock() - started
        seconds = self._clock() - started
        self._removed[removal.table] += rows
        pace.note(len(found), worked, seconds)
        checkpoint()
        return Batch(rows, seconds)


class Found(NamedTuple):
    """A row's primary key, and its moment, where the removal goes along it."""

    key: tuple[Any, ...]
    moment: datetime | None


def prune() -> int:
    """Remove all that may go, without rest; returns how many rows went."""
    return sum(batch.rows for batch in Sweeper().sweep())


def remove_now(removals: Iterable[Removal]) -> None:
    """To their end, in batches with a rest behind each."""
    for batch in Sweeper().remove(removals):
        db.session.rollback()
        if batch.rows:
            time.sleep(max(LEAST_REST, batch.seconds))


def sweep_on(sweeper: Sweeper) -> float:
    """Take a step; returns the seconds until the next."""
    return sweeper.step()


def _key_of(table: type[Any]) -> tuple[Any, ...]:
    return tuple(cast(Table, table.__table__).primary_key.columns)


def _find(removal: Removal, since: datetime | None, limit: int) -> list[Found]:
    """Outside of the lock. From the last moment on: what has gone before would be in the way, as
    PostgreSQL leaves it in the index for a while."""
    key, moment = _key_of(removal.table), removal.moment
    if moment is None:
        rows = db.session.execute(select(*key).where(removal.condition).limit(limit))
        return [Found(tuple(row), None) for row in rows]
    query = select(*key, moment).where(removal.condition).order_by(moment).limit(limit)
    if since is not None:
        query = query.where(moment >= since)
    return [Found(tuple(row[:-1]), row[-1]) for row in db.session.execute(query)]


def _delete(session: Session, removal: Removal, found: list[Found]) -> int:
    """By the primary key. What is no longer so by then stays."""
    key, keys = _key_of(removal.table), [each.key for each in found]
    gone = delete(cast(Table, removal.table.__table__)).where(removal.still)
    if len(key) == 1:
        result = session.connection().execute(gone.where(key[0].in_([each for (each,) in keys])))
        return result.rowcount
    names = [f"key_{number}" for number in range(len(key))]
    same = and_(*(column == bindparam(name) for column, name in zip(key, names, strict=True)))
    rows = [dict(zip(names, each, strict=True)) for each in keys]
    session.connection().execute(gone.where(same), rows)
    return len(rows)


def _count_as_unstored(session: Session, found: list[Found]) -> None:
    """Those of unknown senders, whose flood it is as a rule. A workspace's alerts have counted its
    own already, and would count them twice."""
    ids = [each.key[0] for each in found]
    going = select(Event.received_at, Event.code).where(
        Event.id.in_(ids), Event.workspace_id.is_(None)
    )
    counts = Counter(
        (at.replace(second=0, microsecond=0), code) for at, code in session.execute(going)
    )
    rows = [
        {"minute_at": minute, "workspace_id": None, "code": code or "", "count": count}
        for (minute, code), count in counts.items()
    ]
    if rows:
        session.execute(insert(UnstoredCount), rows)


@contextmanager
def _alone() -> Iterator[bool]:
    """A transaction of its own keeps the lock, as long as the sweep takes; it reads nothing."""
    if is_sqlite():
        yield True
        return
    with db.engine.connect() as connection:
        taken = connection.execute(select(func.pg_try_advisory_xact_lock(_SWEEP_LOCK))).scalar_one()
        connection.exec_driver_sql(_KEEP_WITHOUT_SNAPSHOT)
        yield taken


def _record(session: Session, removal: Removal, rows: int, reached_at: datetime | None) -> None:
    moment = now()
    row = {
        "day": moment.date(),
        "why": removal.why,
        "what": removal.what,
        "row_count": rows,
        "last_at": moment,
        "reached_at": reached_at,
    }
    table = cast(Table, Purge.__table__)
    insert_rows(session, table, [row], _count_on)


def _count_on(insert: Any) -> Any:
    return insert.on_conflict_do_update(
        index_elements=("day", "why", "what"),
        set_={
            "row_count": insert.table.c.row_count + insert.excluded.row_count,
            "last_at": insert.excluded.last_at,
            "reached_at": func.coalesce(insert.excluded.reached_at, insert.table.c.reached_at),
        },
    )
