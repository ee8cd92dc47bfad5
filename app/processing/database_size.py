"""How much the database holds: what is in use, not how large its files are.

Neither database gives a file's space back when rows go: SQLite keeps the pages for what comes
next, PostgreSQL keeps dead rows until it vacuums, and the space after that. A limit that went by
the files would remove for ever.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, func, select, text, union_all

from app.extensions import db, is_sqlite
from app.models import Event, Run

MEGABYTE = 1024 * 1024
ROW_OVERHEAD = 28
"""Bytes that PostgreSQL adds to each row: a header and a pointer."""
SAMPLE = 100
MOST_OF_INDEXES = 4.0
"""Of the rows' own size: in a table of few rows, indexes are mostly empty pages."""


class Holding(NamedTuple):
    """Bytes in use, and, where that is reckoned by rows, the bytes of one row of each table."""

    used: float
    row_bytes: Mapping[type[Any], float]


def measure() -> Holding:
    """What the database holds now; takes a few milliseconds however large it is."""
    return _MEASURES[db.engine.dialect.name]()


def measure_again(before: Holding, removed: Mapping[type[Any], int]) -> Holding:
    """After so many rows of each table have gone. PostgreSQL counts them some time later only."""
    if is_sqlite():
        return measure()
    freed = sum(removed.get(table, 0) * size for table, size in before.row_bytes.items())
    return before._replace(used=before.used - freed)


def _pages_in_use() -> Holding:
    connection = db.session.connection()
    pages, free, size = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_count", "freelist_count", "page_size")
    )
    return Holding((pages - free) * size, {})


_TREE = (
    "SELECT to_regclass(:name) UNION ALL"
    " SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(:name)"
)
"""A table and its partitions, if it has any."""
_COUNTS = text(
    "SELECT coalesce(sum(greatest(pg_stat_get_live_tuples(oid), 0)), 0),"  # noqa: S608
    " coalesce(sum(pg_table_size(oid)), 0), coalesce(sum(pg_indexes_size(oid)), 0),"
    " bool_or(reltuples >= 0 AND greatest(pg_stat_get_last_analyze_time(oid),"
    " pg_stat_get_last_autoanalyze_time(oid), pg_stat_get_last_vacuum_time(oid),"
    " pg_stat_get_last_autovacuum_time(oid)) IS NULL)"
    f" FROM pg_class WHERE relkind = 'r' AND oid IN ({_TREE})"
)
_ALL = text(
    "SELECT coalesce(sum(pg_table_size(oid) + pg_indexes_size(oid)), 0) FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
)


def _estimate() -> Holding:
    """Live rows times what a row takes, for the tables that are removed from; the others whole."""
    row_bytes: dict[type[Any], float] = {}
    used = float(db.session.execute(_ALL).scalar_one())
    for entity in (Event, Run):
        rows, table_size, index_size, is_unknown = _count(entity.__tablename__)
        if is_unknown:
            _analyze(entity.__tablename__)
            rows, table_size, index_size, _ = _count(entity.__tablename__)
        indexes = min(index_size / table_size if table_size else 0.0, MOST_OF_INDEXES)
        row_bytes[entity] = _sample_row(entity) * (1 + indexes)
        used += rows * row_bytes[entity] - table_size - index_size
    return Holding(used, row_bytes)


def _count(table: str) -> tuple[float, float, float, bool]:
    """Live rows, bytes of rows and of indexes; and whether PostgreSQL has lost its count, as after
    a crash."""
    rows, *sizes, is_unknown = db.session.execute(_COUNTS, {"name": table}).one()
    return float(rows), float(sizes[0]), float(sizes[1]), bool(is_unknown)


def _analyze(table: str) -> None:
    db.session.rollback()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ANALYZE {table}"))


def _sample_row(entity: type[Event] | type[Run]) -> float:
    """What a row takes in the table, by the oldest and the newest."""
    table = cast(Table, entity.__table__)
    sizes: Any = (func.coalesce(func.pg_column_size(column), 0) for column in table.columns)
    size: Any = sum(sizes, start=ROW_OVERHEAD)
    ends = [
        select(size.label("size")).order_by(order).limit(SAMPLE).subquery()
        for order in (table.c.id, table.c.id.desc())
    ]
    both = union_all(*(select(end.c.size) for end in ends)).subquery()
    return float(db.session.scalar(select(func.avg(both.c.size))) or 0.0)


_MEASURES: dict[str, Callable[[], Holding]] = {
    "sqlite": _pages_in_use,
    "postgresql": _estimate,
}
