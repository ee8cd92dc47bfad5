"""The file lock that every process takes before it writes to SQLite."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class BusyError(sqlite3.OperationalError):
    """Somebody else held the database for too long; nothing was written."""


class DatabaseMovedError(sqlite3.OperationalError):
    """Everything is in another database: what was written here would be missing there."""


RETRY_SECONDS = 0.02
"""How long to wait between two tries while another program holds the database."""


def is_busy(error: BaseException | None) -> bool:
    """Whether it says that another program holds the database just now."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def note_of_move(database: Path) -> Path:
    """The file beside a database that says where it was moved to."""
    return database.with_name(database.name + ".moved")


class WriteLock:
    """One writer at a time, in the order of asking.

    SQLite's own wait for its lock polls with growing pauses, which left the unlucky waiting for
    about a second; `flock` wakes the next in line. Each holder opens the file anew: a lock belongs
    to the open file, so that two threads of one process exclude each other too.

    Who has it writes. Who finds that another program holds the database lets go of it until the
    next try: else the last in line would wait for the patience of all before it together.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._note = note_of_move(database)

    def acquire(self) -> int:
        """Wait for the lock (blocks the thread); returns the token that `release` takes.

        Raises DatabaseMovedError, as the others do.
        """
        return self._lock(fcntl.LOCK_EX)

    def try_acquire(self) -> int:
        """The lock, if nobody has it; raises BlockingIOError."""
        return self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _lock(self, how: int) -> int:
        token = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(token, how)
            if self._note.exists():
                raise DatabaseMovedError(
                    f"it was moved to {self._note.read_text().strip()}; set FLOWPULSE_DATABASE_URL "
                    f"to that one, or remove {self._note}"
                )
        except BaseException:
            os.close(token)
            raise
        return token

    def release(self, token: int) -> None:
        os.close(token)

    @contextmanager
    def hold(self) -> Iterator[None]:
        token = self.acquire()
        try:
            yield
        finally:
            self.release(token)
