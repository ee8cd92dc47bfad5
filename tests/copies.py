"""What the services have made in one empty database, put into further ones as it is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, select

from app.clock import now
from app.extensions import Model, db, is_sqlite, writing

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of a database, by table, those that others point to first."""

    by_table: tuple[tuple[Table, tuple[Row, ...]], ...]

    def put(self, **changed: Row) -> None:
        """Insert them as if they had been made now; `users={"email": …}` changes a table's rows.

        Raises IntegrityError where there are such rows already.
        """
        moment = now()
        with writing() as session:
            connection = session.connection()
            for table, rows in self.by_table:
                change = changed.get(table.name, {})
                connection.execute(
                    table.insert(), [{**_renew(row, moment), **change} for row in rows]
                )
            if not is_sqlite():
                self._count_on(connection)

    def _count_on(self, connection: Connection) -> None:
        """PostgreSQL numbers new rows without looking at those that came with their numbers."""
        highest = [
            func.setval(func.pg_get_serial_sequence(table.name, "id"), max(ids))
            for table, rows in self.by_table
            if (ids := [row["id"] for row in rows if "id" in row])
            and table.c["id"].autoincrement is not False
        ]
        connection.execute(select(*highest))


def read_rows() -> Rows:
    """All that is in the present database."""
    read = (
        (table, tuple(dict(row) for row in db.session.execute(select(table)).mappings()))
        for table in Model.metadata.sorted_tables
    )
    return Rows(tuple((table, rows) for table, rows in read if rows))


def _renew(row: Row, moment: datetime) -> Row:
    return {name: moment if isinstance(value, datetime) else value for name, value in row.items()}
