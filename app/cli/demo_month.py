"""What ran in the month of the demo: executions by day and night, with their failures."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from app.cli.demo_workflows import WORKFLOWS, DemoWorkflow

DAYS = 30
_SPREAD = 0.35
_SLOWEST = 6
"""A failed run ends after up to this many times the usual duration, as after a timeout."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One try of one run; a retry has the same `execution_id`. `error` is its type and message."""

    workflow: DemoWorkflow
    started_at: datetime
    ended_at: datetime
    execution_id: str | None
    correlation_id: str | None
    error: tuple[str, str] | None
    counts: dict[str, int]


def make_month(until: datetime, random: Random) -> list[Execution]:
    """All executions that ended in the last 30 days, in the order of their ends."""
    by_title: dict[str, list[Execution]] = {}
    for workflow in WORKFLOWS:
        starts = _starts_after(by_title[workflow.follows], random) if workflow.follows else None
        first_tries = _run_all(
            workflow, starts or _starts_by_rhythm(workflow, until, random), until, random
        )
        by_title[workflow.title] = [
            execution
            for first in first_tries
            for execution in _with_retry(first, random)
            if execution.ended_at < until
        ]
    every = [execution for executions in by_title.values() for execution in executions]
    return sorted(every, key=lambda execution: execution.ended_at)


Start = tuple[datetime, str | None]
"""When a run starts, and its correlation id."""


def _starts_by_rhythm(workflow: DemoWorkflow, until: datetime, random: Random) -> list[Start]:
    first = (until - timedelta(days=DAYS)).replace(minute=0, second=0, microsecond=0)
    hours = (first + timedelta(hours=number) for number in range(DAYS * 24 + 1))
    starts = sorted(hour + at for hour in hours for at in workflow.rhythm(hour, random))
    name = workflow.correlation
    return [
        (start, f"{name}-{10_400 + number}" if name else None)
        for number, start in enumerate(starts)
    ]


def _starts_after(executions: list[Execution], random: Random) -> list[Start]:
    """A minute or so after each success of the workflow that is followed."""
    return [
        (execution.ended_at + timedelta(seconds=random.uniform(20, 90)), execution.correlation_id)
        for execution in executions
        if execution.error is None
    ]


def _run_all(
    workflow: DemoWorkflow, starts: list[Start], until: datetime, random: Random
) -> Iterator[Execution]:
    for number, (started_at, correlation_id) in enumerate(starts):
        error = _choose_error(workflow, started_at, until, random)
        duration = workflow.duration_ms * random.lognormvariate(0, _SPREAD)
        if error:
            duration *= random.choice((0.2, 0.5, 1, _SLOWEST))
        yield Execution(
            workflow,
            started_at,
            started_at + timedelta(milliseconds=round(duration)),
            workflow.platform.execution_id(number, random),
            correlation_id,
            error,
            {name: random.randint(*bounds) for name, bounds in workflow.counts.items()},
        )


def _choose_error(
    workflow: DemoWorkflow, at: datetime, until: datetime, random: Random
) -> tuple[str, str] | None:
    for trouble in workflow.troubles:
        if trouble.covers(at, until) and random.random() < trouble.share:
            return trouble.error_type, trouble.error_message
    return random.choice(workflow.errors) if random.random() < workflow.failure_share else None


def _with_retry(first: Execution, random: Random) -> Iterator[Execution]:
    """The execution and, for some that fail, the later try that succeeds."""
    yield first
    if first.error and first.execution_id and random.random() < first.workflow.retried_share:
        later = timedelta(minutes=random.uniform(10, 60))
        yield replace(
            first,
            started_at=first.started_at + later,
            ended_at=first.started_at + later + timedelta(milliseconds=first.workflow.duration_ms),
            error=None,
        )
