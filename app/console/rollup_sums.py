"""Sums of runs over any times that begin and end at a quarter of an hour, from few rows."""

import json
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
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
from app.models.columns import sqlite_text
from app.processing.rollups import PERIOD_STARTS
from app.sketches import percentiles, unpack

SHARES = (0.5, 0.95)
HOUR, HALF_A_DAY, DAY = timedelta(hours=1), timedelta(hours=12), timedelta(days=1)
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
        return Sum(
            self.successes + other.successes,
            self.failures + other.failures,
            self.sketch + other.sketch,
        )

    def minus(self, other: "Sum") -> "Sum":
        return self.plus(Sum(-other.successes, -other.failures, -other.sketch))


def read_sums(owner: Owner, edges: Sequence[datetime], *, with_durations: bool = True) -> list[Sum]:
    """The sums of each time from one edge to the next."""
    if not _are_days_apart(edges):
        return _read_steps(owner, edges, with_durations)
    return _read_days(owner, edges, with_durations)


def _read_steps(owner: Owner, edges: Sequence[datetime], with_durations: bool) -> list[Sum]:
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


def _read_rows(owner: Owner, edges: Sequence[datetime], with_durations: bool) -> Sequence[Any]:
    """Rows of which none lies on both sides of an edge: hours, with quarters for those hours
    that an edge cuts."""
    columns, query = owner.table.c, _query(owner, with_durations)
    inside = (columns.starts_at >= edges[0]) & (columns.starts_at < edges[-1])

    def rows(period: str, condition: ColumnElement[bool]) -> Sequence[Any]:
        return _fetch(query.where(columns.period == period, condition))

    cut = {PERIOD_STARTS["hour"](edge) for edge in edges if not _is_start("hour", edge)}
    if not cut:
        return rows("hour", inside)
    if len(cut) > len(edges) // 2 and edges[-1] - edges[0] < len(edges) * DAY / 2:
        return rows("quarter", inside)
    quarters = [hour + quarter for hour in sorted(cut) for quarter in _QUARTERS]
    whole = [row for row in rows("hour", inside) if row[0] not in cut]
    return [*whole, *rows("quarter", inside & is_one_of(columns.starts_at, quarters))]


def _query(owner: Owner, with_durations: bool) -> Select[Any]:
    columns = owner.table.c
    counts = (columns.starts_at, columns.success_count, columns.failure_count)
    return select(*counts, columns.sketch if with_durations else null()).where(owner.condition)


def _are_days_apart(edges: Sequence[datetime]) -> bool:
    return all(late - early > HALF_A_DAY for early, late in pairwise(edges))


def _read_days(owner: Owner, edges: Sequence[datetime], with_durations: bool) -> list[Sum]:
    """A day of any zone is a day of UTC, with what lies between the edges of the one and of the
    other added or taken off: few rows for days that begin an hour or a few beside UTC's."""
    columns, query = owner.table.c, _query(owner, with_durations)
    nearest = [_nearest_day(edge) for edge in edges]
    totals = [Sum() for _ in edges]
    inside = (columns.starts_at >= nearest[0]) & (columns.starts_at < nearest[-1])
    for start, successes, failures, packed in _fetch(query.where(columns.period == "day", inside)):
        place = bisect_right(nearest, start) - 1
        totals[place] = totals[place].plus(Sum(successes, failures, unpack(packed)))
    for period, parts in _parts_beside(edges, nearest).items():
        condition = is_one_of(columns.starts_at, list(parts))
        for start, successes, failures, packed in _fetch(
            query.where(columns.period == period, condition)
        ):
            place, is_before = parts[start]
            beside = Sum(successes, failures, unpack(packed))
            less, more = (place, place - 1) if is_before else (place - 1, place)
            totals[more] = totals[more].plus(beside)
            totals[less] = totals[less].minus(beside)
    return totals[:-1]


def _nearest_day(moment: datetime) -> datetime:
    start = PERIOD_STARTS["day"](moment)
    return start if moment - start <= HALF_A_DAY else start + DAY


def _parts_beside(
    edges: Sequence[datetime], nearest: Sequence[datetime]
) -> dict[str, dict[datetime, tuple[int, bool]]]:
    """The hours and quarters between each edge and the day of UTC that is nearest: by their start
    the number of the edge, and whether they lie before it."""
    lengths = {"hour": HOUR, "quarter": _QUARTERS[1]}
    found: dict[str, dict[datetime, tuple[int, bool]]] = {}
    for number, (edge, day) in enumerate(zip(edges, nearest, strict=True)):
        for period, low, high in cover(min(edge, day), max(edge, day)) if edge != day else ():
            length = lengths[period]
            for step in range((high - low) // length):
                found.setdefault(period, {})[low + step * length] = number, day < edge
    return found


def is_one_of(column: ColumnElement[datetime], moments: list[datetime]) -> ColumnElement[bool]:
    """As one parameter: to send hundreds of them takes longer than to find their rows."""
    if is_sqlite():
        texts = json.dumps([sqlite_text(moment) for moment in moments])
        listed = text("(SELECT value FROM json_each(:moments))").bindparams(moments=texts)
        return column.bool_op("IN")(listed)
    return column == func.any(literal(moments, ARRAY(DateTime(timezone=True))))


def _fetch(query: Select[Any]) -> Sequence[Any]:
    """Without the ORM: thousands of rows, of which it would make no objects anyway."""
    return db.session.connection().execute(query).all()


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
