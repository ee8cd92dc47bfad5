"""Copies of a SQLite database, page by page out of one moment of it, while others write.

A read transaction keeps that moment: neither does the copy begin anew when somebody writes, nor is
the write lock held. `VACUUM INTO` does so as well and as quickly (docs/backup.md), but in one go:
it can neither rest for the server's sake nor bring what it has written to the disk bit by bit.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from app.backups.contents import BackupError, Contents, quote
from app.backups.drafts import SYNC_EVERY, sync
from app.invocation import shell_command

PAGES_AT_ONCE = 256
REST = 1.0
"""So many times as long as a step took, the disk is left to the server."""


def write(database: Path, draft: Path) -> Contents:
    """Copy what is committed now; returns what the database held in that moment."""
    if not database.is_file():
        raise BackupError(f"{database} is not there. Run: {shell_command('prepare')}")
    with closing(_open(database, "rw")) as source, closing(_open(draft, "rw")) as copy:
        source.execute("PRAGMA query_only = ON")
        source.execute("BEGIN")
        contents = _count(source)  # The first look is what fixes the moment.
        copy.execute("PRAGMA journal_mode = OFF")  # Nobody wants a half of it.
        copy.execute("PRAGMA synchronous = OFF")  # `_Pace` and the end see to it.
        source.backup(copy, pages=PAGES_AT_ONCE, progress=_Pace(draft))
        source.execute("COMMIT")
        # It has no log beside it, and opens where nothing can be written.
        copy.execute("PRAGMA journal_mode = DELETE")
        source.execute("PRAGMA wal_checkpoint(PASSIVE)")  # Else whoever commits next has to.
    return contents


def examine(copy: Path) -> Contents:
    """Open a copy, have SQLite check it, and count. Raises BackupError for one that is broken."""
    try:
        with closing(_open(copy, "ro")) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            if found != ["ok"]:
                raise BackupError(f"{copy} is damaged: {'; '.join(found)}")
            return _count(connection)
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{copy} can't be read: {error}") from error


class _Pace:
    """Rests after each step, and syncs what has gathered."""

    def __init__(self, draft: Path) -> None:
        self._draft = draft
        self._began = time.monotonic()
        self._unsynced = 0

    def __call__(self, status: int, remaining: int, total: int) -> None:
        self._unsynced += PAGES_AT_ONCE * 4096
        if self._unsynced >= SYNC_EVERY:
            self._unsynced = 0
            sync(self._draft)
        if remaining:
            time.sleep((time.monotonic() - self._began) * REST)
        self._began = time.monotonic()


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute("PRAGMA busy_timeout = 30000")
    return connection


def _count(connection: sqlite3.Connection) -> Contents:
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    columns = {
        str(table): {row[1] for row in connection.execute(f"PRAGMA table_info({quote(table)})")}
        for (table,) in tables
    }
    rows, highest_ids = {}, {}
    for table, names in columns.items():
        rows[table] = _first(connection, f"SELECT count(*) FROM {quote(table)}")  # noqa: S608
        if "id" in names:
            highest_ids[table] = _first(connection, f"SELECT max(id) FROM {quote(table)}") or 0  # noqa: S608
    revision = mark = None
    if "alembic_version" in columns:
        revision = _first(connection, "SELECT version_num FROM alembic_version")
    if "secret_mark" in columns.get("instance", ()):
        mark = _first(connection, "SELECT secret_mark FROM instance")
    return Contents(revision, mark, rows, highest_ids)


def _first(connection: sqlite3.Connection, statement: str) -> Any:
    return next(iter(connection.execute(statement).fetchone() or ()), None)
