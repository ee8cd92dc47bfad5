"""The audit log as CSV and as JSON Lines."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from app.csv_text import write_lines
from app.models import AuditEntry

COLUMNS = (
    "id",
    "at",
    "actor",
    "who",
    "what",
    "about",
    "about_id",
    "remote_addr",
    "user_agent",
    "details",
)
"""Of an export, in this order."""


class Format(NamedTuple):
    """A kind of export: what comes before all entries, and how some of them are written."""

    content_type: str
    head: str
    write: Callable[[Sequence[AuditEntry]], str]

    def write_all(self, batches: Iterable[Sequence[AuditEntry]]) -> Iterator[str]:
        yield self.head
        yield from map(self.write, batches)


def _as_row(entry: AuditEntry) -> dict[str, Any]:
    """By COLUMNS; times are moments."""
    return {name: getattr(entry, name) for name in COLUMNS}


def _write_csv(entries: Sequence[AuditEntry]) -> str:
    rows = (_as_row(entry) for entry in entries)
    return write_lines(
        [*list(row.values())[:-1], _dump(row["details"]) if row["details"] else None]
        for row in rows
    )


def _write_json(entries: Sequence[AuditEntry]) -> str:
    return "".join(f"{_dump(_as_row(entry))}\n" for entry in entries)


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=_tell_moment)


def _tell_moment(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", write_lines([COLUMNS]), _write_csv),
    "jsonl": Format("application/jsonl", "", _write_json),
}
