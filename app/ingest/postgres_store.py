"""The lean road into PostgreSQL."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import psycopg
from sqlalchemy import URL

from app.ingest.green_connection import GreenConnection
from app.ingest.grouped_lookups import GroupedLookUp
from app.ingest.records import KnownKey, KnownWorkflow
from app.ingest.statements import (
    FIND_KEYS,
    FIND_WORKFLOWS,
    ROWS_AT_ONCE,
    append_events,
)
from app.ingest.store import MAX_CONNECTIONS, AwayError, Cursor, Offer, Store
from app.postgres import DATES_THERE, NOTICE_HERE, NOTICE_THERE

READER_SECONDS = 5.0
"""How long a look-up waits for a connection that is in use; then the sender is told 503."""
AT_ONCE_SECONDS = 1.0
"""A connection that has idled and is dead says so sooner than this."""
MAX_WRITERS = 4
"""Kept open: the recorder, batches, limits and the use of keys each write with one at a time."""
_COMMIT_ORDER_LOCK = 0x464C4F57
"""PostgreSQL hands out an id before the commit; under this lock ids follow the commits."""


LOST = (psycopg.OperationalError, psycopg.InterfaceError)


class PostgresStore(Store):
    """PostgreSQL: a commit is on disk when the server says so; psycopg yields to gevent's loop."""

    def __init__(self, url: URL) -> None:
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        super().__init__(partial(_open_postgres, conninfo), "%s")
        self._keys = GroupedLookUp(self._read_keys)
        self._workflows = {
            column: GroupedLookUp(partial(self._read_workflows, statement))
            for column, statement in FIND_WORKFLOWS.items()
        }
        self._readers = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._writers: list[psycopg.Connection[Any]] = []

    def find_key(self, key_hash: str) -> KnownKey | None:
        row: KnownKey | None = self._keys.find(key_hash)
        return row

    def find_workflow(self, workspace_id: int, column: str, value: str) -> KnownWorkflow | None:
        row: KnownWorkflow | None = self._workflows[column].find((workspace_id, value))
        return row

    def _read_keys(self, hashes: Sequence[str]) -> dict[str, KnownKey]:
        return {row[0]: KnownKey._make(row[1:]) for row in self.fetch_all(FIND_KEYS, hashes)}

    def _read_workflows(
        self, statement: str, asked: Sequence[tuple[int, str]]
    ) -> dict[tuple[int, str], KnownWorkflow]:
        workspaces, values = zip(*asked, strict=True)
        rows = self.fetch_all(statement, list(workspaces), list(values))
        return {row[:2]: KnownWorkflow._make(row[2:]) for row in rows}

    @contextmanager
    def writing(self, *, in_order: bool = True) -> Iterator[Cursor]:
        with self._only_user() as connection:
            connection.execute("BEGIN")
            if in_order:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_COMMIT_ORDER_LOCK,))
            yield cast(Cursor, connection.cursor())
            connection.execute("COMMIT")

    def append_events(self, offer: Offer) -> None:
        """One statement, where it holds them all: one way there and back instead of four."""
        events = offer.take()
        if len(events) > ROWS_AT_ONCE:
            with self.writing() as cursor:
                self.insert_events(cursor, events)
        elif events:
            statement, values = append_events(events)
            with self._only_user() as connection:
                connection.execute(self.sql(statement), (_COMMIT_ORDER_LOCK, *values))

    def _read(self, statement: str, parameters: tuple[Any, ...], limit: int) -> list[Any]:
        """Where many read at once, some wait: a new connection takes as long as fifty look-ups."""
        if not self._readers.acquire(timeout=READER_SECONDS):
            raise AwayError(f"no connection was free for {READER_SECONDS:.0f} s")
        try:
            return self._read_again(statement, parameters, limit)
        except LOST as error:
            raise AwayError(str(error)) from error
        finally:
            self._readers.release()

    def _read_again(self, statement: str, parameters: tuple[Any, ...], limit: int) -> list[Any]:
        """After a restart of the database, the connections that idled are dead."""
        began = time.monotonic()
        try:
            return super()._read(statement, parameters, limit)
        except psycopg.OperationalError:
            self.close()
            if time.monotonic() - began > AT_ONCE_SECONDS:
                raise  # The way there is cut: another try would take as long again.
            return super()._read(statement, parameters, limit)

    @contextmanager
    def _only_user(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection that nobody else uses meanwhile."""
        connection = None
        try:
            connection = self._take_writer() or self._connect()
            yield connection
        except BaseException as error:
            if connection is not None:
                connection.close()  # Rolls back; the next writer opens a fresh one.
            if isinstance(error, LOST):
                self.close()  # After a restart of the database, the spare ones are dead too.
                raise AwayError(str(error)) from error
            raise
        self._writers.append(connection)
        if len(self._writers) > MAX_WRITERS:
            self._writers.pop(0).close()

    def _take_writer(self) -> psycopg.Connection[Any] | None:
        """The spare connection that was used last, if there is one."""
        try:
            return self._writers.pop()
        except IndexError:
            return None

    def close(self) -> None:
        """See Store; those that write too."""
        super().close()
        while connection := self._take_writer():
            connection.close()

    def run(self, function: Callable[[], None]) -> None:
        function()


def _open_postgres(conninfo: str) -> psycopg.Connection[Any]:
    return GreenConnection.connect(
        conninfo,
        autocommit=True,
        application_name="flowpulse ingest",
        # A machine that is cut off while it holds the lock holds up all others for so long.
        options=(
            "-c timezone=UTC -c synchronous_commit=on -c statement_timeout=8000"
            f" -c idle_in_transaction_session_timeout=1500 {NOTICE_THERE} {DATES_THERE}"
        ),
        **NOTICE_HERE,
    )
