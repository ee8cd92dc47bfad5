"""The runs of the last 30 days that a rule is about, the newest first, in bounds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.alerting.rulebook import Rulebook, looks_at
from app.alerting.verdicts import SeenRun
from app.models import AlertRule, Run, Workflow, told_before_its_end

PERIOD = timedelta(days=30)
MOST = 30_000
"""Runs or requests that are gone through, the newest; a form must answer while one types."""
LEAST_EACH = 100
"""Of one workflow among many, however many there are."""


class PastRun(NamedTuple):
    """A run, when it was told of, and when it ended by its sender's clock."""

    run: SeenRun
    told_at: datetime
    ended_at: datetime

    @property
    def is_ahead(self) -> bool:
        return self.ended_at > self.run.ended_at


class Extent(NamedTuple):
    """How much was gone through; `back_to` says how far, where that is not all of the period."""

    seen: int
    back_to: datetime | None = None


def list_workflows(session: Session, book: Rulebook, rule: AlertRule) -> list[int]:
    query = select(Workflow.id).where(Workflow.workspace_id == rule.workspace_id)
    return [
        workflow_id
        for workflow_id in session.scalars(query)
        if looks_at(rule, workflow_id, book.labels_of(workflow_id))
    ]


def select_runs() -> Select[*tuple[Any, ...]]:
    """The columns that `as_past` takes: where a sender's clock is ahead, a run counts when it was
    told of."""
    return select(
        Run.id,
        Run.workflow_id,
        Run.outcome,
        func.coalesce(told_before_its_end(), Run.ended_at),
        Run.duration_ms,
        Run.public_id,
        Run.created_at,
        Run.ended_at,
    ).where(Run.is_test.is_(False))


def as_past(row: Any) -> PastRun:
    return PastRun(SeenRun(*row[:6]), row[6], row[7])


def read_runs(
    session: Session, book: Rulebook, rule: AlertRule, now: datetime
) -> tuple[list[PastRun], Extent]:
    """All of them, as far as the bound allows."""
    if rule.workflow_id is not None or rule.label is not None:
        return read_runs_of(session, list_workflows(session, book, rule), now)
    of_workspace = select_runs().where(Run.workspace_id == rule.workspace_id)
    return _read_newest(session, [of_workspace], MOST, now)


def read_runs_of(
    session: Session, workflows: Sequence[int], now: datetime
) -> tuple[list[PastRun], Extent]:
    """Those of the workflows, of each as many."""
    most = max(MOST // max(len(workflows), 1), LEAST_EACH)
    queries = [select_runs().where(Run.workflow_id == each) for each in workflows]
    return _read_newest(session, queries, most, now)


def _read_newest(
    session: Session, queries: Sequence[Select[*tuple[Any, ...]]], most: int, now: datetime
) -> tuple[list[PastRun], Extent]:
    """Each along an index by the runs' end, so that nothing is sorted."""
    found: list[PastRun] = []
    since = back_to = now - PERIOD
    for query in queries:
        of_period = query.where(Run.ended_at > since)
        newest = of_period.order_by(Run.ended_at.desc(), Run.id.desc()).limit(most)
        part = [as_past(row) for row in session.execute(newest)]
        if len(part) == most:
            back_to = max(back_to, min(part[-1].ended_at, now))
        found += [past for past in part if since < past.run.ended_at <= now]
    return found, Extent(len(found), back_to if back_to > since else None)
