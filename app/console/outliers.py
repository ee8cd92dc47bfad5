"""Runs that took far longer than is usual, which a chart of durations marks."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, func, select, text

from app.console.formatting import duration
from app.console.rollup_sums import is_one_of
from app.extensions import db, is_sqlite
from app.models import Rollup, Run, Workflow
from app.models.columns import sqlite_text
from app.processing.rollups import PERIOD_STARTS
from app.signs import show_signs
from app.sketches import ACCURACY, percentiles, unpack

OUTLIER_FACTOR = 2
"""A run is an outlier that took longer than so many times the p95."""
OUTLIERS_SHOWN = 40
USUAL_SHARE = 0.95
USUAL_DAYS = 7
"""What is usual for each workflow of a workspace is read from at most so many days."""
MOST_WORKFLOWS = 30
"""Of a workspace, the busiest."""
LEAST_RUNS = 20
"""With fewer, the longest run is the p95 itself."""
TAIL_RUNS, TAIL_SHARE = 10, 0.001
"""Where durations spread widely, only about so many of the longest, or this part of all."""
MOST_SEEN = 30_000
"""Of a workspace, all runs of a time are looked at where they are no more than that."""
MOST_READ = 200
"""Otherwise of each workflow its longest runs of any time: where it ran for much longer in the
past, those of today may not be among them."""
MAX_NAME = 40
"""Characters of a workflow's name beside a mark."""
_AMONG_ALL_SQLITE = """
SELECT runs.workflow_id, runs.ended_at, runs.duration_ms
FROM json_each(:limits) AS usual CROSS JOIN runs INDEXED BY ix_runs_workflow_id_ended_at
WHERE runs.workflow_id = json_extract(usual.value, '$[0]')
AND runs.ended_at >= :start AND runs.ended_at < :end
AND runs.duration_ms > json_extract(usual.value, '$[1]') AND NOT runs.is_test
"""
_AMONG_LONGEST_SQLITE = """
SELECT runs.workflow_id, runs.ended_at, runs.duration_ms
FROM json_each(:limits) AS usual CROSS JOIN runs ON runs.id IN (
  SELECT long.id FROM runs AS long INDEXED BY ix_runs_workflow_id_duration_ms
  WHERE long.workflow_id = json_extract(usual.value, '$[0]')
  AND long.duration_ms > json_extract(usual.value, '$[1]')
  ORDER BY long.duration_ms DESC LIMIT :most
)
WHERE runs.ended_at >= :start AND runs.ended_at < :end AND NOT runs.is_test
"""
_AMONG_ALL_POSTGRESQL = """
SELECT long.workflow_id, long.ended_at, long.duration_ms
FROM unnest(CAST(:ids AS bigint[]), CAST(:limits AS float8[])) AS usual (workflow_id, limit_ms)
JOIN runs AS long
ON long.workflow_id = usual.workflow_id AND long.duration_ms > usual.limit_ms
WHERE long.ended_at >= :start AND long.ended_at < :end AND NOT long.is_test
"""
_AMONG_LONGEST_POSTGRESQL = """
SELECT long.workflow_id, long.ended_at, long.duration_ms
FROM unnest(CAST(:ids AS bigint[]), CAST(:limits AS float8[])) AS usual (workflow_id, limit_ms)
CROSS JOIN LATERAL (
  SELECT * FROM runs
  WHERE runs.workflow_id = usual.workflow_id AND runs.duration_ms > usual.limit_ms
  ORDER BY runs.duration_ms DESC LIMIT :most
) AS long
WHERE long.ended_at >= :start AND long.ended_at < :end AND NOT long.is_test
"""
_ROLLUPS = cast(Table, Rollup.__table__)


class LongRun(NamedTuple):
    """When it ended and how long it took; `of` is its workflow's name where that is not clear."""

    ended_at: datetime
    took_ms: float
    of: str = ""


class Outliers(NamedTuple):
    """The runs longer than a limit (in a workspace, each workflow has its own): those that stand
    out most, and whether there are more."""

    limit_ms: float | None
    runs: Sequence[LongRun]
    has_more: bool


def find_outliers(workflow_id: int, limit_ms: float, start: datetime, end: datetime) -> Outliers:
    """The longest runs of the workflow that ended in this time and took longer than that."""
    query: Any = select(Run.ended_at, Run.duration_ms).where(
        Run.workflow_id == workflow_id,
        Run.duration_ms > limit_ms,
        Run.ended_at >= start,
        Run.ended_at < end,
        Run.is_test.is_(False),
    )
    rows = db.session.execute(query.order_by(Run.duration_ms.desc()).limit(OUTLIERS_SHOWN + 1))
    found = [LongRun(row[0], row[1] or 0.0) for row in rows]
    return Outliers(limit_ms, found[:OUTLIERS_SHOWN], len(found) > OUTLIERS_SHOWN)


