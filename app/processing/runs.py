"""Events become runs: one run per execution, whatever the order and number of its events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, bindparam, select, tuple_, update
from sqlalchemy.orm import Session

from app.identifiers import new_id
from app.models import RUNNING, Run
from app.processing.error_groups import find_error_group
from app.processing.inbox import ClaimedEvent
from app.processing.rollups import INSERTS, Contribution

OUTCOMES_BY_KIND = {
    "run-success": "success",
    "run-failure": "failure",
    "run-start": RUNNING,
    "ping": "success",
    "ping-fail": "failure",
    "ping-start": RUNNING,
}


def kinds_that_tell(outcome: str) -> list[str]:
    """The kinds of events that report a run with this outcome."""
    return [kind for kind, told in OUTCOMES_BY_KIND.items() if told == outcome]


_TABLE = cast(Table, Run.__table__)
_KEPT = ("source_platform", "source_workflow_id", "correlation_id", "metadata", "started_at")
"""What a later event may leave out: the run keeps what an earlier one said."""
_DECIDED = (
    "outcome",
    "error_type",
    "error_message",
    "error_group",
    "ended_at",
    "duration_ms",
    "decided_by_event_id",
)
"""What belongs together: all of it comes from the event that decides."""
_CHANGING = (
    *_KEPT,
    *_DECIDED,
    "previous_outcome",
    "kept_from",
    "stuck_since",
    "event_count",
    "updated_at",
)

_NOT_YET = datetime.min.replace(tzinfo=UTC)
"""The end of what has only started, as a rank: any end decides over it."""

Rank = tuple[datetime, bool, int]
"""Which of two events decides, the greater one: its end, whether it failed, its id."""

Execution = tuple[int, str | int]
"""A workflow's id, and the execution's id on the source platform or else the event's own."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one event says of a run, as the columns of the runs table."""

    event_id: int
    columns: dict[str, Any]

    @property
    def execution(self) -> Execution:
        """What the event tells of; without an execution id, of a run that no other event knows."""
        execution_id = self.columns["external_execution_id"]
        return self.columns["workflow_id"], execution_id or self.event_id


def read_report(event: ClaimedEvent, now: datetime) -> Report:
    """Raises KeyError, TypeError or ValueError when the payload can't be read."""
    fields, is_test = event.read_payload(), event.origin == "test"
    outcome = OUTCOMES_BY_KIND[event.kind]
    columns: dict[str, Any] = {name: fields.get(name) for name in _KEPT}
    columns |= {
        "error_type": fields.get("error_type"),
        "error_message": fields.get("error_message"),
        # A test is no failure that anybody should hear of.
        "error_group": None
        if is_test
        else find_error_group(fields.get("error_type"), fields.get("error_message")),
        "duration_ms": fields.get("duration_ms"),
        "kept_from": None,
        "workspace_id": event.workspace_id,
        "workflow_id": event.workflow_id,
        # A test makes a run of its own: it never changes what a sender has told.
        "external_execution_id": None if is_test else fields.get("external_execution_id"),
        "outcome": outcome,
        "previous_outcome": None,
        "started_at": _read_moment(fields["started_at"]) if fields.get("started_at") else None,
        "ended_at": None if outcome == RUNNING else _read_moment(fields["ended_at"]),
        "stuck_since": None,
        "decided_by_event_id": event.id,
        "event_count": 1,
        "is_test": is_test,
        "created_at": now,
        "updated_at": now,
    }
    return Report(event.id, columns)


