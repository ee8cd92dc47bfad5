"""Rows of a list as CSV and as JSON Lines, a batch at a time."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from app.csv_text import write_lines

Row = Mapping[str, Any]
"""By column: texts, numbers, moments, None, and what stands for JSON."""


class Format(NamedTuple):
    """A kind of file: its type, whether it begins with the names of its columns, and its lines."""

    content_type: str
    has_head: bool
    write: Callable[[Sequence[str], Iterable[Row]], str]

    def write_all(self, columns: Sequence[str], batches: Iterable[Iterable[Row]]) -> Iterator[str]:
        """What is empty is left out: a server may take it for the end."""
        if self.has_head:
            yield write_lines([columns])
        yield from filter(None, (self.write(columns, rows) for rows in batches))


def _write_csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    return write_lines([_flatten(row[name]) for name in columns] for row in rows)


def _flatten(value: Any) -> Any:
    """A cell holds no members: they stand in it as JSON."""
    return _dump(value) if isinstance(value, dict | list | bool) else value


def _write_json(columns: Sequence[str], rows: Iterable[Row]) -> str:
    return "".join(f"{_dump({name: row[name] for name in columns})}\n" for row in rows)


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=_tell_moment)


def _tell_moment(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", True, _write_csv),
    "jsonl": Format("application/jsonl", False, _write_json),
}
"""By the end of the file's name."""
