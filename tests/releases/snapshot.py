"""What a database holds, by table and column, as far as it can be held against a later state."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, inspect

from app.models.partitioning import PARTITION

ON_PURPOSE: Mapping[str, str] = {}
"""Tables and columns (`runs.error_group`) that a later version takes away or fills anew, and by
which migration; their rows are counted all the same."""
_NOT_OURS = frozenset({"alembic_version"})


class Held(NamedTuple):
    """Of a column: how many values, what numbers add up to, and a mark of all values together."""

    count: int
    total: float | None
    mark: str


class TableHeld(NamedTuple):
    rows: int
    columns: dict[str, Held]


Snapshot = dict[str, TableHeld]


def take_snapshot(connection: Connection) -> Snapshot:
    names = sorted({*inspect(connection).get_table_names()} - _NOT_OURS)
    return {name: _read(connection, name) for name in names if not PARTITION.fullmatch(name)}


def _read(connection: Connection, table: str) -> TableHeld:
    found = connection.exec_driver_sql(f'SELECT * FROM "{table}"')
    rows = found.all()
    columns = {name: _sum_up(row[place] for row in rows) for place, name in enumerate(found.keys())}
    return TableHeld(len(rows), columns)


def _sum_up(values: Iterable[Any]) -> Held:
    there = [bytes(each) if isinstance(each, memoryview) else each for each in values]
    there = [each for each in there if each is not None]
    are_numbers = all(isinstance(each, int | float) for each in there)
    texts = "\n".join(sorted(map(repr, there)))
    mark = hashlib.sha256(texts.encode()).hexdigest()[:16]
    return Held(len(there), sum(there) if are_numbers else None, mark)


def find_differences(
    before: Snapshot, after: Snapshot, on_purpose: Iterable[str] = ON_PURPOSE
) -> Iterator[str]:
    """In sentences, what has become of what was there; what is new is no difference."""
    for table, was in before.items():
        if table not in after:
            if table not in on_purpose:
                yield f"{table} is gone"
            continue
        found = after[table]
        if found.rows != was.rows:
            yield f"{table} has {found.rows} rows instead of {was.rows}"
        for column in was.columns.keys() - {each.partition(f"{table}.")[2] for each in on_purpose}:
            yield from _compare(f"{table}.{column}", was.columns[column], found.columns.get(column))


def _compare(name: str, was: Held, found: Held | None) -> Iterator[str]:
    if found is None:
        yield f"{name} is gone"
    elif found.count != was.count:
        yield f"{name} has {found.count} values instead of {was.count}"
    elif found.total != was.total:
        yield f"{name} adds up to {found.total} instead of {was.total}"
    elif found.mark != was.mark:
        yield f"{name} holds other values"
