"""A whole database as SQL text that people can read and compare, and back.

One row is one line, in the order of its key; what doesn't print is written as an escape.
"""

import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg

from app.models.partitioning import PARTITION

MOST_PIECES = 200
"""SQLite reads no expression that is more than 1,000 deep."""


def _read_text(value: bytes) -> str | None:
    """None for what is no text, or what a text can't hold."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _write_rows(
    table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], write: Callable[[Any], str]
) -> Iterator[str]:
    lines = [f"({', '.join(map(write, row))})" for row in rows]
    if lines:
        yield f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
        yield ",\n".join(lines) + ";"


# --- SQLite -------------------------------------------------------------------------------------

_TABLES = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
    "ORDER BY name"
)
_REST = (
    "SELECT sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL ORDER BY type, name"
)

_CONSTRAINT = "\tCONSTRAINT "


def write_sqlite(path: Path) -> str:
    """Tables and rows first, then what would look at each row: indexes and triggers."""
    with closing(sqlite3.connect(path)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        tables = connection.execute(_TABLES).fetchall()
        lines = [f"PRAGMA journal_mode = {mode};", *(_draw_table(made) for _, made in tables)]
        for name, _ in (*tables, ("sqlite_sequence", "")):
            lines += _read_sqlite(connection, name)
        lines += [f"{made};" for (made,) in connection.execute(_REST)]
    return "\n".join(lines) + "\n"


def _draw_table(made: str) -> str:
    """A column or constraint on each line; the order of these means nothing, and where Alembic has
    rebuilt a table it is one of chance."""
    first, *within, last = made.splitlines()
    parts = [line.rstrip().removesuffix(",") for line in within]
    columns = [part for part in parts if not part.startswith(_CONSTRAINT)]
    bounds = sorted(part for part in parts if part.startswith(_CONSTRAINT))
    return "\n".join([first.rstrip(), ",\n".join([*columns, *bounds]), f"{last};"])


def load_sqlite(text: str, path: Path) -> None:
    """Into a file that is not there yet."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)


def _read_sqlite(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    keys = [name for _, name, *_, place in columns if place] or [columns[0][1]]
    rows = connection.execute(f"SELECT * FROM {table} ORDER BY {', '.join(keys)}")
    return _write_rows(table, [each[1] for each in columns], rows, _as_sqlite)


def _as_sqlite(value: Any) -> str:
    if isinstance(value, bytes):
        text = _read_text(value)
        return f"X'{value.hex()}'" if text is None else f"CAST({_as_sqlite(text)} AS BLOB)"
    if not isinstance(value, str):
        return "NULL" if value is None else repr(value)
    pieces = [
        _as_piece(prints, "".join(signs)) for prints, signs in groupby(value, str.isprintable)
    ]
    if len(pieces) > MOST_PIECES:
        return f"CAST(X'{value.encode().hex()}' AS TEXT)"
    return f"({' || '.join(pieces)})" if len(pieces) > 1 else "".join(pieces) or "''"


def _as_piece(prints: bool, text: str) -> str:
    if prints:
        return f"'{text.replace(chr(39), 2 * chr(39))}'"
    return f"char({', '.join(str(ord(sign)) for sign in text)})"


# --- PostgreSQL ---------------------------------------------------------------------------------

_COLUMNS = (
    "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum),"
    " array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum),"
    " array(SELECT k.attname::text FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid"
    "  AND k.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY 1)"
    " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
    " AND NOT a.attisdropped WHERE c.relnamespace = 'public'::regnamespace"
    " AND c.relkind IN ('r', 'p') GROUP BY c.oid, c.relname ORDER BY c.relname"
)
_AS_THEY_ARE = frozenset({"bigint", "boolean", "bytea", "double precision", "integer"})
_SEQUENCES = (
    "SELECT sequencename, last_value FROM pg_sequences"
    " WHERE schemaname = 'public' AND last_value IS NOT NULL ORDER BY 1"
)
_OF_ITS_TIME = re.compile(r"(--.*|\\(un)?restrict .*|SET .*;|SELECT pg_catalog\.set_config.*|)\n")
"""Lines of pg_dump that tell of its version, and what another one would refuse."""


def write_postgresql(address: str, pg_dump: Path) -> str:
    """The schema as pg_dump writes it, without what only its version means, and our rows between
    the tables and what would look at each row. `address` is libpq's."""
    before, after = (_dump_schema(address, pg_dump, part) for part in ("pre-data", "post-data"))
    lines = []
    with psycopg.connect(address) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        for table, names, types, keys in connection.execute(_COLUMNS).fetchall():
            if not PARTITION.fullmatch(table):
                columns = dict(zip(names, types, strict=True))
                lines += _read_postgresql(connection, table, columns, keys)
        for name, last in connection.execute(_SEQUENCES):
            lines.append(f"SELECT setval('{name}', {last});")
    return before + "\n".join(lines) + "\n" + after


def load_postgresql(text: str, address: str) -> None:
    """Into an empty database."""
    with psycopg.connect(address) as connection:
        connection.execute(text.encode())


def _dump_schema(address: str, pg_dump: Path, part: str) -> str:
    command = [str(pg_dump), f"--section={part}", "--no-owner", "--no-privileges", address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not _OF_ITS_TIME.fullmatch(line))


def _read_postgresql(
    connection: psycopg.Connection[Any], table: str, types: dict[str, str], keys: Sequence[str]
) -> Iterator[str]:
    """Of a table in partitions each of these has the key, and not the table. What Python does not
    write as SQL does comes as the text that PostgreSQL reads again."""
    wanted = ", ".join(
        name if kind in _AS_THEY_ARE else f"{name}::text" for name, kind in types.items()
    )
    order = ", ".join(f"{table}.{name}" for name in keys or [next(iter(types))])
    rows = connection.execute(f"SELECT {wanted} FROM {table} ORDER BY {order}".encode())
    return _write_rows(table, list(types), rows, _as_postgresql)


def _as_postgresql(value: Any) -> str:
    if isinstance(value, bytes):
        text = _read_text(value)
        if text is None:
            return f"'\\x{value.hex()}'"
        return f"convert_to({_as_postgresql(text)}, 'UTF8')"
    if not isinstance(value, str):
        return "NULL" if value is None else repr(value)
    quoted = value.replace("'", "''")
    if value.isprintable():
        return f"'{quoted}'"
    signs = (_escape(sign) for sign in quoted.replace("\\", "\\\\"))
    return f"E'{''.join(signs)}'"


def _escape(sign: str) -> str:
    if sign.isprintable():
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"
