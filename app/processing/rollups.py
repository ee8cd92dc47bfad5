"""Sums of runs by quarter, hour and day, kept in step with the runs in the same transaction."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, delete, select, text
from sqlalchemy.orm import Session

from app.extensions import is_sqlite
from app.models import Rollup, Workflow, Workspace, WorkspaceRollup
from app.models.columns import sqlite_text
from app.processing.many_rows import insert_rows, update_rows
from app.sketches import pack, sketch_of, unpack

PERIOD_STARTS: dict[str, Callable[[datetime], datetime]] = {
    "quarter": lambda at: at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0),
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "day": lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0),
}
"""Where each period that a moment in UTC falls into begins."""
QUARTERS_KEPT = timedelta(days=100)
"""Nothing is shown by quarters (or by days of a zone that needs them) from further back."""

_COUNTS = ("success_count", "failure_count", "timed_count", "duration_sum_ms")
_PERIOD = ("period", "starts_at")
_OWNERS: dict[Any, tuple[Table, Any]] = {
    "workflow_id": (cast(Table, Rollup.__table__), Workflow.id),
    "workspace_id": (cast(Table, WorkspaceRollup.__table__), Workspace.id),
}
"""The tables of sums, by the column that tells whose they are; locked in this order."""
_SKETCHES = {
    owner: text(
        f"SELECT asked.key, {table}.sketch FROM json_each(:keys) AS asked "  # noqa: S608
        f"CROSS JOIN {table} ON {owner} = asked.value ->> 0 AND period = asked.value ->> 1 "
        "AND starts_at = asked.value ->> 2"
    )
    for owner, (table, _) in _OWNERS.items()
}
"""On SQLite: each asked-for period's place in the list, and its sketch, where there is one."""

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
    for each other; and merge the sketches with those that were there before."""
    added = {key: sums for key, sums in sorted(totals.items()) if any(sums)}
    if added:
        (_upsert_alone if is_sqlite() else _upsert_beside_others)(session, owner, added)


def _upsert_alone(session: Session, owner: str, added: Mapping[Key, Sums]) -> None:
    """Where nobody else writes, the sketches are read first."""
    keys = [(owner_id, period, sqlite_text(start)) for owner_id, period, start in added]
    found = session.connection().execute(_SKETCHES[owner], {"keys": json.dumps(keys)})
    before = {place: unpack(sketch) for place, sketch in found}
    rows = [
        _row(owner, key, sums, before.get(place, 0) + sums.sketch)
        for place, (key, sums) in enumerate(added.items())
    ]
    insert_rows(session, _OWNERS[owner][0], rows, _add_to_row_and_set_sketch)


def _upsert_beside_others(session: Session, owner: str, added: Mapping[Key, Sums]) -> None:
    """Where others write, what was there before is known once the row is locked."""
    table, _ = _OWNERS[owner]
    rows = [_row(owner, key, sums, sums.sketch) for key, sums in added.items()]
    merged = [
        {owner: key[0], "period": key[1], "starts_at": key[2], "sketch": pack(sketch)}
        for *key, successes, failures, timed, _, before in insert_rows(
            session, table, rows, _add_to_row
        )
        for sums in [added[(key[0], key[1], key[2])]]
        # A row that has just been made holds its sketch already.
        if (successes, failures, timed) != sums[:3] or before != pack(sums.sketch)
        for sketch in [unpack(before) + sums.sketch]
    ]
    if merged:
        update_rows(session, table, (owner, *_PERIOD), merged, {})


def _row(owner: str, key: Key, sums: Sums, sketch: int) -> dict[str, Any]:
    counts = zip(_COUNTS, sums[:-1], strict=True)
    return {
        **dict(zip((owner, *_PERIOD), key, strict=True)),
        **dict(counts),
        "sketch": pack(sketch),
    }


def _add_to_row(insert: Any) -> Any:
    """Adds the counts to the row that is there; returns each row as it is then."""
    return _add_counts(insert).returning(*insert.table.c)


def _add_to_row_and_set_sketch(insert: Any) -> Any:
    return _add_counts(insert, sketch=insert.excluded.sketch)


def _add_counts(insert: Any, **more: Any) -> Any:
    table = insert.table
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={**{name: table.c[name] + insert.excluded[name] for name in _COUNTS}, **more},
    )
