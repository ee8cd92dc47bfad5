"""New ids for rows from another database: events and runs all move by one number, so that their
order and what they name stay; the few others get the next ones, and are remembered."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import Column, text

from app.archives.layout import MOVED, ArchiveError, Part
from app.extensions import is_sqlite, writing
from app.models import OTHER_STARTS


class Numbers:
    """From the ids in an archive to those here."""

    NAMED: ClassVar[frozenset[str]] = frozenset(
        {"workspaces", "workflows", "api_keys", "channels", "alert_rules"}
    )

    def __init__(self, spans: Mapping[str, Sequence[int]]) -> None:
        """`spans`: by table that moves, its lowest and its highest id in the archive."""
        self._spans = {name: (spans[name][0], spans[name][1]) for name in MOVED}
        self._shift: dict[str, int] = {}
        self._known: dict[str, dict[int, int]] = {name: {} for name in self.NAMED}

    def reserve(self) -> None:
        """Take numbers that nobody else will be given, also where this ends in nothing."""
        with writing() as session:
            for name, (low, high) in self._spans.items():
                reserve = _reserve_on_sqlite if is_sqlite() else _reserve_on_postgres
                self._shift[name] = reserve(session, name, high - low + 1) - low

    def note(self, table: str, old: int, new: int) -> None:
        self._known[table][old] = new

    def find(self, table: str, old: int) -> int:
        """Raises ArchiveError for a number that the manifest does not tell of."""
        new = self._find(table, old)
        if new is None:
            raise ArchiveError(f"{table}: number {old} is none of the archive's.")
        return new

    def translate(self, part: Part, column: Column[Any], target: str, old: int) -> int | None:
        """Where a row points to here; None for what is gone, where that may be. Raises
        ArchiveError."""
        new = self._find(target, old)
        if new is not None or column.nullable:
            return new
        low, high = self._spans.get(target, (0, -1))
        if target in MOVED and old <= high:  # What it names is long gone: below all that are left.
            return low - 1 + self._shift[target]
        raise ArchiveError(f"{part.name}: {column.name} {old} names nothing in the archive.")

    def translate_workflows(self, ids: Any) -> list[int]:
        """Those that a key is limited to."""
        known = self._known["workflows"]
        return [known[each] for each in ids if each in known] if isinstance(ids, list) else []

    def move_ranks(self, kept_from: Any) -> Any:
        """The ids of events in what a run remembers of those that told parts of it. They are
        compared, and lead to nothing."""
        if kept_from is None:
            return None
        try:
            return {name: self._move_rank(name, told) for name, told in kept_from.items()}
        except (AttributeError, TypeError, IndexError, ValueError) as error:
            raise ArchiveError("runs: kept_from is none that FlowPulse has written.") from error

    def _move_rank(self, name: str, told: list[Any]) -> list[Any]:
        shift = self._shift["events"]
        if name == OTHER_STARTS:
            return [[event_id + shift, at] for event_id, at in told]
        at, failed, event_id = told
        return [at, failed, event_id + shift]

    def _find(self, table: str, old: int) -> int | None:
        if table not in MOVED:
            return self._known[table].get(old)
        low, high = self._spans[table]
        return old + self._shift[table] if low <= old <= high else None


def _reserve_on_sqlite(session: Any, table: str, count: int) -> int:
    """The first of so many."""
    highest = session.execute(
        text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table}
    ).scalar()
    last = highest or 0
    known = "UPDATE sqlite_sequence SET seq = :seq WHERE name = :name"
    new = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"
    statement = text(new if highest is None else known)
    session.execute(statement, {"name": table, "seq": last + count})
    return int(last) + 1


def _reserve_on_postgres(session: Any, table: str, count: int) -> int:
    """While nobody inserts: a number is handed out before the row is there."""
    session.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
    sequence = {"name": table}
    first = session.execute(
        text("SELECT nextval(pg_get_serial_sequence(:name, 'id'))"), sequence
    ).scalar_one()
    session.execute(
        text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"),
        {**sequence, "last": first + count},
    )
    return int(first)
