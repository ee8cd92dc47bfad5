"""What the tables say at a moment of silences, stuck runs and refusals, for the judges."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.alerting.verdicts import SeenRefused, SeenSilence, SeenStuck
from app.models import (
    Alert,
    AlertRule,
    Event,
    Run,
    Silence,
    UnstoredCount,
    Workflow,
    is_open,
    of_state,
)

NAMED_RUNS = 5
"""Stuck runs that an alert names; it counts all."""
LATE_COMMITS = timedelta(minutes=10)
"""How much older than the last look a request may be that was stored after it."""


class Fact(Protocol):
    """What is so at a workflow now."""

    @property
    def workflow_id(self) -> int: ...

    @property
    def workspace_id(self) -> int: ...

    def see(self, alert: Alert | None, now: datetime) -> SeenSilence | SeenStuck:
        """A sight for one rule: `new` counts from what its alert knows."""


class OpenSilence(NamedTuple):
    """A silence of a workflow that FlowPulse itself did not cause by being down."""

    workflow_id: int
    workspace_id: int
    since: datetime
    expected_at: datetime
    missed: int

    def see(self, alert: Alert | None, now: datetime) -> SeenSilence:
        new = _rise(self.missed, alert, "missed")
        return SeenSilence(now, True, self.since, self.expected_at, self.missed, new)


class OpenStuck(NamedTuple):
    """The stuck runs of a workflow."""

    workflow_id: int
    workspace_id: int
    since: datetime | None
    runs: tuple[str, ...]
    stuck: int

    def see(self, alert: Alert | None, now: datetime) -> SeenStuck:
        return SeenStuck(now, self.stuck, self.since, _rise(self.stuck, alert, "stuck"), self.runs)


def _rise(count: int, alert: Alert | None, name: str) -> int:
    return max(count - int(alert.detail.get(name, 0)), 0) if alert else 0


class FactSource(NamedTuple):
    """How the facts are read, and what is seen of a workflow that has none."""

    read: Callable[[Session], Sequence[Fact]]
    see_nothing: Callable[[datetime], SeenSilence | SeenStuck]


def read_silences(session: Session) -> list[OpenSilence]:
    query = (
        select(
            Silence.workflow_id,
            Workflow.workspace_id,
            Silence.silent_since,
            Silence.expected_at,
            Silence.missed_count,
        )
        .join(Workflow, Workflow.id == Silence.workflow_id)
        .where(
            Silence.ended_at.is_(None),
            Silence.during_downtime.is_(False),
            Workflow.archived_at.is_(None),
        )
    )
    return [OpenSilence(*row) for row in session.execute(query)]


def read_stuck(session: Session) -> list[OpenStuck]:
    """One query over the index of open runs."""
    query = (
        select(Run.workflow_id, Run.workspace_id, Run.stuck_since, Run.public_id)
        .join(Workflow, Workflow.id == Run.workflow_id)
        .where(
            is_open(),
            Run.stuck_since.is_not(None),
            Run.is_test.is_(False),
            Workflow.archived_at.is_(None),
        )
        .order_by(Run.stuck_since)
    )
    found: dict[int, OpenStuck] = {}
    for workflow_id, workspace_id, since, public_id in session.execute(query):
        before = found.get(workflow_id)
        if before is None:
            found[workflow_id] = OpenStuck(workflow_id, workspace_id, since, (public_id,), 1)
        else:
            runs = (*before.runs, public_id)[:NAMED_RUNS]
            found[workflow_id] = before._replace(runs=runs, stuck=before.stuck + 1)
    return list(found.values())


FACTS: dict[str, FactSource] = {
    "silences": FactSource(read_silences, lambda now: SeenSilence(now, False)),
    "stuck": FactSource(read_stuck, lambda now: SeenStuck(now, 0)),
}


# --- Refusals -----------------------------------------------------------------------------------


def see_refused(
    session: Session, rule: AlertRule, alert: Alert | None, now: datetime
) -> SeenRefused:
    """How many were refused in the rule's window; `new` are those since the last look."""
    length, workspace_id = timedelta(minutes=rule.numbers["minutes"]), rule.workspace_id
    stored, newest = _count_stored(session, workspace_id, now - length)
    unstored = _count_unstored(session, workspace_id, now - length)
    refused = stored + unstored
    if alert is None:
        return SeenRefused(now, refused, 0, newest, unstored)
    seen_up_to = int(alert.detail.get("up_to", 0))
    since = alert.last_at - LATE_COMMITS
    new, _ = _count_stored(session, workspace_id, since, after_id=seen_up_to)
    unstored = _count_unstored(session, workspace_id, alert.opened_at - length)
    new += max(unstored - int(alert.detail.get("unstored", 0)), 0)
    return SeenRefused(now, refused, new, max(newest, seen_up_to), unstored)


def _count_stored(
    session: Session, workspace_id: int, since: datetime, after_id: int = 0
) -> tuple[int, int]:
    """How many, and the id of the newest."""
    query = select(func.count(Event.id), func.max(Event.id)).where(
        *are_refused(workspace_id, since), Event.id + 0 > after_id
    )
    count, newest = session.execute(query).one()
    return count, newest or 0


def are_refused(workspace_id: int, since: datetime) -> tuple[ColumnElement[bool], ...]:
    """Which events count: a workspace's refused requests since then, but for people's own."""
    # The workspace is no plain column, so that SQLite goes by the index over refused requests.
    return (
        of_state("rejected"),
        Event.workspace_id + 0 == workspace_id,
        Event.received_at > since,
        Event.origin.is_(None),
    )


def _count_unstored(session: Session, workspace_id: int, since: datetime) -> int:
    query = select(func.sum(UnstoredCount.count)).where(
        UnstoredCount.workspace_id == workspace_id, UnstoredCount.minute_at > since
    )
    return int(session.scalar(query) or 0)
