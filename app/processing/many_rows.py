"""Many rows in one statement: on PostgreSQL each column is one parameter, an array.

With a parameter for each value, psycopg would read a statement of 12,500 names for 500 runs: that
took more than half of a worker's time. SQLite's driver is called once for all rows anyway.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, column, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.extensions import is_sqlite
from app.processing.array_text import ArrayText

Row = Mapping[str, Any]
"""Values by the names of the table's columns; all rows of a call have the same."""
ROWS_AT_ONCE = 100
"""Rows of a statement on PostgreSQL: those that come with more are told in several, between which
the worker can let others have a processor."""
Making = Callable[[Any], Any]
"""Completes an insert of SQLite's or PostgreSQL's: what becomes of conflicts, what is returned."""


def insert_rows(session: Session, table: Table, rows: Sequence[Row], complete: Making) -> list[Any]:
    """What the statement returns, if anything; `complete` has to be the same function each time."""
    connection = session.connection()
    if is_sqlite():
        results = [connection.execute(_plain_insertion(table, complete), rows)]
    else:
        statement = _insertion(table, tuple(rows[0]), complete)
        results = [connection.execute(statement, each) for each in _arrays(rows)]
    return [row for result in results if result.returns_rows for row in result]


def update_rows(
    session: Session,
    table: Table,
    keys: Sequence[str],
    rows: Sequence[Row],
    same: Row,
    *conditions: ColumnElement[bool],
) -> None:
    """Find each row by its `keys`, and set its other columns; those in `same` alike in all rows.
    `conditions` hold for all of them anyway, and may spare a look into a partition."""
    on_sqlite = is_sqlite()
    tell = _named if on_sqlite else _unnest
    statement = _changing(table, tuple(keys), tuple(rows[0]), tuple(same), tell)
    if conditions:
        statement = statement.where(*conditions)
    alike = {_same(name): value for name, value in same.items()}
    if on_sqlite:
        session.connection().execute(statement, [{**_named_values(row), **alike} for row in rows])
        return
    for arrays in _arrays(rows):
        session.connection().execute(statement, {**arrays, **alike})


def _named_values(row: Row) -> dict[str, Any]:
    return {_parameter(name): value for name, value in row.items()}


def _arrays(rows: Sequence[Row]) -> Iterator[dict[str, list[Any]]]:
    """The rows of each statement, by their columns."""
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[begin : begin + ROWS_AT_ONCE]
        yield {_parameter(name): [row[name] for row in some] for name in rows[0]}


def _parameter(name: str) -> str:
    """In an update SQLAlchemy keeps the plain names for itself."""
    return f"told_{name}"


def _same(name: str) -> str:
    """Of what all rows have alike."""
    return f"same_{name}"


@cache
def _plain_insertion(table: Table, complete: Making) -> Any:
    return complete(sqlite.insert(table))


@cache
def _insertion(table: Table, names: tuple[str, ...], complete: Making) -> Any:
    told = select(*_unnest(table, names).values())
    return complete(postgresql.insert(table).from_select(names, told, include_defaults=False))


@cache
def _changing(
    table: Table,
    keys: tuple[str, ...],
    names: tuple[str, ...],
    same: tuple[str, ...],
    tell: Callable[[Table, Sequence[str]], Mapping[str, Any]],
) -> Any:
    told = tell(table, names)
    alike = {name: bindparam(_same(name), type_=table.c[name].type) for name in same}
    return (
        update(table)
        .where(*(table.c[key] == told[key] for key in keys))
        .values({name: told[name] for name in names if name not in keys} | alike)
    )


def _named(table: Table, names: Sequence[str]) -> Mapping[str, Any]:
    """A parameter for each column, of one row."""
    return {name: bindparam(_parameter(name), type_=table.c[name].type) for name in names}


def _unnest(table: Table, names: Sequence[str]) -> Mapping[str, Any]:
    """The columns of all rows, as of a table that the parameters make."""
    arrays = (bindparam(_parameter(name), type_=ArrayText(table.c[name].type)) for name in names)
    columns = (column(name, table.c[name].type) for name in names)
    told = func.unnest(*arrays).table_valued(*columns, name="told").render_derived()
    return {name: told.c[name] for name in names}
