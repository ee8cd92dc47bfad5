"""The SQLite database that a move reads, held so that nobody else can open it meanwhile."""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Table

from app.cli.move_columns import kind_of

WAIT_MS = 3_000
"""How long to wait for a server that is just stopping."""
MOST_EXAMPLES = 5
Row = Sequence[Any]


class HeldError(Exception):
    """Somebody else has the database open."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one table: the number of rows; by column how many values there are, and their sum."""

    rows: int
    columns: dict[str, tuple[int, float]]


class Source:
    """While it is open, every other program is told that the database is locked.

    In exclusive mode SQLite gets its lock only where no other program has so much as an idle
    connection: it is not only that nobody writes, no server is running either.
    """

    def __init__(self, path: Path) -> None:
        """Raises HeldError."""
        self.path = path
        # Closed last: to close any descriptor of the file would let go of the process's locks.
        self._file = path.open("rb")
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None
        )
        self._connection.text_factory = bytes
        try:
            self._hold()
        except sqlite3.OperationalError as error:
            self.close()
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise HeldError from error
            raise

    def _hold(self) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("COMMIT")
        # What a server that was killed has left in the log beside it goes into the file.
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.execute("BEGIN IMMEDIATE")

    def __enter__(self) -> "Source":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()
        self._file.close()

    def fingerprint(self) -> str:
        """Of all that is in the file: another one where anything was written since."""
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").hexdigest()

    def is_wal(self) -> bool:
        """Only then does SQLite see connections that idle."""
        return bool(self._fetch("PRAGMA journal_mode")[0][0] == b"wal")

    def revision(self) -> str | None:
        """Where the migrations stand; None for a database that has never seen any."""
        found = self._fetch("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
        rows = self._fetch("SELECT version_num FROM alembic_version") if found else []
        return bytes(rows[0][0]).decode() if rows else None

    def whose(self) -> str:
        """The public id of the first workspace, which no other server's database has."""
        rows = self._fetch("SELECT public_id FROM workspaces ORDER BY id LIMIT 1")
        return bytes(rows[0][0]).decode() if rows else ""

    def highest_ids(self) -> dict[str, int]:
        """By table, the highest id that was ever handed out, where SQLite remembers it."""
        rows = self._fetch("SELECT name, seq FROM sqlite_sequence")
        return {bytes(name).decode(): seq for name, seq in rows}

    def find_months(self) -> list[datetime]:
        """The beginnings of the months (UTC) that events came in, in order."""
        rows = self._fetch("SELECT DISTINCT substr(received_at, 1, 7) FROM events ORDER BY 1")
        return [datetime.fromisoformat(f"{bytes(month).decode()}-01T00:00Z") for (month,) in rows]

    def add_up(self, table: Table) -> Figures:
        """Count the table and add its columns up."""
        sums = [
            [
                f"count({_quote(column.name)})",
                *(sum_.format(c=_quote(column.name)) for sum_, _ in kind_of(column).sums),
            ]
            for column in table.columns
        ]
        every = ", ".join(["count(*)", *(part for parts in sums for part in parts)])
        rows, *found = self._fetch(f"SELECT {every} FROM {_quote(table.name)}")[0]  # noqa: S608
        columns, values = {}, iter(found)
        for column in table.columns:
            count = next(values)
            weights = [weight for _, weight in kind_of(column).sums]
            columns[column.name] = (count, sum((next(values) or 0) * each for each in weights))
        return Figures(rows, columns)

    def find_unreadable(self, table: Table) -> dict[str, list[str]]:
        """By column, some of the values that neither FlowPulse nor PostgreSQL can make anything of,
        with the numbers of their rows."""
        name, found = _quote(table.name), {}
        tests = {
            column.name: f"{_quote(column.name)} IS NOT NULL AND "
            f"({kind_of(column).unreadable.format(c=_quote(column.name))})"
            for column in table.columns
        }
        every = ", ".join(f"sum({test})" for test in tests.values())
        counts = self._fetch(f"SELECT {every} FROM {name}")[0]  # noqa: S608
        for column, count in zip(tests, counts, strict=True):
            if count:
                some = self._fetch(
                    f"SELECT rowid, {_quote(column)} FROM {name} "  # noqa: S608
                    f"WHERE {tests[column]} LIMIT {MOST_EXAMPLES}"
                )
                found[column] = [f"row {rowid}: {value!r:.60}" for rowid, value in some]
        return found

    def find_orphans(self) -> dict[tuple[str, str], list[int]]:
        """By table and the table that is pointed to, the numbers of rows that point nowhere."""
        found: dict[tuple[str, str], list[int]] = {}
        for table, rowid, parent, _ in self._fetch("PRAGMA foreign_key_check"):
            key = (bytes(table).decode(), bytes(parent).decode())
            found.setdefault(key, []).append(rowid)
        return found

    def read(self, table: Table, after: int) -> Iterator[Row]:
        """The rows behind that number, in order; each begins with its own number."""
        return self._connection.execute(
            f"{_select(table)} WHERE rowid > ? ORDER BY rowid", (after,)
        )

    def pick(self, table: Table, count: int) -> Iterator[Row]:
        """So many rows at random, or all where there are no more; as `read` gives them."""
        some = f"SELECT rowid FROM {_quote(table.name)} ORDER BY random() LIMIT ?"  # noqa: S608
        return self._connection.execute(f"{_select(table)} WHERE rowid IN ({some})", (count,))

    def _fetch(self, statement: str, *values: Any) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()


def _select(table: Table) -> str:
    columns = ", ".join(_quote(column.name) for column in table.columns)
    return f"SELECT rowid, {columns} FROM {_quote(table.name)}"  # noqa: S608


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
