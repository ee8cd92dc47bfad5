"""The newest runs of workflows, as far back as rules look, kept in memory from batch to batch.

To read a thousand runs of each workflow for each batch took most of a worker's time. What is kept
is used only while the sums of the workflow's days are what they must be if nobody else has written
runs of it since: any number of workers may run at once, and a batch that fails leaves no trace.
What the sums can't tell (another worker moved the end of a run within its day) is believed for
MOST_AGE at most.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isclose
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, bindparam, func, select
from sqlalchemy.orm import Session

from app.alerting.kinds import Past
from app.alerting.verdicts import SeenRun
from app.models import Rollup, Run, told_before_its_end

MOST_AGE = timedelta(minutes=5)
MOST_KEPT = 50_000
"""Runs in all, about 15 MB."""
MARGIN, MARGIN_OF_TIME = 300, timedelta(hours=1)
"""What is read beyond what is asked for, as the next batch may tell of runs a little older."""
MOST_LATER = 2_000
"""Known runs after one that is new; with more it is history, and judged no more."""
DAYS_COMPARED = timedelta(days=9)
"""Further back no rule's window reaches, not even from a run that is told of a day late."""
_COLUMNS = cast(Table, Run.__table__).c
_BEGINNING = datetime.min.replace(tzinfo=UTC)

Sums = tuple[int, int, int, float]
"""Successes, failures, runs with a duration, and their durations in ms."""


@dataclass(slots=True)
class Kept:
    """A workflow's runs in the order of time: all that ended after `floor`."""

    runs: list[SeenRun]
    floor: datetime
    most: int
    sums: Sums
    since: datetime
    read_at: datetime

    def reaches(self, first: SeenRun, wanted: Iterable[Past]) -> bool:
        """Whether all is there that is wanted before the first of some new runs."""
        before = bisect_left(self.runs, in_time(first), key=in_time)
        return self.floor == _BEGINNING or all(
            (before >= past.runs and self.floor < first.ended_at)
            or (past.window is not None and self.floor <= first.ended_at - past.window)
            for past in wanted
        )

    def add(self, new: Iterable[SeenRun]) -> None:
        for run in new:
            if run.ended_at > self.floor:
                insort(self.runs, SeenRun(*run[:5]), key=in_time)
        self.sums = _add(self.sums, new)
        if len(self.runs) > 2 * self.most:
            cut = len(self.runs) - self.most
            self.floor = self.runs[cut - 1].ended_at
            del self.runs[:cut]


class Told(NamedTuple):
    """Runs of a workflow in the order of time, and at which indexes those are that are new."""

    runs: Sequence[SeenRun]
    new: Sequence[int]

    @property
    def is_late(self) -> bool:
        """Whether a run is known that ended after the first of the new ones."""
        return bool(self.new) and self.new[0] != len(self.runs) - len(self.new)


def in_time(run: SeenRun) -> tuple[datetime, int]:
    return run.ended_at, run.id


def _add(sums: Sums, runs: Iterable[SeenRun]) -> Sums:
    successes, failures, timed, duration_ms = sums
    for run in runs:
        successes += run.outcome == "success"
        failures += run.outcome == "failure"
        if run.duration_ms is not None:
            timed += 1
            duration_ms += run.duration_ms
    return successes, failures, timed, duration_ms


class RecentRuns:
    """What one session keeps; the workflow that was used last is the last."""

    def __init__(self) -> None:
        self._kept: dict[int, Kept] = {}

    def forget(self, workflow_ids: Iterable[int]) -> None:
        """Of these workflows runs that had ended were changed."""
        for workflow_id in workflow_ids:
            self._kept.pop(workflow_id, None)

    def add(self, seen: Mapping[int, Sequence[SeenRun]]) -> None:
        """Runs, by workflow, that are new in this transaction."""
        for workflow_id, new in seen.items():
            if workflow_id in self._kept:
                self._kept[workflow_id].add(new)

    def read(
        self,
        session: Session,
        seen: Mapping[int, Sequence[SeenRun]],
        wanted: Mapping[int, Sequence[Past]],
        now: datetime,
    ) -> dict[int, Told]:
        """The workflows' runs in the order of time up to the newest, the last that have been added
        in full, and before the first of them as many as are wanted. Without those that are
        history."""
        sums = _read_sums(session, wanted, _first_day(now)) if wanted else {}
        found = {
            workflow_id: self._read(session, workflow_id, seen, pasts, sums, now)
            for workflow_id, pasts in wanted.items()
        }
        total = sum(len(kept.runs) for kept in self._kept.values())
        while total > MOST_KEPT:
            total -= len(self._kept.pop(next(iter(self._kept))).runs)
        return found

    def _read(
        self,
        session: Session,
        workflow_id: int,
        seen: Mapping[int, Sequence[SeenRun]],
        wanted: Sequence[Past],
        sums: Mapping[int, Sums],
        now: datetime,
    ) -> Told:
        first = seen[workflow_id][0]
        kept = self._kept.pop(workflow_id, None)
        its_sums, since = sums.get(workflow_id, (0, 0, 0, 0.0)), _first_day(now)
        is_good = (
            kept is not None
            and kept.since == since
            and now - kept.read_at < MOST_AGE
            and _are_equal(kept.sums, its_sums)
            and kept.reaches(first, wanted)
        )
        if kept is None or not is_good:
            most = max(past.runs for past in wanted) + len(seen[workflow_id]) + MARGIN
            runs, floor = read_runs(session, workflow_id, first, wanted, most)
            kept = Kept(runs, floor, most, its_sums, since, now)
        self._kept[workflow_id] = kept
        if not kept.reaches(first, wanted):
            return read_around(session, seen[workflow_id], max(past.runs for past in wanted))
        return _put_in(kept.runs, seen[workflow_id])


