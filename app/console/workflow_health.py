"""How each workflow is doing: its last runs, success rate and pace, and whether it is silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from itertools import groupby, pairwise
from math import ceil
from statistics import median
from typing import NamedTuple

from sqlalchemy import Float, String, TextualSelect, func, select, text

from app.clock import now
from app.console.formatting import duration, rate, relative
from app.extensions import db
from app.models import Rollup, Workflow
from app.models.columns import BigId, UtcDateTime

STRIP_LENGTH = 60
MAX_WORKFLOWS = 200
"""How many workflows are watched here: the first by name."""
RATE_WINDOW = timedelta(days=7)
MIN_RUNS_FOR_PACE = 5
MIN_SILENCE = timedelta(hours=1)
SILENT_AFTER_GAPS = 3
USUAL_SHARE = 0.9
"""A gap is usual if it is among the shorter nine tenths."""

STATES = ("failing", "silent", "ok", "never")
"""From what needs somebody most to what needs nobody."""


class LastRun(NamedTuple):
    """What is needed of a run here."""

    outcome: str
    ended_at: datetime
    duration_ms: float | None


class Bars(NamedTuple):
    """Bars of the strip that share a title: outcome, and their places from the left."""

    outcome: str
    places: Sequence[int]
    title: str


class Pace(NamedTuple):
    """How often a workflow runs, and after how long without a run it is silent."""

    usual: timedelta
    silent_after: timedelta


@dataclass(frozen=True)
class WorkflowHealth:
    """A workflow with its last runs, the oldest first; `succeeded` and `failed` are of 7 days."""

    workflow: Workflow
    runs: Sequence[LastRun]
    succeeded: int
    failed: int
    at: datetime

    @property
    def state(self) -> str:
        """One of STATES."""
        if not self.runs:
            return "never"
        if self.runs[-1].outcome == "failure":
            return "failing"
        return "silent" if self.is_silent else "ok"

    @cached_property
    def pace(self) -> Pace | None:
        return find_pace([run.ended_at for run in self.runs])

    @property
    def is_silent(self) -> bool:
        pace = self.pace
        return pace is not None and self.silence > pace.silent_after

    @property
    def silence(self) -> timedelta:
        """How long ago the last run ended."""
        return self.at - self.runs[-1].ended_at

    @property
    def silence_in_words(self) -> str:
        """`usually every 15 min, nothing for 3 h`."""
        pace = self.pace
        usual = f"usually every {span(pace.usual)}, " if pace else ""
        return f"{usual}nothing for {span(self.silence)}"

    @property
    def failures_in_a_row(self) -> int:
        outcomes = [run.outcome for run in reversed(self.runs)]
        return outcomes.index("success") if "success" in outcomes else len(outcomes)

    @property
    def success_rate(self) -> float | None:
        """Between 0 and 1; None without a run in 7 days."""
        total = self.succeeded + self.failed
        return self.succeeded / total if total else None

    @property
    def success_in_words(self) -> str:
        """`98.3 %`; rounded down, so that 100 % stands for no failure at all."""
        return rate(self.success_rate)

    @property
    def typical_ms(self) -> float | None:
        """The median duration of the last runs."""
        timed = [run.duration_ms for run in self.runs if run.duration_ms is not None]
        return median(timed) if timed else None

    @property
    def bars(self) -> list[Bars]:
        """The strip, the newest run at its right end: all that is well, then failure by failure."""
        return draw_strip(self.runs, self.at)

    @property
    def strip_in_words(self) -> str:
        """`57 of 60 succeeded`."""
        return strip_in_words(self.runs)


def draw_strip(runs: Sequence[LastRun], at: datetime) -> list[Bars]:
    """The last runs, the oldest first and the newest at the right end: all that is well, then
    failure by failure."""
    placed = list(enumerate(runs, STRIP_LENGTH - len(runs)))
    good = [place for place, run in placed if run.outcome == "success"]
    found = [Bars("success", good, strip_in_words(runs))] if good else []
    for outcome, stretch in groupby(placed, key=lambda each: each[1].outcome):
        if outcome == "failure":
            alike = list(stretch)
            when = relative(alike[-1][1].ended_at, at)
            many = f"{len(alike)} failed, the last" if len(alike) > 1 else "Failed"
            found.append(Bars(outcome, [place for place, _ in alike], f"{many} {when}"))
    return found


def strip_in_words(runs: Sequence[LastRun]) -> str:
    good = sum(run.outcome == "success" for run in runs)
    return f"{good} of {len(runs)} succeeded"


def find_pace(ends: Sequence[datetime]) -> Pace | None:
    """What is usual, learnt from the ends of runs, the oldest first; None for too few of them."""
    if len(ends) < MIN_RUNS_FOR_PACE:
        return None
    gaps = sorted(later - earlier for earlier, later in pairwise(ends))
    longest_usual = gaps[ceil(len(gaps) * USUAL_SHARE) - 1]
    usual = timedelta(seconds=median(gap.total_seconds() for gap in gaps))
    return Pace(usual, max(MIN_SILENCE, SILENT_AFTER_GAPS * longest_usual))


def span(time: timedelta) -> str:
    """A length of time in about two digits: `15 min`, `3 h`, `2 d`."""
    seconds = time.total_seconds()
    unit = next((unit for unit in (86_400, 3_600, 60) if seconds >= 2 * unit), 1)
    return duration(max(round(seconds / unit), 1) * unit * 1_000)


def list_health(workspace_id: int) -> list[WorkflowHealth]:
    """The workflows in use, those that need somebody first, then by name."""
    workflows = list_watched(workspace_id)
    counts = count_outcomes(workspace_id, now() - RATE_WINDOW)
    runs = list_last_runs([each.id for each in workflows])
    at = now()
    health = [
        WorkflowHealth(each, runs[each.id], *counts.get(each.id, (0, 0)), at) for each in workflows
    ]
    return sorted(health, key=lambda each: STATES.index(each.state))


def list_watched(workspace_id: int) -> Sequence[Workflow]:
    query = select(Workflow).where(
        Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None)
    )
    return db.session.scalars(query.order_by(Workflow.name).limit(MAX_WORKFLOWS)).all()


_LAST_OF = (
    "SELECT workflow_id, outcome, ended_at, duration_ms FROM runs "
    "WHERE workflow_id = {workflow} AND NOT is_test ORDER BY ended_at DESC LIMIT {limit}"
)


@cache
def _last_runs_of(count: int, dialect: str) -> TextualSelect:
    """A statement for so many workflows, of which each is one look-up along the index of its runs.

    Many statements would take longer than the database needs for the answers.
    """
    names = [f":w{number}" for number in range(count)]
    if dialect == "sqlite":  # It has no LATERAL; to plan a long UNION takes PostgreSQL too long.
        each = (_LAST_OF.format(workflow=name, limit=STRIP_LENGTH) for name in names)
        statement = " UNION ALL ".join(f"SELECT * FROM ({part})" for part in each)  # noqa: S608
    else:
        last = _LAST_OF.format(workflow="w.id", limit=STRIP_LENGTH)
        listed = f"unnest(CAST(ARRAY[{', '.join(names)}] AS bigint[])) AS w(id)"
        statement = f"SELECT last.* FROM {listed} CROSS JOIN LATERAL ({last}) AS last"  # noqa: S608
    return text(statement).columns(
        workflow_id=BigId, outcome=String(), ended_at=UtcDateTime(), duration_ms=Float()
    )


def list_last_runs(workflow_ids: Sequence[int]) -> dict[int, list[LastRun]]:
    """The last runs of each workflow, the oldest first."""
    found: dict[int, list[LastRun]] = {workflow_id: [] for workflow_id in workflow_ids}
    if workflow_ids:
        given = {f"w{number}": each for number, each in enumerate(workflow_ids)}
        connection = db.session.connection()
        statement = _last_runs_of(len(given), connection.dialect.name)
        for workflow_id, *run in connection.execute(statement, given):
            found[workflow_id].append(LastRun(*run))
    for runs in found.values():
        runs.sort(key=lambda run: run.ended_at)
    return found


def count_outcomes(workspace_id: int, since: datetime) -> dict[int, tuple[int, int]]:
    """Successes and failures of each workflow in use since the hour of that moment."""
    in_use = select(Workflow.id).where(
        Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None)
    )
    query = (
        select(Rollup.workflow_id, func.sum(Rollup.success_count), func.sum(Rollup.failure_count))
        .where(
            # One by one: in a join, PostgreSQL would read the sums of all times.
            Rollup.workflow_id.in_(db.session.scalars(in_use).all()),
            Rollup.period == "hour",
            Rollup.starts_at > since - timedelta(hours=1),
        )
        .group_by(Rollup.workflow_id)
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in db.session.execute(query)}
