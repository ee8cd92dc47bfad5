"""What a database or a copy of it holds, as far as it can be counted and compared."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from app.models.partitioning import PARTITION

SQLITE, POSTGRESQL = "sqlite", "postgresql"
MAGIC = {SQLITE: b"SQLite format 3\0", POSTGRESQL: b"PGDMP"}
"""How the files of each kind begin."""
_NAME = re.compile("[a-z_0-9]+")


class BackupError(Exception):
    """A copy can't be made, or can't be used; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Rows and highest ids by table. Equal contents mean that nothing is missing in the copy."""

    revision: str | None = None
    """The newest migration; None in what is no FlowPulse's."""
    secret_mark: str | None = None
    """Whose secret key it needs; None where nobody has noted that yet."""
    rows: dict[str, int] = field(default_factory=dict)
    highest_ids: dict[str, int] = field(default_factory=dict)

    def differences(self, copy: "Contents") -> Iterator[str]:
        """In sentences, what a copy has otherwise."""
        if self.revision != copy.revision:
            yield f"it is at migration {copy.revision} instead of {self.revision}"
        yield from _compare("rows", self.rows, copy.rows)
        yield from _compare("as highest id", self.highest_ids, copy.highest_ids)


def _compare(what: str, wanted: Mapping[str, int], found: Mapping[str, int]) -> Iterator[str]:
    for table in sorted(wanted.keys() | found.keys()):
        if wanted.get(table, 0) != found.get(table, 0):
            yield f"{table} has {found.get(table, 0):,} {what} instead of {wanted.get(table, 0):,}"


def table_of(name: str) -> str:
    """The table that this one is a part of, or it itself."""
    return "events" if PARTITION.fullmatch(name) else name


def quote(name: str) -> str:
    """A table's name within a statement; all of ours are plain. Raises BackupError for others."""
    if not _NAME.fullmatch(name):
        raise BackupError(f"The table {name!r:.80} is none of FlowPulse's.")
    return f'"{name}"'
