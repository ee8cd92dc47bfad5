"""The file lock that every process takes before it writes to SQLite."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WriteLock:
    """One writer at a time, in the order of asking.

    SQLite's own wait for its lock polls with growing pauses, which left the unlucky waiting for
    about a second; `flock` wakes the next in line. Each holder opens the file anew: a lock belongs
    to the open file, so that two threads of one process exclude each other too.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")

    def acquire(self) -> int:
        """Wait for the lock (blocks the thread); returns the token that `release` takes."""
        token = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(token, fcntl.LOCK_EX)
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
