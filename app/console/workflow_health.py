"""How each workflow is doing: its last runs, success rate and pace, and whether it is silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby, pairwise
from math import ceil
from statistics import median
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.clock import now
from app.console.formatting import duration, number, rate, relative
from app.console.last_runs import STRIP_LENGTH, LastRun, LastRuns
from app.extensions import db
from app.models import Rollup, Run, Workflow, is_open

MAX_PACES = 600
"""Of so many workflows the pace is learnt, where they have no schedule and have been quiet for
over MIN_SILENCE: each takes all of its last runs."""
RATE_WINDOW = timedelta(days=7)
MIN_RUNS_FOR_PACE = 5
MIN_SILENCE = timedelta(hours=1)
SILENT_AFTER_GAPS = 3
USUAL_SHARE = 0.9
"""A gap is usual if it is among the shorter nine tenths."""

STATES = ("failing", "stuck", "silent", "ok", "never")
"""From what needs somebody most to what needs nobody."""


class Bars(NamedTuple):
    """Bars of the strip that share a title: outcome, and their places from the left."""

    outcome: str
    places: Sequence[int]
    title: str

    @property
    def path(self) -> str:
        """A failure is taller."""
        height = 20 if self.outcome == "failure" else 12
        return "".join(f"M{place * 4 + 2} 20v-{height}" for place in self.places)


class Pace(NamedTuple):
    """How often a workflow runs, and after how long without a run it is silent."""

    usual: timedelta
    silent_after: timedelta


@dataclass(frozen=True)
class WorkflowHealth:
    """A workflow with its last runs; `succeeded` and `failed` are of 7 days."""

    workflow: Workflow
    last_runs: LastRuns
    succeeded: int
    failed: int
    at: datetime
    stuck: int = 0
    """Runs that are open for too long."""

    @cached_property
    def state(self) -> str:
        """One of STATES."""
        if self.last and self.last.outcome == "failure":
            return "failing"
        if self.stuck:
            return "stuck"
        if self.is_silent:
            return "silent"
        return "ok" if self.last else "never"

    @cached_property
    def last(self) -> LastRun | None:
        """The very last run; its workflow's state seldom needs more."""
        return self.last_runs.last(self.workflow.id)

    @cached_property
    def runs(self) -> Sequence[LastRun]:
        """The last runs, the oldest first."""
        return self.last_runs.of(self.workflow.id)

    @cached_property
    def pace(self) -> Pace | None:
        return find_pace(sorted(run.ended_at for run in self.runs))

    @property
    def is_silent(self) -> bool:
        """By its schedule; without one, by its usual pace."""
        if self.workflow.schedule:
            return self.workflow.silent_since is not None
        pace = self.pace if self.needs_pace else None
        return pace is not None and self.silence > pace.silent_after

    @property
    def needs_pace(self) -> bool:
        """Whether it may be silent, and only its pace can tell."""
        is_well = not self.stuck and self.last is not None and self.last.outcome == "success"
        return is_well and not self.workflow.schedule and self.silence > MIN_SILENCE

    @property
    def silence(self) -> timedelta:
        """How long ago the last run ended."""
        return self.at - self.last.ended_at if self.last else timedelta()

    @property
    def silence_in_words(self) -> str:
        """`usually every 15 min, nothing for 3 h`; `a run was due 3 h ago, 3 are missing`."""
        owed = self.workflow.open_silence if self.workflow.schedule else None
        if owed:
            missing = "1 is" if owed.missed_count == 1 else f"{number(owed.missed_count)} are"
            return f"a run was due {span(self.at - owed.expected_at)} ago, {missing} missing"
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
        """`98.3 %`; 100 % stands for no failure at all."""
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


class Watched(NamedTuple):
    """Workflows and how they do, and how many more there are of which nobody knows it."""

    health: list[WorkflowHealth]
    left_out: int


def list_health(workspace_id: int) -> Watched:
    """The workflows in use, those that need somebody first, then by name.

    Where more than MAX_PACES could be silent by their pace, those that ran last are left out.
    """
    counts = count_outcomes(workspace_id, now() - RATE_WINDOW)
    everything = look_at(workspace_id, _list_in_use(workspace_id), counts)
    unknown = {each.workflow.id for each in _list_unclear(everything)[MAX_PACES:]}
    health = [each for each in everything if each.workflow.id not in unknown]
    return Watched(sorted(health, key=lambda each: STATES.index(each.state)), len(unknown))


def look_at(
    workspace_id: int,
    workflows: Sequence[Workflow],
    counts: Mapping[int, tuple[int, int]] | None = None,
) -> list[WorkflowHealth]:
    """How each of these does, in their order: every page and badge that tells a state asks here.

    `counts` are the successes and failures of 7 days, for who shows them.
    """
    at, stuck, counts = now(), count_stuck(workspace_id), counts or {}
    last_runs = LastRuns([each.id for each in workflows], at)
    health = [
        WorkflowHealth(
            each, last_runs, *counts.get(each.id, (0, 0)), at=at, stuck=stuck.get(each.id, 0)
        )
        for each in workflows
    ]
    load_strips(_list_unclear(health)[:MAX_PACES])
    return health


def load_strips(health: Sequence[WorkflowHealth]) -> None:
    """Read the last runs of these, looked at together, in one statement."""
    for first in health[:1]:
        first.last_runs.load(each.workflow.id for each in health)


def _list_unclear(health: Sequence[WorkflowHealth]) -> list[WorkflowHealth]:
    """Those whose state is for their pace to tell, the longest without a run first."""
    unclear = [each for each in health if each.needs_pace]
    return sorted(unclear, key=lambda each: each.silence, reverse=True)


def _list_in_use(workspace_id: int) -> Sequence[Workflow]:
    query = select(Workflow).where(
        Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None)
    )
    query = query.options(joinedload(Workflow.schedule), joinedload(Workflow.open_silence))
    return db.session.scalars(query.order_by(Workflow.name)).all()


def count_stuck(workspace_id: int) -> dict[int, int]:
    """Open runs that are stuck, by workflow."""
    query = select(Run.workflow_id, func.count(Run.id)).where(
        is_open(), Run.stuck_since.is_not(None), Run.workspace_id == workspace_id
    )
    return {row[0]: row[1] for row in db.session.execute(query.group_by(Run.workflow_id))}


def count_outcomes(workspace_id: int, since: datetime) -> dict[int, tuple[int, int]]:
    """Successes and failures of each workflow in use, by hours: the first is the one that begins
    after that moment, as in charts."""
    in_use = select(Workflow.id).where(
        Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None)
    )
    query = (
        select(Rollup.workflow_id, func.sum(Rollup.success_count), func.sum(Rollup.failure_count))
        .where(
            # One by one: in a join, PostgreSQL would read the sums of all times.
            Rollup.workflow_id.in_(db.session.scalars(in_use).all()),
            Rollup.period == "hour",
            Rollup.starts_at > since,
        )
        .group_by(Rollup.workflow_id)
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in db.session.execute(query)}
