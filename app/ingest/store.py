"""The lean road into the database: plain statements on plain connections, no ORM.

The databases differ in how a connection is opened and how a transaction that writes begins.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, cast

import psycopg
from sqlalchemy import URL

from app.blocking import run_blocking
from app.ingest.records import (
    IdempotentClaim,
    KeyUse,
    KnownKey,
    KnownWorkflow,
    NewEvent,
    RememberedAnswer,
)
from app.ingest.statements import (
    CLAIM_ANSWER,
    FIND_ANSWER,
    FIND_EVENT,
    FIND_KEY,
    FIND_WORKFLOW,
    LIST_REFERENCES,
    ROWS_AT_ONCE,
    TOUCH_KEY,
    append_events_sql,
    insert_events_sql,
)
from app.models import IDEMPOTENCY_WINDOW
from app.write_lock import WriteLock

MAX_CONNECTIONS = 8
MAX_ROWS = 1_000
OUTAGES = (sqlite3.OperationalError, psycopg.OperationalError, OSError)
"""What is raised when the database can't be used; other errors are the event's own."""
_COMMIT_ORDER_LOCK = 0x464C4F57
"""PostgreSQL hands out an id before the commit; under this lock ids follow the commits."""


class Cursor(Protocol):
    rowcount: int

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Any: ...
    def executemany(self, statement: str, parameters: Sequence[Sequence[Any]], /) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def close(self) -> None: ...


class Store:
    """Connections to one database, kept open and handed out again, the last one first."""

    def __init__(self, connect: Callable[[], Any], placeholder: str) -> None:
        self._connect = connect
        self._idle: list[Any] = []
        self._placeholder = placeholder
        self._statements: dict[str, str] = {}

    def sql(self, statement: str) -> str:
        """The statement with the placeholders of this database's driver."""
        known = self._statements.get(statement)
        if known is None:
            known = self._statements[statement] = statement.replace("?", self._placeholder)
        return known

    def _read(self, statement: str, parameters: tuple[Any, ...], limit: int) -> list[Any]:
        """Rows of the newest committed state; each statement stands by itself."""
        connection = self._idle.pop() if self._idle else self._connect()
        sql = self._statements.get(statement) or self.sql(statement)
        try:
            rows: list[Any] = connection.execute(sql, parameters).fetchmany(limit)
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < MAX_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
        return rows

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def fetch_one(self, statement: str, *parameters: Any) -> Any:
        for row in self._read(statement, parameters, 1):
            return row
        return None

    def fetch_all(self, statement: str, *parameters: Any) -> list[Any]:
        return self._read(statement, parameters, MAX_ROWS)

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        """A cursor in a transaction that is on disk when the block ends without an error."""
        raise NotImplementedError

    def run(self, function: Callable[[], None]) -> None:
        """Run a function that writes, where its waiting holds nobody up."""
        raise NotImplementedError

    def find_key(self, key_hash: str) -> KnownKey | None:
        row = self.fetch_one(FIND_KEY, key_hash)
        if row is None:
            return None
        return KnownKey(row[0], row[1], row[2], row[3], _moment(row[4]), _moment(row[5]))

    def find_workflow(self, workspace_id: int, column: str, value: str) -> KnownWorkflow | None:
        """The workflow whose `column` (public_id, slug or name) is exactly `value`."""
        row = self.fetch_one(FIND_WORKFLOW[column], workspace_id, value)
        return None if row is None else KnownWorkflow._make(row)

    def list_references(self, workspace_id: int) -> list[tuple[str, str]]:
        """Slug and name of the workspace's workflows, for suggestions."""
        return [(slug, name) for slug, name in self.fetch_all(LIST_REFERENCES, workspace_id)]

    def find_answer(self, workspace_id: int, key: str, now: datetime) -> RememberedAnswer | None:
        row = self.fetch_one(FIND_ANSWER, workspace_id, key, now - IDEMPOTENCY_WINDOW)
        return None if row is None else RememberedAnswer(*row)

    def append_events(self, events: Sequence[NewEvent]) -> None:
        """Insert events in a transaction of their own."""
        with self.writing() as cursor:
            self.insert_events(cursor, events)

    def insert_events(self, cursor: Cursor, events: Sequence[NewEvent]) -> None:
        for start in range(0, len(events), ROWS_AT_ONCE):
            rows = events[start : start + ROWS_AT_ONCE]
            values = tuple(chain.from_iterable(rows))
            cursor.execute(self.sql(insert_events_sql(len(rows))), values)

    def is_stored(self, cursor: Cursor, public_id: str) -> bool:
        cursor.execute(self.sql(FIND_EVENT), (public_id,))
        return cursor.fetchone() is not None

    def claim_answer(self, cursor: Cursor, claim: IdempotentClaim) -> RememberedAnswer | None:
        """Remember the answer; or, where one is remembered already, return that one instead."""
        cutoff = claim.created_at - IDEMPOTENCY_WINDOW
        cursor.execute(self.sql(CLAIM_ANSWER), (*claim, cutoff))
        if cursor.rowcount == 1:
            return None
        cursor.execute(self.sql(FIND_ANSWER), (claim.workspace_id, claim.key, cutoff))
        return RememberedAnswer(*cursor.fetchone())

    def touch_keys(self, cursor: Cursor, uses: Sequence[KeyUse]) -> None:
        cursor.executemany(self.sql(TOUCH_KEY), uses)


