"""Whether what has arrived is what was sent: counts, sums, and rows value by value."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Column, Dialect, LargeBinary, Table, literal_column, select, tuple_
from sqlalchemy.engine import make_url

from app.cli.move_columns import Mended, kind_of
from app.cli.move_source import Figures, Row, Source
from app.cli.move_target import Target

SAMPLE = 1_000
"""Rows of each table that are compared value by value, picked at random."""
AT_ONCE = 100
"""Each of them may hold a body of a megabyte."""
MOST_KEYS = 20
"""Keys of rows that differ which are told."""
SUM_ACCURACY = 1e-9
"""Fractions are added up in another order on the other side."""
_SQLITE, _POSTGRESQL = (
    make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql+psycopg")
)
_FLOAT8 = 701
"""PostgreSQL's number for it, which only the reading of numbers asks for."""
Key = tuple[Any, ...]
Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a table's comparison has found: sentences, and the keys of rows that differ."""

    table: str
    rows: int
    compared: int
    mended: dict[str, int]
    differences: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)


def compare(source: Source, target: Target, table: Table, sent: Figures, mended: Mended) -> Verdict:
    """`sent` is what the source has added up before anything was copied."""
    arrived = target.add_up(table)
    differences = list(_compare_figures(sent, arrived, mended))
    keys = list(_find_different(target, table, source.pick(table, SAMPLE)))
    if differences and not keys:
        keys = list(islice(_find_all_different(source, target, table), MOST_KEYS))
    if keys:
        differences.append("rows differ")
    counts = dict(mended.counts)
    compared = min(sent.rows, SAMPLE)
    return Verdict(table.name, arrived.rows, compared, counts, differences, keys[:MOST_KEYS])


def _compare_figures(sent: Figures, arrived: Figures, mended: Mended) -> Iterator[str]:
    if sent.rows != arrived.rows:
        yield f"{sent.rows:,} rows were sent, {arrived.rows:,} have arrived"
    for column, (count, sum_) in sent.columns.items():
        found_count, found_sum = arrived.columns[column]
        if count != found_count:
            yield f"{column}: {count:,} values were sent, {found_count:,} have arrived"
        elif not _is_same_sum(sum_ + mended.growth[column], found_sum):
            yield f"{column}: the sum was {sum_ + mended.growth[column]}, and is {found_sum}"


def _is_same_sum(sent: float, arrived: Any) -> bool:
    """Whole numbers exactly, whatever their size."""
    if isinstance(sent, int):
        return bool(sent == arrived)
    return math.isclose(sent, float(arrived), rel_tol=SUM_ACCURACY) or sent != sent


def _find_all_different(source: Source, target: Target, table: Table) -> Iterator[Key]:
    """Look through all rows: first for those of the source, then for those that it doesn't have."""
    rows, known, key_of = source.read(table, -(2**63)), set[Key](), _key_reader(table)
    while batch := list(islice(rows, AT_ONCE)):
        known.update(map(key_of, batch))
        yield from _find_different(target, table, batch)
    keys = target.select(select(*table.primary_key.columns))
    yield from (tuple(key) for key in keys if tuple(key) not in known)


def _find_different(target: Target, table: Table, rows: Iterable[Row]) -> Iterator[Key]:
    """The keys of those rows of the source that the target doesn't hold as they are."""
    read_source = [_source_reader(column) for column in table.columns]
    read_target = [_reader(column, _POSTGRESQL) for column in table.columns]
    plain: Any = select(*(literal_column(f'"{column.name}"') for column in table.columns))
    plain = plain.select_from(table)
    keys = tuple_(*table.primary_key.columns)
    places = [number for number, column in enumerate(table.columns) if column.primary_key]
    rest = iter(rows)
    while batch := [row[1:] for row in islice(rest, AT_ONCE)]:
        sent = _by_key(places, read_source, batch)
        arrived = _by_key(places, read_target, target.select(plain.where(keys.in_(list(sent)))))
        for key, row in sent.items():
            if key not in arrived or not all(map(_is_same, row, arrived[key])):
                yield key


def _by_key(
    places: list[int], readers: Sequence[Reader], rows: Iterable[Sequence[Any]]
) -> dict[Key, list[Any]]:
    read = ([reader(value) for reader, value in zip(readers, row, strict=True)] for row in rows)
    return {tuple(row[place] for place in places): row for row in read}


def _is_same(sent: Any, arrived: Any) -> bool:
    return type(sent) is type(arrived) and bool(sent == arrived)


def _key_reader(table: Table) -> Callable[[Row], Key]:
    """The primary key of a row of the source, as it is once it is over."""
    readers = [
        (number, _source_reader(column))
        for number, column in enumerate(table.columns, 1)
        if column.primary_key
    ]
    return lambda row: tuple(read(row[number]) for number, read in readers)


def _source_reader(column: Column[Any]) -> Reader:
    """Reads what SQLite holds, with what must be mended in it, as FlowPulse does."""
    kind, read = kind_of(column), _reader(column, _SQLITE)
    mend = (kind.make_taker(column, Mended()) if kind.is_mended else None) or (lambda value: value)

    def read_mended(value: Any) -> Any:
        if value is None:
            return None
        value = mend(value)
        is_text = isinstance(value, bytes) and kind.type is not LargeBinary
        return read(value.decode() if is_text else value)

    return read_mended


def _reader(column: Column[Any], dialect: Dialect) -> Reader:
    """Makes of what the driver gives what the model has; of what it can't read, nothing else."""
    process = column.type.dialect_impl(dialect).result_processor(dialect, _FLOAT8)

    def read(value: Any) -> Any:
        try:
            return value if process is None else process(value)
        except ValueError:
            return value

    return read
