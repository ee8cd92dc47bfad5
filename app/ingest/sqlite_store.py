"""The lean road into SQLite."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from gevent.monkey import get_original
from sqlalchemy import URL

from app.blocking import run_blocking
from app.ingest.records import NewEvent
from app.ingest.statements import ROWS_AT_ONCE, insert_events
from app.ingest.store import BUSY_SECONDS, Cursor, Offer, Store
from app.models.columns import sqlite_text
from app.write_lock import RETRY_SECONDS, BusyError, WriteLock, is_busy

T = TypeVar("T")
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
        with ExitStack() as held:
            connection = _insist(partial(self._begin, held))
            yield cast(Cursor, connection.cursor())
            connection.execute("COMMIT")

    def _begin(self, held: ExitStack) -> sqlite3.Connection:
        """One try; `held` keeps the lock until the transaction's end."""
        with ExitStack() as tried:
            connection = tried.enter_context(self._only_writer())
            connection.execute("BEGIN IMMEDIATE")
            held.enter_context(tried.pop_all())
        return connection

    def append_events(self, offer: Offer) -> None:
        """See Store. While another program writes, senders may give up waiting."""
        _insist(lambda: self._append(offer.take()), offer.give_back)

    def _append(self, events: Sequence[NewEvent]) -> None:
        """One statement, where it holds them all: SQLite makes it a transaction by itself.

        Around each statement the driver lets go of the interpreter, and has to win it back.
        """
        if not events:
            return
        with self._only_writer() as connection:
            if len(events) <= ROWS_AT_ONCE:
                connection.execute(*insert_events(events))
                return
            connection.execute("BEGIN IMMEDIATE")
            self.insert_events(cast(Cursor, connection.cursor()), events)
            connection.execute("COMMIT")

    @contextmanager
    def _only_writer(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, while no other process does."""
        with self._write_lock.hold():
            if self._writer is None:
                self._writer = self._connect()
                self._writer.execute("PRAGMA busy_timeout = 0")  # `_insist` waits in its place.
            connection = self._writer
            try:
                yield connection
            except BaseException as error:
                if is_busy(error) and not connection.in_transaction:
                    raise
                self._writer = None  # The next writer opens a fresh one.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                connection.close()
                raise

    def close(self) -> None:
        """See Store; the one that writes too."""
        super().close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def run(self, function: Callable[[], None]) -> None:
        run_blocking(function)


def _insist(write: Callable[[], T], give_back: Callable[[], None] = lambda: None) -> T:
    """Try again and again while another program writes; raises BusyError when it does for long.

    SQLite's own wait would let go neither of what is to be written nor of the file lock meanwhile.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return write()
        except sqlite3.OperationalError as error:
            if not is_busy(error):
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
