"""What the rollups say, and what they must say."""

from datetime import datetime

from sqlalchemy import select

from app.extensions import db
from app.models import Rollup, Run, WorkspaceRollup
from app.processing.rollups import PERIOD_STARTS

Sums = dict[tuple[str, datetime], tuple[int, int, int, float]]
Rows = dict[tuple[str, datetime], tuple[int, int, int, float, bytes]]


def runs() -> list[Run]:
    return list(db.session.scalars(select(Run).order_by(Run.id)))


def sums_from_runs() -> Sums:
    """What the rollups must say, from the runs themselves."""
    sums: dict[tuple[str, datetime], list[float]] = {}
    for run in runs():
        hour = run.ended_at.replace(minute=0, second=0, microsecond=0)
        for key in (("hour", hour), ("day", hour.replace(hour=0))):
            _add_run(sums.setdefault(key, [0, 0, 0, 0.0]), run)
    return _rounded(sums)


def quarters_from_runs(since: datetime) -> Sums:
    """As `sums_from_runs`, of the quarters that begin then or later."""
    sums: dict[tuple[str, datetime], list[float]] = {}
    for run in runs():
        starts_at = PERIOD_STARTS["quarter"](run.ended_at)
        if starts_at >= since:
            _add_run(sums.setdefault(("quarter", starts_at), [0, 0, 0, 0.0]), run)
    return _rounded(sums)


def quarters_from_rollups(since: datetime) -> Sums:
    """What the rollups say of these quarters; older ones are not kept."""
    db.session.expire_all()
    sums: dict[tuple[str, datetime], list[float]] = {}
    wanted = (Rollup.period == "quarter") & (Rollup.starts_at >= since)
    for row in db.session.scalars(select(Rollup).where(wanted)):
        if row.success_count or row.failure_count:
            _add_row(sums.setdefault((row.period, row.starts_at), [0, 0, 0, 0.0]), row)
    return _rounded(sums)


def sums_from_rollups() -> Sums:
    """What they say together: successes, failures, timed runs and their milliseconds."""
    db.session.expire_all()
    sums: dict[tuple[str, datetime], list[float]] = {}
    for row in db.session.scalars(select(Rollup)):
        if row.period != "quarter" and (row.success_count or row.failure_count):
            _add_row(sums.setdefault((row.period, row.starts_at), [0, 0, 0, 0.0]), row)
    return _rounded(sums)


def rows(table: type[Rollup] | type[WorkspaceRollup]) -> Rows:
    """All that says something, whosoever it is; the sums as above, and the sketch."""
    db.session.expire_all()
    return {
        (row.period, row.starts_at): (
            row.success_count,
            row.failure_count,
            row.timed_count,
            round(row.duration_sum_ms, 6),
            row.sketch or b"",
        )
        for row in db.session.scalars(select(table))
        if row.success_count or row.failure_count
    }


def _add_run(sums: list[float], run: Run) -> None:
    sums[0] += run.outcome == "success"
    sums[1] += run.outcome == "failure"
    sums[2] += run.duration_ms is not None
    sums[3] += run.duration_ms or 0.0


def _add_row(sums: list[float], row: Rollup) -> None:
    counts = (row.success_count, row.failure_count, row.timed_count, row.duration_sum_ms)
    sums[:] = (former + more for former, more in zip(sums, counts, strict=True))


def _rounded(sums: dict[tuple[str, datetime], list[float]]) -> Sums:
    return {key: (int(a), int(b), int(c), round(d, 6)) for key, (a, b, c, d) in sums.items()}
