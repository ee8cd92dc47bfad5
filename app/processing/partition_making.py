"""On PostgreSQL the tables of the months to come are made ahead, without holding anybody up."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.extensions import db, writing
from app.processing.partition_changes import change_tables
from app.processing.partition_list import list_missing, list_untabled, next_month

OTHER = "events_other"
"""Holds what no month has a table for, and what outlives its month."""
QUICKLY_READ_BYTES = 16_000_000
"""Of the table for the rest: so much may be read while everything waits."""
GUARD_AHEAD = timedelta(days=1)
"""How far off a month must be for a guard. While one is there, the rest takes no event of its
month: if all workers end right then, one of them has to come back before the month begins."""
_GUARD = "other_than_"

_INDEXES = text(
    "SELECT own.relname, whole.relname FROM pg_index "
    "JOIN pg_class own ON own.oid = indexrelid JOIN pg_inherits ON inhrelid = own.oid "
    "JOIN pg_class whole ON whole.oid = inhparent WHERE indrelid = CAST(:name AS regclass)"
)
"""A partition's indexes, each with the one of `events` that it is a part of."""
_GUARDS = text(
    "SELECT conname, convalidated FROM pg_constraint WHERE conrelid = CAST(:name AS regclass) "
    "AND contype = 'c' AND starts_with(conname, :guard)"
)
_SIZE = text("SELECT pg_relation_size(CAST(:name AS regclass))")
_HAS = text(
    f"SELECT EXISTS (SELECT FROM {OTHER} WHERE received_at >= :start AND received_at < :end)"  # noqa: S608
)


def make_partitions(at: datetime) -> None:
    """Make the tables that are missing of this month and those ahead, each by itself."""
    missing = list_missing(db.session(), at)
    db.session.rollback()
    if [start for start in missing if _make_ahead(start, at)]:
        with writing() as session:
            session.execute(text("ANALYZE events"))  # PostgreSQL itself does so with the parts.


def make_months(session: Session | Connection, months: Iterable[datetime]) -> None:
    """Make the tables of those months that have none; part of the caller's transaction, in which
    nobody else uses the events."""
    for start in list_untabled(session, months):
        _make(session, start)


def _make_ahead(start: datetime, at: datetime) -> bool:
    """Whether the month's table is there now."""
    is_guarded = _needs_guard(start, at)
    db.session.rollback()
    if is_guarded and not (change_tables(partial(_guard, start=start)) and _prove(start)):
        return False
    return change_tables(partial(make_months, months=[start]))


def _needs_guard(start: datetime, at: datetime) -> bool:
    """To put a table beside the rest, PostgreSQL reads all of that, unless a constraint says that
    none of it belongs there."""
    size = db.session.scalar(_SIZE, {"name": OTHER}) or 0
    if size < QUICKLY_READ_BYTES or start - at < GUARD_AHEAD:
        return False
    return not db.session.scalar(_HAS, {"start": start, "end": next_month(start)})


def _guard(session: Session, start: datetime) -> None:
    """Not proven yet: that takes a look at each row, which this lock would be held for."""
    name = _guard_of(start)
    if name in _list_guards(session, OTHER):
        return
    holds = f"CHECK (received_at < '{start}' OR received_at >= '{next_month(start)}')"
    session.execute(text(f"ALTER TABLE {OTHER} ADD CONSTRAINT {name} {holds} NOT VALID"))


def _prove(start: datetime) -> bool:
    """Meanwhile others read and write. Where an event came first, the guard is taken away."""
    name = _guard_of(start)

    def validate(session: Session) -> None:
        if name in _list_guards(session, OTHER):
            session.execute(text(f"ALTER TABLE {OTHER} VALIDATE CONSTRAINT {name}"))

    try:
        return change_tables(validate)
    except IntegrityError:
        change_tables(partial(_take_away, table=OTHER, guards=[name]))
        return False


def _make(session: Session | Connection, start: datetime) -> None:
    """The table is filled before it takes its place: until then, its events lie in the rest."""
    name, end = f"events_{start:%Y_%m}", next_month(start)
    session.execute(text(f"CREATE TABLE {name} (LIKE {OTHER} INCLUDING ALL)"))
    _take_away(session, name, _list_guards(session, name))
    session.execute(text(f"LOCK TABLE {OTHER} IN ACCESS EXCLUSIVE MODE"))
    if not _list_guards(session, OTHER).get(_guard_of(start)):
        _fill(session, name, start, end)
    place = f"FOR VALUES FROM ('{start}') TO ('{end}')"
    session.execute(text(f"ALTER TABLE events ATTACH PARTITION {name} {place}"))
    _take_away(session, OTHER, [_guard_of(start)])
    for own, whole in session.execute(_INDEXES, {"name": name}).all():
        called = f"{whole}{name.removeprefix('events')}"
        session.execute(text(f"ALTER INDEX {own} RENAME TO {called}"))


def _fill(session: Session | Connection, name: str, start: datetime, end: datetime) -> None:
    moved = f"DELETE FROM {OTHER} WHERE received_at >= :start AND received_at < :end RETURNING *"  # noqa: S608
    session.execute(
        text(f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved"),  # noqa: S608
        {"start": start, "end": end},
    )


def _guard_of(start: datetime) -> str:
    return f"{_GUARD}{start:%Y_%m}"


def _list_guards(session: Session | Connection, table: str) -> dict[str, bool]:
    """Those of a table by name, and whether all its rows are known to keep to them."""
    found = session.execute(_GUARDS, {"name": table, "guard": _GUARD})
    return {row.conname: row.convalidated for row in found}


def _take_away(session: Session | Connection, table: str, guards: Iterable[str]) -> None:
    for guard in guards:
        session.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {guard}"))
