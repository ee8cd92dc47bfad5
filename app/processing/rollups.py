"""Hourly and daily sums of runs, kept in step with the runs in the same transaction."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.models import Rollup

INSERTS: dict[str, Callable[..., Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
PERIOD_STARTS: dict[str, Callable[[datetime], datetime]] = {
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "day": lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0),
}
"""Where each period that a moment in UTC falls into begins."""

_SUMS = ("success_count", "failure_count", "timed_count", "duration_sum_ms")


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one run adds to its hour and its day; `sign` is -1 to take it back."""

    workflow_id: int
    ended_at: datetime
    outcome: str
    duration_ms: float | None
    sign: int

    @classmethod
    def list_of(cls, run: Mapping[str, Any], sign: int = 1) -> list["Contribution"]:
        """What the run adds: nothing, where it is a test or still open."""
        if run["is_test"] or run["ended_at"] is None:
            return []
        ended_at = run["ended_at"].astimezone(UTC)
        return [cls(run["workflow_id"], ended_at, run["outcome"], run["duration_ms"], sign)]

    def sums(self) -> tuple[float, ...]:
        """In the order of the table's columns."""
        timed = self.duration_ms is not None
        return (
            self.sign * (self.outcome == "success"),
            self.sign * (self.outcome == "failure"),
            self.sign * timed,
            self.sign * (self.duration_ms or 0.0),
        )


def add_up(session: Session, contributions: Iterable[Contribution]) -> None:
    """Add the contributions to the rollups, rows in one order so that two workers can't lock."""
    totals: dict[tuple[int, str, datetime], tuple[float, ...]] = {}
    for contribution in contributions:
        for period, start_of in PERIOD_STARTS.items():
            key = (contribution.workflow_id, period, start_of(contribution.ended_at))
            before = totals.get(key, (0.0,) * len(_SUMS))
            totals[key] = tuple(a + b for a, b in zip(before, contribution.sums(), strict=True))
    rows = [
        {"workflow_id": workflow, "period": period, "starts_at": start}
        | dict(zip(_SUMS, sums, strict=True))
        for (workflow, period, start), sums in sorted(totals.items())
        if any(sums)
    ]
    if rows:
        _upsert(session, rows)


def _upsert(session: Session, rows: list[dict[str, Any]]) -> None:
    table = Rollup.__table__
    insert = INSERTS[session.get_bind().dialect.name](table)
    statement = insert.on_conflict_do_update(
        index_elements=["workflow_id", "period", "starts_at"],
        set_={name: table.c[name] + insert.excluded[name] for name in _SUMS},
    )
    session.connection().execute(statement, rows)