def recent_runs(session: Session) -> RecentRuns:
    """The session's own: it ends with it."""
    kept: RecentRuns = session.info.setdefault("recent_runs", RecentRuns())
    return kept


def _put_in(runs: Sequence[SeenRun], new: Iterable[SeenRun]) -> Told:
    """Those that are new are in the order of time as well."""
    found, indexes, at = list(runs), [], 0
    for run in new:
        at = bisect_left(found, in_time(run), at, key=in_time)
        found[at : at + (at < len(found) and found[at].id == run.id)] = [run]
        indexes.append(at)
    return Told(found, indexes)


def _first_day(now: datetime) -> datetime:
    return (now - DAYS_COMPARED).replace(hour=0, minute=0, second=0, microsecond=0)


def _are_equal(one: Sums, other: Sums) -> bool:
    return one[:3] == other[:3] and isclose(one[3], other[3], rel_tol=1e-9, abs_tol=1e-3)


def _read_sums(session: Session, workflow_ids: Collection[int], since: datetime) -> dict[int, Sums]:
    given = {"workflow_ids": list(workflow_ids), "since": since}
    rows: Sequence[Any] = session.connection().execute(_SUMS, given).all()
    return {
        workflow_id: (int(successes), int(failures), int(timed), float(duration_ms))
        for workflow_id, successes, failures, timed, duration_ms in rows
    }


_SUMS = (
    select(
        Rollup.workflow_id,
        func.sum(Rollup.success_count),
        func.sum(Rollup.failure_count),
        func.sum(Rollup.timed_count),
        func.sum(Rollup.duration_sum_ms),
    )
    .where(
        Rollup.workflow_id.in_(bindparam("workflow_ids", expanding=True)),
        Rollup.period == "day",
        Rollup.starts_at >= bindparam("since"),
    )
    .group_by(Rollup.workflow_id)
)


def read_runs(
    session: Session, workflow_id: int, first: SeenRun, wanted: Sequence[Past], most: int
) -> tuple[list[SeenRun], datetime]:
    """The workflow's newest runs in the order of time, and after when they are all."""
    floor, conditions = _BEGINNING, []
    if all(past.window for past in wanted):
        longest = max(past.window or timedelta(0) for past in wanted)
        floor = first.ended_at - longest - MARGIN_OF_TIME
        conditions = [_COLUMNS.ended_at > floor]
    rows = _read_newest(session, workflow_id, most, *conditions)
    return _place(rows), rows[-1].ended_at if len(rows) == most else floor


def read_around(session: Session, new: Sequence[SeenRun], before: int) -> Told:
    """So many runs before the new ones, and all later ones; without those that are history."""
    workflow_id, since, most = new[0].workflow_id, new[0].ended_at, MOST_LATER + len(new)
    rows = _read_newest(session, workflow_id, most, _COLUMNS.ended_at >= since)
    if len(rows) == most:
        runs = _place(rows)
        oldest = in_time(runs[min(before, most - 1)])
        return _put_in(runs, [run for run in new if in_time(run) >= oldest])
    rows += _read_newest(session, workflow_id, before, _COLUMNS.ended_at < since)
    return _put_in(_place(rows), new)


def _read_newest(
    session: Session, workflow_id: int, most: int, *conditions: ColumnElement[bool]
) -> list[Any]:
    """By their ends as told, the newest first."""
    at = _COLUMNS.ended_at
    query = select(
        _COLUMNS.id,
        _COLUMNS.workflow_id,
        _COLUMNS.outcome,
        at,
        _COLUMNS.duration_ms,
        told_before_its_end(),
    ).where(
        _COLUMNS.workflow_id == workflow_id,
        at.is_not(None),
        _COLUMNS.is_test.is_(False),
        *conditions,
    )
    query = query.order_by(at.desc(), _COLUMNS.id.desc()).limit(most)
    return list(session.connection().execute(query).all())


def _place(rows: Sequence[Any]) -> list[SeenRun]:
    """In the order of time."""
    runs = [
        SeenRun(run_id, workflow_id, outcome, early or ended_at, duration_ms)
        for run_id, workflow_id, outcome, ended_at, duration_ms, early in reversed(rows)
    ]
    runs.sort(key=in_time)
    return runs


def find_late(session: Session, seen: Mapping[int, Sequence[SeenRun]]) -> set[int]:
    """The workflows of which a run is known that ended after the first of these new ones; where
    there are many such runs, all of them may be."""
    if not seen:
        return set()
    new = {run.id for runs in seen.values() for run in runs}
    since, most = min(runs[0].ended_at for runs in seen.values()), len(new) + MARGIN
    given = {"workflow_ids": list(seen), "since": since, "most": most}
    rows: Sequence[Any] = session.connection().execute(_SINCE, given).all()
    if len(rows) == most:
        return set(seen)
    return {
        workflow_id
        for run_id, workflow_id, ended_at, early in rows
        if run_id not in new and (early or ended_at, run_id) > in_time(seen[workflow_id][0])
    }


_SINCE = (
    select(_COLUMNS.id, _COLUMNS.workflow_id, _COLUMNS.ended_at, told_before_its_end())
    .where(
        _COLUMNS.workflow_id.in_(bindparam("workflow_ids", expanding=True)),
        _COLUMNS.ended_at >= bindparam("since"),
        _COLUMNS.is_test.is_(False),
    )
    .limit(bindparam("most"))
)