def find_outliers_of_all(workspace_id: int, start: datetime, end: datetime) -> Outliers:
    """The runs of a workspace that took much longer than is usual for their own workflows."""
    limits = _read_limits(workspace_id, _choose_days(start, end))
    if not limits:
        return Outliers(None, (), False)
    rows = _find_longer(limits, start, end, among_all=_are_few(workspace_id, start, end))
    rows.sort(key=lambda row: -row[2] / limits[row[0]])
    shown = rows[:OUTLIERS_SHOWN]
    named = select(Workflow.id, Workflow.name).where(Workflow.id.in_({row[0] for row in shown}))
    names = {row[0]: row[1] for row in db.session.execute(named)} if shown else {}
    runs = [LongRun(row[1], row[2], names.get(row[0], "")) for row in shown]
    return Outliers(None, runs, len(rows) > len(shown))


def _are_few(workspace_id: int, start: datetime, end: datetime) -> bool:
    """Whether so few runs ended in this time that all of them can be looked at."""
    of_time = (Run.workspace_id == workspace_id) & (Run.ended_at >= start) & (Run.ended_at < end)
    some = select(Run.id).where(of_time).limit(MOST_SEEN + 1).subquery()
    return (db.session.scalar(select(func.count()).select_from(some)) or 0) <= MOST_SEEN


def _find_longer(
    limits: Mapping[int, float], start: datetime, end: datetime, *, among_all: bool
) -> list[Any]:
    """Workflow, end and duration of runs longer than their workflow's limit, workflow by workflow:
    among all runs of this time along the index of ends, or among the longest."""
    columns = (Run.workflow_id, Run.ended_at, Run.duration_ms)
    given: dict[str, Any] = {"start": start, "end": end}
    if not among_all:
        given["most"] = MOST_READ
    if is_sqlite():
        query = text(_AMONG_ALL_SQLITE if among_all else _AMONG_LONGEST_SQLITE)
        given["limits"] = json.dumps(list(limits.items()))
        given |= {name: sqlite_text(given[name]) for name in ("start", "end")}
    else:
        query = text(_AMONG_ALL_POSTGRESQL if among_all else _AMONG_LONGEST_POSTGRESQL)
        given |= {"ids": list(limits), "limits": list(limits.values())}
    return list(db.session.connection().execute(query.columns(*columns), given))


def _choose_days(start: datetime, end: datetime) -> list[datetime]:
    """Days of UTC: all of the time, or every so many of them, up to the last one."""
    first, last = PERIOD_STARTS["day"](start), PERIOD_STARTS["day"](end - timedelta.resolution)
    count = (last - first).days + 1
    step = -(-count // USUAL_DAYS)
    return [last - timedelta(days=number) for number in range(0, count, step)]


def _read_limits(workspace_id: int, days: list[datetime]) -> Mapping[int, float]:
    """From how many ms on a run stands out, by the workflow."""
    columns = _ROLLUPS.c
    of_days = (columns.period == "day") & is_one_of(columns.starts_at, days)
    mine = select(Workflow.id).where(Workflow.workspace_id == workspace_id)
    counted = func.sum(columns.timed_count)
    busiest = (
        select(columns.workflow_id, counted)
        .where(columns.workflow_id.in_(mine), of_days)
        .group_by(columns.workflow_id)
        .having(counted >= LEAST_RUNS)
        .order_by(counted.desc())
        .limit(MOST_WORKFLOWS)
    )
    connection = db.session.connection()
    counts = {row[0]: int(row[1]) for row in connection.execute(busiest)}
    sketches = dict.fromkeys(counts, 0)
    query = select(columns.workflow_id, columns.sketch)
    for workflow_id, packed in connection.execute(
        query.where(columns.workflow_id.in_(list(counts)), of_days)
    ):
        sketches[workflow_id] += unpack(packed)
    return {each: _limit_of(sketches[each], counts[each]) for each in counts}


def _limit_of(sketch: int, count: int) -> float:
    rest = 1 - max(TAIL_RUNS / count, TAIL_SHARE)
    usual_ms, tail_ms = percentiles(sketch, (USUAL_SHARE, max(rest, 0)))
    # Below the last bucket that counts: runs of the same length are all in or all out.
    return max(OUTLIER_FACTOR * (usual_ms or 0.0), (tail_ms or 0.0) * (1 - 2 * ACCURACY))


def place_outliers(
    outliers: Outliers | None, edges: Sequence[datetime], zone: tzinfo
) -> list[tuple[float, float, str]]:
    """Where each stands, in steps from the left; its duration; and what it says."""
    found = []
    for run in outliers.runs if outliers else ():
        step = next(number for number, edge in enumerate(edges[1:]) if run.ended_at < edge)
        share = (run.ended_at - edges[step]) / (edges[step + 1] - edges[step])
        local = run.ended_at.astimezone(zone)
        of = f"{show_signs(run.of[:MAX_NAME])}, " if run.of else ""
        title = f"{of}{local:%a} {local.day} {local:%b}, {local:%H:%M}: {duration(run.took_ms)}"
        found.append((step + share, run.took_ms, title))
    return found
