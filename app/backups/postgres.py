"""Copies of a PostgreSQL database, by its own pg_dump out of one moment of it."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql

from app.backups import postgres_tools
from app.backups.contents import BackupError, Contents, quote, table_of
from app.backups.drafts import SYNC_EVERY, sync
from app.extensions import db

DUMP = ("--format=custom", "--compress=1", "--no-owner", "--no-privileges")
"""Quick to press: the server needs the processor more than we need the space."""
_COPY = re.compile(rb'COPY (?:"?\w+"?\.)?"?(\w+)"? \((.*)\) FROM stdin;\n')
_END = b"\\.\n"
_NOTHING = b"\\N"
_TABLES = (
    "SELECT relname, EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = pg_class.oid"
    " AND attname = 'id' AND NOT attisdropped) FROM pg_class"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
    " AND NOT relispartition"
)


def write(draft: Path) -> Contents:
    """Dump what is committed now; returns what the database held in that moment."""
    with postgres_tools.connect() as connection:
        program = postgres_tools.find("pg_dump", connection.info.server_version)
        postgres_tools.find("pg_restore", connection.info.server_version)
        with _moment(connection) as (snapshot, schema):
            database = postgres_tools.target(db.engine.url)
            command = [program, *DUMP, f"--snapshot={snapshot}", f"--schema={schema}"]
            with postgres_tools.running(*command, f"--dbname={database}") as dumped:
                _keep(dumped, draft)
            return count(connection)


@contextmanager
def _moment(connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Its name, for pg_dump to join it, and the schema that our tables are in."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = connection.execute("SELECT pg_export_snapshot(), current_schema()").fetchone()
        yield found  # type: ignore[misc]


def _keep(dumped: IO[bytes], draft: Path) -> None:
    with draft.open("wb") as file:
        while part := dumped.read(SYNC_EVERY):
            file.write(part)
            file.flush()
            sync(draft)


def count(connection: psycopg.Connection[Any]) -> Contents:
    """What is in the schema of the connection."""
    rows: dict[str, int] = {}
    highest_ids: dict[str, int] = {}
    for table, has_id in connection.execute(_TABLES).fetchall():
        name = sql.Identifier(table)
        rows[table] = _first(connection, sql.SQL("SELECT count(*) FROM {}").format(name))
        if has_id:
            highest = sql.SQL("SELECT coalesce(max(id), 0) FROM {}").format(name)
            highest_ids[table] = _first(connection, highest)
    revision = mark = None
    if "alembic_version" in rows:
        revision = _first(connection, sql.SQL("SELECT version_num FROM alembic_version"))
    if "instance" in rows:
        row = _first(connection, sql.SQL("SELECT to_jsonb(instance) FROM instance"))
        mark = (row or {}).get("secret_mark")
    return Contents(revision, mark, rows, highest_ids)


def _first(connection: psycopg.Connection[Any], statement: sql.Composed | sql.SQL) -> Any:
    return next(iter(connection.execute(statement).fetchone() or ()), None)


def examine(copy: Path) -> Contents:
    """Unpack a dump to its last row and count; no server takes part in it.

    Raises BackupError for one that is broken.
    """
    program = postgres_tools.find("pg_restore")
    counter = _Counter()
    command = (program, "--data-only", "--file=-", str(copy))
    try:
        with postgres_tools.running(*command) as printed:
            counter.read(printed)
    except BackupError as error:
        raise BackupError(f"{copy} can't be read: {error}") from error
    return counter.contents()


class _Counter:
    """Counts the rows that pg_restore prints, one on each line between COPY and an end mark."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()
        self._highest: dict[str, int] = {}
        self._known: dict[tuple[str, str], str] = {}

    def read(self, printed: IO[bytes]) -> None:
        for line in printed:
            begin = _COPY.fullmatch(line)
            if begin:
                table = table_of(begin[1].decode())
                quote(table)
                columns = [each.strip(b' "').decode() for each in begin[2].split(b",")]
                self._read_table(table, columns, printed)

    def _read_table(self, table: str, columns: list[str], printed: IO[bytes]) -> None:
        place = columns.index("id") if "id" in columns else None
        highest, count, last = 0, 0, b""
        for line in printed:
            if line == _END:
                break
            count, last = count + 1, line
            if place is not None:
                highest = max(highest, int(line.split(b"\t", place + 1)[place]))
        if count == 1:
            self._note(table, columns, last)
        self._rows[table] += count
        if place is not None:
            self._highest[table] = max(highest, self._highest.get(table, 0))

    def _note(self, table: str, columns: list[str], line: bytes) -> None:
        """Of a table of one row, what it says."""
        values = zip(columns, line.rstrip(b"\n").split(b"\t"), strict=False)
        known = {name: value.decode() for name, value in values if value != _NOTHING}
        self._known |= {(table, name): value for name, value in known.items()}

    def contents(self) -> Contents:
        return Contents(
            self._known.get(("alembic_version", "version_num")),
            self._known.get(("instance", "secret_mark")),
            dict(self._rows),
            self._highest,
        )
