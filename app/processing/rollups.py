"""Sums of runs by quarter, hour and day, kept in step with the runs in the same transaction."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.models import Rollup, Workflow, Workspace, WorkspaceRollup
from app.sketches import pack, sketch_of, unpack

INSERTS: dict[str, Callable[..., Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
PERIOD_STARTS: dict[str, Callable[[datetime], datetime]] = {
    "quarter": lambda at: at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0),
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "day": lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0),
}
"""Where each period that a moment in UTC falls into begins."""
QUARTERS_KEPT = timedelta(days=100)
"""Nothing is shown by quarters (or by days of a zone that needs them) from further back."""

_COUNTS = ("success_count", "failure_count", "timed_count", "duration_sum_ms")
_OWNERS: dict[Any, tuple[Table, Any]] = {
    "workflow_id": (cast(Table, Rollup.__table__), Workflow.id),
    "workspace_id": (cast(Table, WorkspaceRollup.__table__), Workspace.id),
}
"""The tables of sums, by the column that tells whose they are; locked in this order."""

Key = tuple[int, str, datetime]
"""Whose sums: the owner's id, the period, and its start."""


class Sums(NamedTuple):
    """What runs add to each period that they fall into; of what is taken back, less than nothing.

    The first four are in the order of the tables' columns.
    """

    successes: int = 0
    failures: int = 0
    timed: int = 0
    duration_ms: float = 0.0
    sketch: int = 0

    def plus(self, other: "Sums", sign: int = 1) -> "Sums":
        return Sums(
            self.successes + sign * other.successes,
            self.failures + sign * other.failures,
            self.timed + sign * other.timed,
            self.duration_ms + sign * other.duration_ms,
            self.sketch + sign * other.sketch,
        )


NOTHING = Sums()


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one run adds to its periods; `sign` is -1 to take it back."""

    workspace_id: int
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
        owners = run["workspace_id"], run["workflow_id"]
        return [cls(*owners, ended_at, run["outcome"], run["duration_ms"], sign)]

    @property
    def sums(self) -> Sums:
        return Sums(
            self.sign * (self.outcome == "success"),
            self.sign * (self.outcome == "failure"),
            self.sign * (self.duration_ms is not None),
            self.sign * (self.duration_ms or 0.0),
            self.sign * sketch_of(self.duration_ms),
        )


def add_up(session: Session, contributions: Iterable[Contribution], now: datetime) -> None:
    """Add the contributions to the sums of their workflows and workspaces."""
    by_quarter: dict[tuple[int, int, datetime], Sums] = {}
    for each in contributions:
        quarter = PERIOD_STARTS["quarter"](each.ended_at)
        key = (each.workspace_id, each.workflow_id, quarter)
        by_quarter[key] = by_quarter.get(key, NOTHING).plus(each.sums)
    of_workflows: dict[Key, Sums] = {}
    of_workspaces: dict[Key, Sums] = {}
    for (workspace_id, workflow_id, quarter), sums in by_quarter.items():
        for period, start_of in PERIOD_STARTS.items():
            if period != "quarter" or quarter >= now - QUARTERS_KEPT:
                start = start_of(quarter)
                _add(of_workflows, (workflow_id, period, start), sums)
                _add(of_workspaces, (workspace_id, period, start), sums)
    _upsert(session, "workflow_id", of_workflows)
    _upsert(session, "workspace_id", of_workspaces)


def take_back_workflows(session: Session, workspace_id: int, workflow_ids: Iterable[int]) -> None:
    """Take all that these workflows have added from their workspace, before they are removed."""
    totals: dict[Key, Sums] = {}
    query = select(Rollup).where(Rollup.workflow_id.in_(list(workflow_ids)))
    for row in session.scalars(query):
        counts = row.success_count, row.failure_count, row.timed_count, row.duration_sum_ms
        key = (workspace_id, row.period, row.starts_at)
        totals[key] = totals.get(key, NOTHING).plus(Sums(*counts, unpack(row.sketch)), -1)
    _upsert(session, "workspace_id", totals)
    session.execute(
        delete(WorkspaceRollup).where(
            WorkspaceRollup.workspace_id == workspace_id,
            WorkspaceRollup.success_count == 0,
            WorkspaceRollup.failure_count == 0,
        )
    )


def is_past_quarter(table: type[Rollup] | type[WorkspaceRollup], now: datetime) -> Any:
    """The condition of quarters that nothing is shown of any more; a day later than none is added.

    With the owners named, SQLite looks at each one's oldest quarters and not through all sums.
    """
    owner, owner_id = (
        (Rollup.workflow_id, Workflow.id)
        if table is Rollup
        else (WorkspaceRollup.workspace_id, Workspace.id)
    )
    before = now - QUARTERS_KEPT - timedelta(days=1)
    return owner.in_(select(owner_id)) & (table.period == "quarter") & (table.starts_at < before)


def _add(totals: dict[Key, Sums], key: Key, sums: Sums) -> None:
    totals[key] = totals[key].plus(sums) if key in totals else sums


def _upsert(session: Session, owner: str, totals: Mapping[Key, Sums]) -> None:
    """Add the totals to their rows, which stay locked, in one order so that no two workers wait
    for each other; then merge the sketches of those that were there before."""
    added = {key: sums for key, sums in sorted(totals.items()) if any(sums)}
    if not added:
        return
    table, _ = _OWNERS[owner]
    key_columns = (owner, "period", "starts_at")
    rows = [
        {
            **dict(zip(key_columns, key, strict=True)),
            **dict(zip(_COUNTS, sums[:-1], strict=True)),
            "sketch": pack(sums.sketch),
        }
        for key, sums in added.items()
    ]
    insert = INSERTS[session.get_bind().dialect.name](table)
    statement = insert.on_conflict_do_update(
        index_elements=key_columns,
        set_={name: table.c[name] + insert.excluded[name] for name in _COUNTS},
    ).returning(*(table.c[name] for name in (*key_columns, *_COUNTS, "sketch")))
    merged = [
        {"of_owner": key[0], "of_period": key[1], "of_start": key[2], "merged": pack(sketch)}
        for *key, successes, failures, timed, _, before in session.connection().execute(
            statement, rows
        )
        for sums in [added[(key[0], key[1], key[2])]]
        # A row that has just been made holds its sketch already.
        if (successes, failures, timed) != sums[:3] or before != pack(sums.sketch)
        for sketch in [unpack(before) + sums.sketch]
    ]
    if merged:
        session.connection().execute(_set_sketch(table, owner), merged)


def _set_sketch(table: Table, owner: str) -> Any:
    return (
        update(table)
        .where(
            table.c[owner] == bindparam("of_owner"),
            table.c.period == bindparam("of_period"),
            table.c.starts_at == bindparam("of_start"),
        )
        .values(sketch=bindparam("merged"))
    )
