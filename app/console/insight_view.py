"""What the charts of a workflow or a workspace show: numbers, words and shapes."""

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from app.clock import now
from app.console.charts import (
    LEVELS,
    Calendar,
    Plot,
    draw_bars,
    draw_calendar,
    draw_durations,
    draw_rate,
)
from app.console.formatting import duration, plural, rate
from app.console.last_runs import STRIP_LENGTH, LastRun
from app.console.outliers import (
    OUTLIER_FACTOR,
    Outliers,
    find_outliers,
    find_outliers_of_all,
    place_outliers,
)
from app.console.ranges import CALENDAR_DAYS, RANGES, Range, day_edges
from app.console.reader import chart_zone
from app.console.rollup_sums import Owner, Sum, of_workflow, of_workspace, read_sums
from app.console.workflow_health import Bars, draw_strip, strip_in_words
from app.extensions import db
from app.models import Run

FindOutliers = Callable[[float, datetime, datetime], Outliers]
"""By the p95 of all in ms, from when and until when."""
LEGEND = [(name, words) for name, words, _ in LEVELS]


class Point(NamedTuple):
    """A step of the chosen range, with what ran in it."""

    name: str
    sum: Sum
    median_ms: float | None
    high_ms: float | None


class Insights(NamedTuple):
    """All charts of one page; `points` are those with runs, for the table."""

    range_name: str
    zone_name: str
    step: str
    total: Sum
    median_ms: float | None
    high_ms: float | None
    points: list[Point]
    runs: Plot
    rates: Plot
    durations: Plot
    outliers: Outliers | None
    longest: dict[str, float]
    calendar: Calendar
    days: list[tuple[str, Sum]]
    days_in_words: str
    strip: list[Bars]
    strip_in_words: str
    start: datetime
    end: datetime


def look_at_workflow(workflow_id: int, range_name: str) -> Insights:
    mine = Run.workflow_id == workflow_id

    def find(high_ms: float, start: datetime, end: datetime) -> Outliers:
        return find_outliers(workflow_id, OUTLIER_FACTOR * high_ms, start, end)

    return _look(of_workflow(workflow_id), mine, range_name, find)


def look_at_workspace(workspace_id: int, range_name: str) -> Insights:
    mine = Run.workspace_id == workspace_id

    def find(high_ms: float, start: datetime, end: datetime) -> Outliers:
        """What is long for one workflow is usual for another: each has its own limit."""
        return find_outliers_of_all(workspace_id, start, end)

    return _look(of_workspace(workspace_id), mine, range_name, find)


def _look(owner: Owner, mine: ColumnElement[bool], range_name: str, find: FindOutliers) -> Insights:
    at, (zone_name, zone) = now(), chart_zone()
    wanted = RANGES[range_name]
    edges = wanted.edges(at, zone)
    sums = read_sums(owner, edges)
    total = Sum()
    for each in sums:
        total = total.plus(each)
    median_ms, high_ms = total.percentiles
    points = [
        Point(_name(wanted.step, start, zone), each, *(each.percentiles))
        for start, each in zip(edges, sums, strict=False)
    ]
    marks = wanted.marks(edges[:-1], zone)
    outliers = find(high_ms, edges[0], edges[-1]) if high_ms else None
    placed = place_outliers(outliers, edges, zone)
    days = day_edges(CALENDAR_DAYS, at, zone)
    daily = sums if edges == days else read_sums(owner, days, with_durations=False)
    dates = [each.astimezone(zone).date() for each in days[:-1]]
    last = _last_runs(mine)
    return Insights(
        range_name=range_name,
        zone_name=zone_name,
        step=wanted.step,
        total=total,
        median_ms=median_ms,
        high_ms=high_ms,
        points=[point for point in points if point.sum.runs],
        runs=_draw_runs(points, marks, wanted),
        rates=draw_rate(
            f"Success rate by {wanted.step}: {rate(total.success_rate)} over {wanted.label}",
            [point.sum.success_rate for point in points],
            marks,
        ),
        durations=draw_durations(
            f"Duration by {wanted.step}: half of the runs took up to {duration(median_ms)}, "
            f"95 % up to {duration(high_ms)}",
            [point.median_ms for point in points],
            [point.high_ms for point in points],
            marks,
            placed,
            [f"{point.name}: 95 % took up to {duration(point.high_ms)}" for point in points],
        ),
        outliers=outliers,
        longest=_longest(placed, points),
        calendar=draw_calendar(
            f"The last {CALENDAR_DAYS} days: {_count_days(daily)}",
            dates,
            [each[:2] for each in daily],
        ),
        days=[
            (_name("day", start, zone), each)
            for start, each in zip(days, daily, strict=False)
            if each.runs
        ],
        days_in_words=_count_days(daily),
        strip=draw_strip(last, at),
        strip_in_words=strip_in_words(last),
        start=edges[0],
        end=edges[-1],
    )


def _draw_runs(points: Sequence[Point], marks: list[tuple[int, str]], wanted: Range) -> Plot:
    successes = [point.sum.successes for point in points]
    failures = [point.sum.failures for point in points]
    label = f"Runs by {wanted.step} over {wanted.label}: {sum(successes):,} succeeded, "
    titles = [
        f"{point.name}: {_count_outcomes(point.sum)}" if point.sum.runs else "" for point in points
    ]
    return draw_bars(f"{label}{sum(failures):,} failed", successes, failures, marks, titles)


def _count_outcomes(found: Sum) -> str:
    """Without what there is none of."""
    counts = ((found.successes, "succeeded"), (found.failures, "failed"))
    return ", ".join(f"{count:,} {outcome}" for count, outcome in counts if count)


def _name(step: str, start: datetime, zone: tzinfo) -> str:
    """`Tue 24 Nov`, and for an hour `Tue 24 Nov, 10:00`."""
    local = start.astimezone(zone)
    day = f"{local:%a} {local.day} {local:%b}"
    return f"{day}, {local:%H:%M}" if step == "hour" else day


def _count_days(daily: Sequence[Sum]) -> str:
    busy = [each for each in daily if each.runs]
    failed = sum(bool(each.failures) for each in busy)
    return f"{plural(len(busy), 'day')} with runs, {failed:,} of them with failures"


def _last_runs(mine: ColumnElement[bool]) -> list[LastRun]:
    """The oldest first."""
    query: Any = select(Run.outcome, Run.ended_at, Run.duration_ms, Run.id).where(
        mine, Run.is_test.is_(False), Run.ended_at.is_not(None)
    )
    newest = query.order_by(Run.ended_at.desc(), Run.id.desc()).limit(STRIP_LENGTH)
    rows = db.session.execute(newest).all()
    return [LastRun(*row) for row in reversed(rows)]


def _longest(
    placed: Sequence[tuple[float, float, str]], points: Sequence[Point]
) -> dict[str, float]:
    """The longest outlier of each step that has one, in ms by the step's name."""
    by_length = sorted(placed, key=lambda each: each[1])
    return {points[int(place)].name: took_ms for place, took_ms, _ in by_length}
