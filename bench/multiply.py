"""Many events from few: copies of a filled stretch of time, each later than the one before.

Copying is left to the database, so that ten million events take minutes.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, cast

import psycopg
from sqlalchemy import Table, select

from app.extensions import db, is_sqlite, writing
from app.identifiers import _prefix as prefix_of
from app.models import Event, Run
from app.processing.rollups import NOTHING, Contribution, Sums, add_up
from bench.events import DAYS, fill, settle
from tests.factories import Team

STRETCH = 10_000
"""Events that are made one by one, unless another number is asked for; all others are copies."""
REJECTED_KEPT = timedelta(days=7)
"""Older refused requests are not copied: retention would have removed them."""
_MOMENTS = ("received_at", "processed_at", "ended_at", "created_at", "updated_at")
_EXECUTION = '"run_'
"""How the execution id begins in a body; each copy has its own."""


class _Connection(Protocol):
    def execute(self, statement: str, values: dict[str, Any], /) -> Any: ...
    def close(self) -> None: ...


class Dialect(NamedTuple):
    """How a database shifts a moment, and replaces in text and in bytes."""

    shift: str
    replace: str
    replace_bytes: str
    value: str


SQLITE = Dialect(
    "strftime('%Y-%m-%d %H:%M:%f000', {0}, {seconds} || ' seconds')",
    "replace({0}, {old}, {new})",
    "CAST(replace(CAST({0} AS TEXT), {old}, {new}) AS BLOB)",
    ":{}",
)
POSTGRESQL = Dialect(
    "{0} + make_interval(secs => {seconds})",
    "replace({0}, {old}, {new})",
    "convert_to(replace(convert_from({0}, 'UTF8'), {old}, {new}), 'UTF8')",
    "%({})s",
)


def fill_many(
    team: Team, count: int, until: datetime, stretch: int = STRETCH, days: int = DAYS
) -> None:
    """Fill an empty database with about so many events of the last days: a few thousand made one by
    one, and as many copies of those as it takes."""
    copies = max(count // stretch, 1)
    span = timedelta(minutes=max(days * 24 * 60 // copies, 1))
    fill(team, min(count, stretch), until=until - span * (copies - 1), span=span)
    if copies == 1:
        return
    shifts = [span * number for number in range(1, copies)]
    _copy_rows(stretch, shifts, until)
    _copy_sums(stretch, shifts, until)
    settle()


def _copy_rows(stretch: int, shifts: list[timedelta], until: datetime) -> None:
    dialect = SQLITE if is_sqlite() else POSTGRESQL
    statements = [_copy_sql(cast(Table, each.__table__), dialect) for each in (Run, Event)]
    db.session.remove()
    db.engine.dispose()
    connection = _open_sqlite() if is_sqlite() else _open_postgresql()
    for number, shift in enumerate(shifts, 1):
        since = until - shifts[-1] + shift - shifts[0]
        values = {
            "offset": number * stretch,
            "last": stretch,
            "prefix": prefix_of(int(since.timestamp())),
            "seconds": int(shift.total_seconds()),
            "old": _EXECUTION,
            "new": f'"k{number:04d}_',
            "old_id": "run_",
            "new_id": f"k{number:04d}_",
            "keeps_rejected": int(since > until - REJECTED_KEPT),
        }
        for statement in statements:
            connection.execute(statement, values)
    connection.close()


def _copy_sql(table: Table, dialect: Dialect) -> str:
    """INSERT … SELECT of the first stretch, with ids, moments and names of a copy's own."""
    values = {name: dialect.value.format(name) for name in ("seconds", "old", "new")}
    named = {"old": dialect.value.format("old_id"), "new": dialect.value.format("new_id")}
    offset = dialect.value.format("offset")
    changed = {name: f"{name} + {offset}" for name in ("id", "run_id", "decided_by_event_id")}
    changed["public_id"] = f"{dialect.value.format('prefix')} || substr(public_id, 8)"
    changed |= {name: dialect.shift.format(name, **values) for name in _MOMENTS}
    changed |= {
        name: dialect.replace.format(name, **named)
        for name in ("external_execution_id", "execution_id")
    }
    changed["payload"] = dialect.replace.format("payload", **values)
    changed["body"] = dialect.replace_bytes.format("body", **values)
    names = [column.name for column in table.columns]
    chosen = ", ".join(changed.get(name, name) for name in names)
    where = f"id <= {dialect.value.format('last')}"
    if "state" in names:
        keeps = f"{dialect.value.format('keeps_rejected')} = 1"
        where += f" AND (state <> 'rejected' OR {keeps})"
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table.name} ({quoted}) SELECT {chosen} FROM {table.name} WHERE {where}"  # noqa: S608


def _open_sqlite() -> _Connection:
    """Nothing is safe while it is filled, and all the quicker; the app opens it as it should."""
    connection = sqlite3.connect(str(db.engine.url.database), isolation_level=None)
    for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1500000"):
        connection.execute(f"PRAGMA {setting}")
    return cast(_Connection, _ClosingSqlite(connection))


class _ClosingSqlite:
    """Sets the journal's mode back at its end, which belongs to the file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.execute = connection.execute
        self._connection = connection

    def close(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.close()


def _open_postgresql() -> _Connection:
    """Without foreign keys' checks, which a copy can't break, and without waiting for the disk."""
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    options = "-c session_replication_role=replica -c synchronous_commit=off -c timezone=UTC"
    return cast(_Connection, psycopg.connect(url, autocommit=True, options=options))


class Bucket(NamedTuple):
    """What the runs of a workflow in one minute add to its sums; as a Contribution."""

    workspace_id: int
    workflow_id: int
    ended_at: datetime
    sums: Sums


def _copy_sums(stretch: int, shifts: list[timedelta], until: datetime) -> None:
    buckets = list(_add_up_minutes(stretch))
    for start in range(0, len(shifts), 100):
        copied = (
            bucket._replace(ended_at=bucket.ended_at + shift)
            for shift in shifts[start : start + 100]
            for bucket in buckets
        )
        with writing() as session:
            add_up(session, cast(Iterable[Contribution], copied), until)


def _add_up_minutes(stretch: int) -> Iterator[Bucket]:
    """The sums of what was made one by one; copies are shifted by whole minutes."""
    columns = Run.__table__.columns
    rows = db.session.execute(select(columns).where(columns.id <= stretch)).mappings()
    sums: dict[tuple[int, int, datetime], Sums] = defaultdict(lambda: NOTHING)
    for row in rows:
        for each in Contribution.list_of(row):
            minute = each.ended_at.replace(second=0, microsecond=0)
            key = (each.workspace_id, each.workflow_id, minute)
            sums[key] = sums[key].plus(each.sums)
    for key, added in sums.items():
        yield Bucket(*key, added)
