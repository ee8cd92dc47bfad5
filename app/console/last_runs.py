"""A workflow's last runs: by their ends or, where a sender's clock was ahead, as they came in.

Many clocks tell whole seconds only: of runs that ended at the same moment, the one that came in
later is the later one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Float,
    String,
    TextualSelect,
    bindparam,
    column,
    select,
    text,
)

from app.extensions import db
from app.models import Run, Workflow
from app.models.columns import BigId, UtcDateTime

STRIP_LENGTH = 60
_IDS_AT_ONCE = 500
_WORKFLOWS_AT_ONCE = 200
"""SQLite joins at most 500 parts to one statement."""


class LastRun(NamedTuple):
    """What is needed of a run here; it ended no later than it was told of."""

    outcome: str
    ended_at: datetime
    duration_ms: float | None
    id: int = 0


_LAST_OF = (
    "SELECT workflow_id, outcome, ended_at, duration_ms, id, ended_at > updated_at AS is_ahead "
    "FROM runs WHERE workflow_id = {workflow} AND NOT is_test AND ended_at IS NOT NULL "
    "ORDER BY ended_at DESC, id DESC LIMIT {limit}"
)
_WITH_ARRIVAL = (
    select(
        Run.outcome,
        Run.ended_at,
        Run.duration_ms,
        Run.id,
        Run.updated_at,
        Run.decided_by_event_id,
    )
    .where(
        Run.workflow_id == bindparam("workflow_id"),
        Run.is_test.is_(False),
        Run.ended_at.is_not(None),
    )
    .order_by(Run.ended_at.desc(), Run.id.desc())
    .limit(STRIP_LENGTH)
)
_PAST_WITH_ARRIVAL = _WITH_ARRIVAL.where(Run.ended_at <= bindparam("now"))


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
        column("workflow_id", BigId),
        column("outcome", String()),
        column("ended_at", UtcDateTime()),
        column("duration_ms", Float()),
        column("id", BigId),
        column("is_ahead", Boolean()),
    )


def list_last_runs(workflow_ids: Sequence[int], at: datetime) -> dict[int, list[LastRun]]:
    """The last runs of each workflow, the oldest first: one look-up each, unless some of them lie
    in the future."""
    found: dict[int, list[LastRun]] = {workflow_id: [] for workflow_id in workflow_ids}
    ahead: set[int] = set()
    connection = db.session.connection()
    for start in range(0, len(workflow_ids), _WORKFLOWS_AT_ONCE):
        chunk = workflow_ids[start : start + _WORKFLOWS_AT_ONCE]
        given = {f"w{number}": each for number, each in enumerate(chunk)}
        statement = _last_runs_of(len(given), connection.dialect.name)
        for workflow_id, *run, is_ahead in connection.execute(statement, given).all():
            found[workflow_id].append(LastRun(*run))
            if is_ahead:
                ahead.add(workflow_id)
    for workflow_id, runs in found.items():
        runs.sort(key=lambda run: (run.ended_at, run.id))
        if workflow_id in ahead:
            found[workflow_id] = _list_by_arrival(workflow_id, at)
    return found


def _list_by_arrival(workflow_id: int, at: datetime) -> list[LastRun]:
    """With a second look-up, since runs in the future might hide the others."""
    wanted = {"workflow_id": workflow_id}
    future = [row for row in db.session.execute(_WITH_ARRIVAL, wanted) if row.ended_at > at]
    past = db.session.execute(_PAST_WITH_ARRIVAL, {**wanted, "now": at}).all()
    placed = _in_order([*future, *past][::-1])[-STRIP_LENGTH:]
    return [
        LastRun(row.outcome, min(row.ended_at, row.updated_at), row.duration_ms, row.id)
        for row in placed
    ]


def _in_order(rows: Sequence[Any]) -> list[Any]:
    """By their ends; a run that was told of before it ended stands behind what had come in.

    Its own time is wrong, so its place is that of its event: what came in later is later.
    """
    placed = [row for row in rows if row.ended_at <= row.updated_at]
    ahead = [row for row in rows if row.ended_at > row.updated_at]
    for row in sorted(ahead, key=lambda row: row.decided_by_event_id):
        place = len(placed)
        while place and placed[place - 1].decided_by_event_id > row.decided_by_event_id:
            place -= 1
        placed.insert(place, row)
    return placed


class LastRuns:
    """The last runs of some workflows: the very last of each at once, the others when asked for."""

    def __init__(self, workflow_ids: Sequence[int], at: datetime) -> None:
        self._at = at
        self._last, ahead = find_very_last(workflow_ids)
        self._listed: dict[int, list[LastRun]] = {
            workflow_id: [] for workflow_id in workflow_ids if workflow_id not in self._last
        }
        self.load(ahead)

    def last(self, workflow_id: int) -> LastRun | None:
        if workflow_id in self._listed:
            return self._listed[workflow_id][-1] if self._listed[workflow_id] else None
        return self._last[workflow_id]

    def load(self, workflow_ids: Iterable[int]) -> None:
        """Read those of several workflows at once: many statements would take longer."""
        missing = [each for each in workflow_ids if each not in self._listed]
        if missing:
            self._listed |= list_last_runs(missing, self._at)

    def of(self, workflow_id: int) -> Sequence[LastRun]:
        """Up to STRIP_LENGTH, the oldest first."""
        self.load([workflow_id])
        return self._listed[workflow_id]


def find_very_last(workflow_ids: Sequence[int]) -> tuple[dict[int, LastRun], list[int]]:
    """Of each workflow the run that ended last, by workflow, one look-up each within one statement;
    and the workflows where that run was ahead of the clock, so that another may be the last."""
    last = (
        select(Run.id)
        .where(Run.workflow_id == Workflow.id, Run.is_test.is_(False), Run.ended_at.is_not(None))
        .order_by(Run.ended_at.desc(), Run.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns = select(
        Run.workflow_id,
        Run.outcome,
        Run.ended_at,
        Run.duration_ms,
        Run.id,
        (Run.ended_at > Run.updated_at).label("is_ahead"),
    )
    found: dict[int, LastRun] = {}
    ahead: list[int] = []
    for start in range(0, len(workflow_ids), _IDS_AT_ONCE):
        chunk = workflow_ids[start : start + _IDS_AT_ONCE]
        ids = db.session.scalars(select(last).where(Workflow.id.in_(chunk))).all()
        rows: Sequence[Any] = db.session.execute(columns.where(Run.id.in_(ids))).all()
        for row in rows:
            found[row.workflow_id] = LastRun(row.outcome, row.ended_at, row.duration_ms, row.id)
            if row.is_ahead:
                ahead.append(row.workflow_id)
    return found, ahead