def _read_moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def merge(run: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The run after one more event: the later end decides, a failure where both end at once.

    What the deciding event leaves out is kept from the next one that says it, so that the order in
    which the events arrive makes no difference.
    """
    winner, loser = (told, run) if _rank(told) > _rank(run) else (run, told)
    merged = {**run, **{name: winner[name] for name in _DECIDED}}
    kept_from: dict[str, Any] = {}
    for name in _KEPT:
        rank, merged[name] = max(_telling(run, name), _telling(told, name), key=_rank_of_telling)
        if merged[name] is not None and rank != _rank(winner):
            kept_from[name] = [rank[0].isoformat(), *rank[1:]]
    _settle_duration(merged, winner, kept_from)
    _settle_stuck(merged, run)
    merged["kept_from"] = kept_from or None
    merged["event_count"] = run["event_count"] + 1
    merged["updated_at"] = told["updated_at"]
    merged["previous_outcome"] = run["previous_outcome"]
    if loser["outcome"] == RUNNING:
        return merged
    if winner["outcome"] != loser["outcome"]:
        merged["previous_outcome"] = loser["outcome"]
    elif merged["previous_outcome"] == winner["outcome"]:
        merged["previous_outcome"] = None
    return merged


def _settle_duration(
    merged: dict[str, Any], winner: Mapping[str, Any], kept_from: dict[str, Any]
) -> None:
    """Where the deciding event gave none: from its end, and the start that another event told.

    `kept_from` remembers that it was worked out, and with which start.
    """
    if "duration_ms" in (winner["kept_from"] or {}):
        merged["duration_ms"] = None
    started_at, ended_at = merged["started_at"], merged["ended_at"]
    if merged["duration_ms"] is None and ended_at and started_at and started_at <= ended_at:
        merged["duration_ms"] = (ended_at - started_at) / timedelta(milliseconds=1)
        if "started_at" in kept_from:
            kept_from["duration_ms"] = kept_from["started_at"]


def _settle_stuck(merged: dict[str, Any], run: Mapping[str, Any]) -> None:
    """It was not stuck if it turns out to have ended before, or to have started at another time."""
    since, ended_at = run["stuck_since"], merged["ended_at"]
    restarted = ended_at is None and merged["started_at"] != run["started_at"]
    if since is not None and (restarted or (ended_at is not None and ended_at <= since)):
        merged["stuck_since"] = None


def _rank(columns: Mapping[str, Any]) -> Rank:
    return (
        columns["ended_at"] or _NOT_YET,
        columns["outcome"] == "failure",
        columns["decided_by_event_id"],
    )


def _telling(columns: Mapping[str, Any], name: str) -> tuple[Rank, Any]:
    """A field's value, with the rank of the event that gave it."""
    kept = (columns["kept_from"] or {}).get(name)
    if kept is None:
        return _rank(columns), columns[name]
    ended_at, failed, event_id = kept
    return (datetime.fromisoformat(ended_at), failed, event_id), columns[name]


def _rank_of_telling(telling: tuple[Rank, Any]) -> tuple[bool, Rank]:
    rank, value = telling
    return value is not None, rank


class Recorded(NamedTuple):
    """Each event's run id, what the runs add to the rollups (or take back), the runs, and those
    of them that are new or have another outcome than before."""

    run_ids: dict[int, int]
    contributions: list[Contribution]
    runs: list[dict[str, Any]]
    decided: list[dict[str, Any]]


def record_runs(session: Session, reports: Sequence[Report]) -> Recorded:
    """Write the runs that the reports, in order of arrival, tell of."""
    together: dict[Execution, list[Report]] = {}
    for report in reports:
        together.setdefault(report.execution, []).append(report)
    known = _load(session, together)
    inserted = _insert(session, [rest[0] for key, rest in together.items() if key not in known])
    missing = [key for key in together if key not in known and key not in inserted]
    known |= _load(session, missing)  # Another worker was quicker with these.
    run_ids: dict[int, int] = {}
    contributions: list[Contribution] = []
    runs, changed, decided = [], [], []
    for execution, told in together.items():
        is_new = execution in inserted
        run = {**told[0].columns, **inserted[execution]} if is_new else known[execution]
        outcome_before = None if is_new else run["outcome"]
        if not is_new:
            contributions += Contribution.list_of(run, sign=-1)
        for report in told[is_new:]:
            run = merge(run, report.columns)
        contributions += Contribution.list_of(run)
        run_ids.update((report.event_id, run["id"]) for report in told)
        runs.append(run)
        if told[is_new:]:
            changed.append(run)
        if run["outcome"] != outcome_before:
            decided.append(run)
    _update(session, changed)
    return Recorded(run_ids, contributions, runs, decided)


def _insert(session: Session, reports: Sequence[Report]) -> dict[Execution, dict[str, Any]]:
    """Insert a run for each report, in their order, unless another worker just did.

    Returns the ids and public ids of those that are new.
    """
    if not reports:
        return {}
    rows = [{"public_id": new_id(), **report.columns} for report in reports]
    insert = INSERTS[session.get_bind().dialect.name](_TABLE)
    statement = insert.on_conflict_do_nothing(
        index_elements=["workflow_id", "external_execution_id"]
    ).returning(_TABLE.c.public_id, _TABLE.c.id)
    ids = {row[0]: row[1] for row in session.connection().execute(statement, rows)}
    return {
        report.execution: {"id": ids[row["public_id"]], "public_id": row["public_id"]}
        for report, row in zip(reports, rows, strict=True)
        if row["public_id"] in ids
    }


def _load(session: Session, executions: Iterable[Execution]) -> dict[Execution, dict[str, Any]]:
    """The executions' runs as they are, locked in the order of their ids."""
    keys = [key for key in executions if isinstance(key[1], str)]
    if not keys:
        return {}
    columns = _TABLE.c
    wanted = tuple_(columns.workflow_id, columns.external_execution_id).in_(keys)
    rows = session.execute(
        select(_TABLE).where(wanted).order_by(columns.id).with_for_update()
    ).mappings()
    return {(row["workflow_id"], row["external_execution_id"]): dict(row) for row in rows}


def _update(session: Session, runs: list[dict[str, Any]]) -> None:
    if not runs:
        return
    statement = (
        update(_TABLE)
        .where(_TABLE.c.id == bindparam("run_id"))
        .values({name: bindparam(f"new_{name}") for name in _CHANGING})
    )
    rows = [
        {"run_id": run["id"], **{f"new_{name}": run[name] for name in _CHANGING}} for run in runs
    ]
    session.connection().execute(statement, rows)
