"""Sums of runs over any times that begin and end at a quarter of an hour, from few rows."""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Select,
    Table,
    func,
    literal,
    null,
    select,
    text,
)

from app.extensions import db, is_sqlite
from app.models import Rollup, WorkspaceRollup
from app.processing.rollups import PERIOD_STARTS
from app.sketches import percentiles, unpack

SHARES = (0.5, 0.95)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_WORKFLOWS = cast(Table, Rollup.__table__)
_WORKSPACES = cast(Table, WorkspaceRollup.__table__)
_QUARTERS = tuple(timedelta(minutes=minutes) for minutes in (0, 15, 30, 45))


class Owner(NamedTuple):
    """Whose runs are summed up: the table of sums, and the condition for its rows."""

    table: Table
    condition: ColumnElement[bool]


def of_workflow(workflow_id: int) -> Owner:
    return Owner(_WORKFLOWS, _WORKFLOWS.c.workflow_id == workflow_id)


def of_workspace(workspace_id: int) -> Owner:
    return Owner(_WORKSPACES, _WORKSPACES.c.workspace_id == workspace_id)


class Sum(NamedTuple):
    """What ran in some time: counts, and the sketch of the durations."""

    successes: int = 0
    failures: int = 0
    sketch: int = 0

    @property
    def runs(self) -> int:
        return self.successes + self.failures

    @property
    def success_rate(self) -> float | None:
        """Between 0 and 1; None without a run."""
        return self.successes / self.runs if self.runs else None

    @property
    def percentiles(self) -> list[float | None]:
        """p50 and p95 of the durations in ms; None without any."""
        return percentiles(self.sketch, SHARES)

    def plus(self, other: "Sum") -> "Sum":
        return Sum(*(a + b for a, b in zip(self, other, strict=True)))


def read_sums(owner: Owner, edges: Sequence[datetime], *, with_durations: bool = True) -> list[Sum]:
    """The sums of each time from one edge to the next."""
    totals = [[0, 0, 0] for _ in edges[1:]]
    place = 0
    for start, successes, failures, packed in sorted(
        _read_rows(owner, edges, with_durations), key=lambda row: row[0]
    ):
        while start >= edges[place + 1]:
            place += 1
        total = totals[place]
        total[0] += successes
        total[1] += failures
        total[2] += unpack(packed)
    return [Sum(*total) for total in totals]


def _read_rows(owner: Owner, edges: Sequence[datetime], with_durations: bool) -> list[Any]:
    """Rows of which none lies on both sides of an edge: days, or hours with quarters for those
    hours that an edge cuts."""
    columns = owner.table.c
    counts = (columns.starts_at, columns.success_count, columns.failure_count)
    query = select(*counts, columns.sketch if with_durations else null()).where(owner.condition)
    inside = (columns.starts_at >= edges[0]) & (columns.starts_at < edges[-1])

    def rows(period: str, condition: ColumnElement[bool]) -> list[Any]:
        return _fetch(query.where(columns.period == period, condition))

    if all(_is_start("day", edge) for edge in edges):
        return rows("day", inside)
    cut = {PERIOD_STARTS["hour"](edge) for edge in edges if not _is_start("hour", edge)}
    if not cut:
        return rows("hour", inside)
    if len(cut) > len(edges) // 2 and edges[-1] - edges[0] < len(edges) * DAY / 2:
        return rows("quarter", inside)
    quarters = [hour + quarter for hour in sorted(cut) for quarter in _QUARTERS]
    whole = [row for row in rows("hour", inside) if row[0] not in cut]
    return whole + rows("quarter", inside & _is_one_of(columns.starts_at, quarters))


def _is_one_of(column: ColumnElement[datetime], moments: list[datetime]) -> ColumnElement[bool]:
    """As one parameter: to send hundreds of them takes longer than to find their rows."""
    if is_sqlite():
        texts = json.dumps([f"{moment:%Y-%m-%d %H:%M:%S.%f}" for moment in moments])
        listed = text("(SELECT value FROM json_each(:moments))").bindparams(moments=texts)
        return column.bool_op("IN")(listed)
    return column == func.any(literal(moments, ARRAY(DateTime(timezone=True))))


def _fetch(query: Select[Any]) -> list[Any]:
    """Without the ORM: thousands of rows, of which it would make no objects anyway."""
    return list(db.session.connection().execute(query))


def _is_start(period: str, moment: datetime) -> bool:
    return PERIOD_STARTS[period](moment) == moment


def count_workflows(
    workflow_ids: Collection[int], start: datetime, end: datetime
) -> dict[int, Sum]:
    """What ran from `start` to `end`, by the workflow's id, without durations; most is added up by
    the database."""
    columns = _WORKFLOWS.c
    counts = (func.sum(columns.success_count), func.sum(columns.failure_count))
    query = select(columns.workflow_id, *counts).group_by(columns.workflow_id)
    totals = dict.fromkeys(workflow_ids, Sum())
    for row in _of_workflows(query, workflow_ids, start, end):
        totals[row[0]] = totals[row[0]].plus(Sum(int(row[1]), int(row[2])))
    return totals


def merge_durations(
    workflow_ids: Collection[int], start: datetime, end: datetime
) -> dict[int, int]:
    """The sketches of what ran from `start` to `end`, by the workflow's id."""
    query = select(_WORKFLOWS.c.workflow_id, _WORKFLOWS.c.sketch)
    totals = dict.fromkeys(workflow_ids, 0)
    for workflow_id, packed in _of_workflows(query, workflow_ids, start, end):
        totals[workflow_id] += unpack(packed)
    return totals


def _of_workflows(
    query: Select[Any], workflow_ids: Collection[int], start: datetime, end: datetime
) -> Iterator[Any]:
    columns = _WORKFLOWS.c
    for period, low, high in cover(start, end):
        inside = (columns.starts_at >= low) & (columns.starts_at < high)
        mine = columns.workflow_id.in_(workflow_ids)
        yield from _fetch(query.where(mine, columns.period == period, inside))


def cover(start: datetime, end: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """The time in the largest whole periods: quarters, hours, days, hours, quarters."""
    first_hour, last_hour = _ceil("hour", start, HOUR), PERIOD_STARTS["hour"](end)
    if first_hour >= last_hour:
        yield "quarter", start, end
        return
    first_day, last_day = _ceil("day", first_hour, DAY), PERIOD_STARTS["day"](last_hour)
    if first_day >= last_day:
        first_day = last_day = last_hour
    for period, low, high in (
        ("quarter", start, first_hour),
        ("hour", first_hour, first_day),
        ("day", first_day, last_day),
        ("hour", last_day, last_hour),
        ("quarter", last_hour, end),
    ):
        if low < high:
            yield period, low, high


def _ceil(period: str, moment: datetime, length: timedelta) -> datetime:
    start = PERIOD_STARTS[period](moment)
    return start if start == moment else start + length
