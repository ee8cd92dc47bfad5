"""The lean road into SQLite."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import cast

from gevent.monkey import get_original
from sqlalchemy import URL

from app.blocking import run_blocking
from app.ingest.records import NewEvent
from app.ingest.statements import ROWS_AT_ONCE, insert_events
from app.ingest.store import BUSY_SECONDS, BusyError, Cursor, Offer, Store
from app.models.columns import sqlite_text
from app.write_lock import WriteLock

RETRY_SECONDS = 0.02
_SLEEP = get_original("time", "sleep")  # Runs in a native thread, where gevent has no loop.


class SqliteStore(Store):
    """SQLite: one writer at a time over all processes, each commit synced to disk."""

    def __init__(self, url: URL) -> None:
        path = Path(str(url.database))
        super().__init__(partial(_open_sqlite, path), "?")
        self._writer: sqlite3.Connection | None = None
        self._write_lock = WriteLock(path)

    @contextmanager
    def writing(self, *, in_order: bool = True) -> Iterator[Cursor]:
        with self._only_writer() as connection:
            _insist(lambda: connection.execute("BEGIN IMMEDIATE"))
            yield cast(Cursor, connection.cursor())
            connection.execute("COMMIT")

    def append_events(self, offer: Offer) -> None:
        """See Store. While another program writes, senders may give up waiting."""
        with self._only_writer() as connection:
            _insist(lambda: self._append(connection, offer.take()), offer.give_back)

    def _append(self, connection: sqlite3.Connection, events: Sequence[NewEvent]) -> None:
        """One statement, where it holds them all: SQLite makes it a transaction by itself.

        Around each statement the driver lets go of the interpreter, and has to win it back.
        """
        if len(events) > ROWS_AT_ONCE:
            connection.execute("BEGIN IMMEDIATE")
            self.insert_events(cast(Cursor, connection.cursor()), events)
            connection.execute("COMMIT")
        elif events:
            connection.execute(*insert_events(events))

    @contextmanager
    def _only_writer(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, while no other process does."""
        if self._writer is None:
            self._writer = self._connect()
            self._writer.execute("PRAGMA busy_timeout = 0")  # `_insist` waits in its place.
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


def _insist(write: Callable[[], object], give_back: Callable[[], None] = lambda: None) -> None:
    """Try again and again while another program writes; raises BusyError when it does for long.

    SQLite's own wait would not let go meanwhile of what is to be written.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            write()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            give_back()
            if time.monotonic() > end:
                raise BusyError(str(error)) from error
        _SLEEP(RETRY_SECONDS)


def _open_sqlite(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    # What a statement would need to undo itself: else a file for each, a fifth of a commit's time.
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


sqlite3.register_adapter(datetime, sqlite_text)