def _moment(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


class SqliteStore(Store):
    """SQLite: one writer at a time over all processes, each commit synced to disk."""

    def __init__(self, url: URL) -> None:
        path = Path(str(url.database))
        super().__init__(partial(_open_sqlite, path), "?")
        self._writer: sqlite3.Connection | None = None
        self._write_lock = WriteLock(path)

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        with self._only_writer() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield cast(Cursor, connection.cursor())
            connection.execute("COMMIT")

    def append_events(self, events: Sequence[NewEvent]) -> None:
        """One statement, where it holds them all: SQLite makes it a transaction by itself.

        Around each statement the driver lets go of the interpreter, and has to win it back.
        """
        if len(events) > ROWS_AT_ONCE:
            return super().append_events(events)
        values = tuple(chain.from_iterable(events))
        with self._only_writer() as connection:
            connection.execute(insert_events_sql(len(events)), values)

    @contextmanager
    def _only_writer(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, while no other process does."""
        if self._writer is None:
            self._writer = self._connect()
        connection = self._writer
        with self._write_lock.hold():
            try:
                yield connection
            except BaseException:
                self._writer = None  # The next writer opens a fresh one.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                connection.close()
                raise

    def run(self, function: Callable[[], None]) -> None:
        run_blocking(function)


def _open_sqlite(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    # What a statement would need to undo itself: else a file for each, a fifth of a commit's time.
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _adapt_moment(moment: datetime) -> str:
    """As SQLAlchemy writes it, so that both roads read each other's times."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds").removesuffix("+00:00")


sqlite3.register_adapter(datetime, _adapt_moment)


class PostgresStore(Store):
    """PostgreSQL: a commit is on disk when the server says so; psycopg yields to gevent's loop."""

    def __init__(self, url: URL) -> None:
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        super().__init__(partial(_open_postgres, conninfo), "%s")
        self._readers = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._writer: psycopg.Connection[Any] | None = None

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        with self._only_user() as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_COMMIT_ORDER_LOCK,))
            yield cast(Cursor, connection.cursor())
            connection.execute("COMMIT")

    def append_events(self, events: Sequence[NewEvent]) -> None:
        """One statement, where it holds them all: one way there and back instead of four."""
        if len(events) > ROWS_AT_ONCE:
            return super().append_events(events)
        values = (_COMMIT_ORDER_LOCK, *chain.from_iterable(events))
        with self._only_user() as connection:
            connection.execute(self.sql(append_events_sql(len(events))), values)

    def _read(self, statement: str, parameters: tuple[Any, ...], limit: int) -> list[Any]:
        """Where many read at once, some wait: a new connection takes as long as fifty look-ups."""
        with self._readers:
            try:
                return super()._read(statement, parameters, limit)
            except psycopg.OperationalError:
                self.close()  # After a restart of the database, those that idled are dead.
                return super()._read(statement, parameters, limit)

    @contextmanager
    def _only_user(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection that nobody else uses meanwhile."""
        connection = self._writer or self._connect()
        self._writer = None
        try:
            yield connection
        except BaseException:
            connection.close()  # Rolls back; the next writer opens a fresh one.
            raise
        self._writer = connection

    def run(self, function: Callable[[], None]) -> None:
        function()


def _open_postgres(conninfo: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        conninfo,
        autocommit=True,
        connect_timeout=5,
        application_name="flowpulse ingest",
        options=(
            "-c timezone=UTC -c synchronous_commit=on -c statement_timeout=8000"
            " -c idle_in_transaction_session_timeout=8000"
        ),
    )


STORES: dict[str, Callable[[URL], Store]] = {"sqlite": SqliteStore, "postgresql": PostgresStore}


def open_store(url: URL) -> Store:
    """The store for a database's URL."""
    return STORES[url.get_backend_name()](url)
