"""The PostgreSQL database that a move fills, and what it keeps there of how far it is."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, cast

import psycopg
from sqlalchemy import URL, NullPool, Table, create_engine, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.cli.move_columns import Mended, kind_of, make_takers
from app.cli.move_source import Figures, Row
from app.cli.move_state import BEGIN, KEEP_OUT, Progress
from app.doctor.moves import State, read_state
from app.extensions import Model
from app.processing.partition_making import make_months
from app.workspaces.audit import note_server

CHUNK = 10_000
"""Rows in one transaction, which also notes that they are there."""
LOCK_WAIT_MS = 5_000
"""How long to wait for the connection of a move that was killed to end."""
VERSION_TABLE = "alembic_version"
_LOCK = 0x464C4F4D
_SESSION = (
    "SET application_name = 'flowpulse move'",
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET timezone = 'UTC'",
    "SET datestyle = 'ISO, MDY'",
    "SET flowpulse.is_moving = 'yes'",
)
_OWN_TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
AND relkind IN ('r', 'p', 'f') AND NOT relispartition AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
    AND deptype = 'e')
"""


class AnotherMoveError(Exception):
    """Somebody else is filling that database."""


class Target:
    """One connection; each public function that writes is a transaction of its own."""

    def __init__(self, url: URL) -> None:
        """Raises AnotherMoveError where one is under way."""
        self._connection = create_engine(url, poolclass=NullPool, hide_parameters=True).connect()
        for setting in _SESSION:
            self._connection.execute(text(setting))
        try:
            self._take_turn()
        except BaseException:
            self.close()
            raise

    def _take_turn(self) -> None:
        self._connection.execute(text(f"SET lock_timeout = {LOCK_WAIT_MS}"))
        try:
            self._connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
        except OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            raise AnotherMoveError from error
        self._connection.execute(text("SET lock_timeout = 0"))
        self._connection.commit()

    def close(self) -> None:
        """End the connection itself, and with it the turn."""
        # Not by a rollback, which fails where Ctrl-C has cut a statement off.
        self._connection.invalidate()
        self._connection.close()

    @property
    def encoding(self) -> str:
        return str(self._one("SHOW server_encoding"))

    @property
    def is_read_only(self) -> bool:
        """As a replica is, and what is set so for a role or a database."""
        return bool(self._one("SHOW transaction_read_only") == "on")

    @property
    def schema(self) -> str | None:
        """Where new tables go; None where the search path names none that is there."""
        return cast("str | None", self._one("SELECT current_schema()"))

    def find_forbidden(self) -> list[str]:
        """In what of all that a move makes something in this role may not."""
        tests = (
            "SELECT 'schema ' || current_schema() "
            "WHERE NOT has_schema_privilege(current_schema(), 'CREATE')",
            "SELECT 'database ' || current_database() "
            "WHERE NOT has_database_privilege(current_database(), 'CREATE')",
        )
        return [found for test in tests if (found := self._one(test))]

    def read_state(self) -> State | None:
        """None where no move has begun."""
        state = read_state(self._connection)
        self._connection.rollback()
        return state

    def find_strangers(self) -> list[str]:
        """Tables that have rows or, where no migration has run, any."""
        names = self._find_tables()
        is_migrated = VERSION_TABLE in names  # Perhaps half-way, to tables of former times.
        names.discard(VERSION_TABLE)
        strangers = list(filter(self._has_rows, names)) if is_migrated else names
        self._connection.rollback()
        return sorted(strangers)

    def begin(self, whose: str, path: str, fingerprint: str) -> None:
        """Note which database comes here, and keep all others from writing."""
        for statement in BEGIN:
            self._connection.exec_driver_sql(statement)
        for table in Model.metadata.sorted_tables:
            self._connection.execute(text(KEEP_OUT.format(table.name)))
        self._connection.execute(
            text("INSERT INTO flowpulse_move.state VALUES (:whose, :path, :fingerprint)"),
            {"whose": whose, "path": path, "fingerprint": fingerprint},
        )
        self._connection.commit()

    def start_over(self) -> None:
        """Empty what a begun move has filled, and forget that it was begun."""
        names = ", ".join(f'"{name}"' for name in self._find_tables() - {VERSION_TABLE})
        self._connection.execute(text(f"TRUNCATE {names}"))
        self._connection.execute(text("DROP SCHEMA flowpulse_move CASCADE"))
        self._connection.commit()

    def make_months(self, months: Iterable[datetime]) -> None:
        """Have a table for the events of each of these months, given by their beginnings."""
        make_months(self._connection, months)
        self._connection.commit()

    def read_progress(self, table: Table) -> Progress:
        row = self._connection.execute(
            text(
                "SELECT after, is_complete, counts, growth FROM flowpulse_move.progress "
                "WHERE name = :name"
            ),
            {"name": table.name},
        ).one_or_none()
        self._connection.rollback()
        if row is None:
            return Progress(-(2**63), False, Mended())
        mended = Mended(Counter(json.loads(row.counts)), Counter(json.loads(row.growth)))
        return Progress(row.after, row.is_complete, mended)

    def copy(self, table: Table, rows: Iterator[Row], progress: Progress) -> Iterator[int]:
        """Take the rows over, a transaction for each chunk; gives the number of rows of each."""
        mended = progress.mended
        take, after = _row_taker(table, mended), progress.after
        size = None if _points_to_itself(table) else CHUNK
        while True:
            count, last = self._copy_chunk(table, islice(rows, size), take)
            after = last if count else after
            is_complete = count < (size or count + 1)
            self._note(table, Progress(after, is_complete, mended))
            self._connection.commit()
            yield count
            if is_complete:
                return

    def _copy_chunk(
        self, table: Table, rows: Iterable[Row], take: Callable[[Row], list[Any]]
    ) -> tuple[int, int]:
        """How many there were, and the number of the last."""
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        count = last = 0
        with (
            self._driver.cursor() as cursor,
            cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN (FORMAT BINARY)') as copy,
        ):
            copy.set_types([kind_of(column).copied_as for column in table.columns])
            for row in rows:
                copy.write_row(take(row))
                count, last = count + 1, row[0]
        return count, last

    @property
    def _driver(self) -> psycopg.Connection[Any]:
        """The driver's own connection; the first statement has begun SQLAlchemy's transaction."""
        self._connection.execute(text("SELECT 1"))
        return cast("psycopg.Connection[Any]", self._connection.connection.driver_connection)

    def _note(self, table: Table, progress: Progress) -> None:
        self._connection.execute(
            text(
                "INSERT INTO flowpulse_move.progress "
                "VALUES (:name, :after, :is_complete, :counts, :growth) "
                "ON CONFLICT (name) DO UPDATE SET after = :after, is_complete = :is_complete, "
                "counts = :counts, growth = :growth"
            ),
            {
                "name": table.name,
                "after": progress.after,
                "is_complete": progress.is_complete,
                "counts": json.dumps(progress.mended.counts),
                "growth": json.dumps(progress.mended.growth),
            },
        )

    def analyze(self) -> None:
        """Tell PostgreSQL what the tables look like; without it, its first plans are guesses."""
        self._driver.commit()
        self._connection.commit()
        driver = cast("psycopg.Connection[Any]", self._connection.connection.driver_connection)
        driver.autocommit = True
        for table in Model.metadata.sorted_tables:
            driver.execute(f'VACUUM (ANALYZE) "{table.name}"'.encode())
        driver.autocommit = False

    def add_up(self, table: Table) -> Figures:
        """As the source does."""
        sums = ", ".join(
            f'count("{column.name}"), ' + kind_of(column).target_sum.format(c=f'"{column.name}"')
            for column in table.columns
        )
        statement = f'SELECT count(*), {sums} FROM "{table.name}"'  # noqa: S608
        rows, *values = self._connection.execute(text(statement)).one()
        self._connection.rollback()
        pairs = zip(values[::2], values[1::2], strict=True)
        named = zip(table.columns.keys(), pairs, strict=True)
        return Figures(rows, {name: (count, sum_ or 0) for name, (count, sum_) in named})

    def finish(self, highest_ids: dict[str, int], source: str, rows: int) -> None:
        """Have new rows numbered from behind the highest id that was ever handed out, let others
        write, and note that the move is complete: of so many rows from a file of this name."""
        for table in Model.metadata.sorted_tables:
            self._count_on(table, highest_ids.get(table.name, 0))
        self._connection.execute(text("DROP FUNCTION flowpulse_move.keep_others_out() CASCADE"))
        self._connection.execute(text("DROP TABLE flowpulse_move.progress"))
        self._connection.execute(text("UPDATE flowpulse_move.state SET finished_at = now()"))
        with Session(self._connection) as session:
            note_server(session, "moved", source, {"rows": rows})
            session.flush()
            self._connection.commit()

    def _count_on(self, table: Table, given: int) -> None:
        column = table.autoincrement_column
        if column is None:
            return
        names = {"table": f'"{table.name}"', "column": column.name}
        sequence = text("SELECT pg_get_serial_sequence(:table, :column)").bindparams(**names)
        highest = max(given, self._connection.scalar(select(func.max(column))) or 0)
        self._connection.execute(
            text("SELECT setval(:sequence, :value, :is_taken)"),
            {
                "sequence": self._connection.scalar(sequence),
                "value": max(highest, 1),
                "is_taken": highest > 0,
            },
        )

    def select(self, statement: Any) -> list[Any]:
        """The rows of a statement."""
        rows = list(self._connection.execute(statement))
        self._connection.rollback()
        return rows

    def _find_tables(self) -> set[str]:
        return set(self._connection.scalars(text(_OWN_TABLES)))

    def _has_rows(self, name: str) -> bool:
        return bool(self._one(f'SELECT 1 FROM "{name}" LIMIT 1'))  # noqa: S608

    def _one(self, statement: str) -> Any:
        return self._connection.scalar(text(statement))


def _row_taker(table: Table, mended: Mended) -> Callable[[Row], list[Any]]:
    """Makes of a row of the source, but for its number, one of the target."""
    takers = make_takers(table, mended)

    def take(row: Row) -> list[Any]:
        return [
            value if taker is None or value is None else taker(value)
            for taker, value in zip(takers, row[1:], strict=True)
        ]

    return take


def _points_to_itself(table: Table) -> bool:
    """Then it goes over in one piece: PostgreSQL looks at the end of each whether the rows that
    are pointed to are there."""
    return any(key.column.table is table for key in table.foreign_keys)
