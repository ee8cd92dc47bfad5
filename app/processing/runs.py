"""Events become runs: one run per execution, whatever the order and number of its events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, select, tuple_, update
from sqlalchemy.orm import Session

from app.identifiers import new_id
from app.models import Run
from app.processing.error_groups import find_error_group
from app.processing.inbox import ClaimedEvent
from app.processing.rollups import INSERTS, Contribution

OUTCOMES_BY_KIND = {"run-success": "success", "run-failure": "failure"}
_TABLE = cast(Table, Run.__table__)
_KEPT = ("source_platform", "source_workflow_id", "correlation_id", "metadata")
"""What a later event may leave out: the run keeps what an earlier one said."""
_DECIDED = (
    "outcome",
    "error_type",
    "error_message",
    "error_group",
    "started_at",
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
    "event_count",
    "updated_at",
)

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
        "outcome": OUTCOMES_BY_KIND[event.kind],
        "previous_outcome": None,
        "started_at": _moment(fields.get("started_at")),
        "ended_at": datetime.fromisoformat(fields["ended_at"]),
        "decided_by_event_id": event.id,
        "event_count": 1,
        "is_test": is_test,
        "created_at": now,
        "updated_at": now,
    }
    return Report(event.id, columns)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


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
    merged["kept_from"] = kept_from or None
    merged["event_count"] = run["event_count"] + 1
    merged["updated_at"] = told["updated_at"]
    merged["previous_outcome"] = run["previous_outcome"]
    if winner["outcome"] != loser["outcome"]:
        merged["previous_outcome"] = loser["outcome"]
    elif merged["previous_outcome"] == winner["outcome"]:
        merged["previous_outcome"] = None
    return merged


def _rank(columns: Mapping[str, Any]) -> Rank:
    return columns["ended_at"], columns["outcome"] == "failure", columns["decided_by_event_id"]


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


def record_runs(
    session: Session, reports: Sequence[Report]
) -> tuple[dict[int, int], list[Contribution]]:
    """Write the runs that the reports, in order of arrival, tell of.

    Returns each event's run id, and what the runs add to the rollups (or take back).
    """
    together: dict[Execution, list[Report]] = {}
    for report in reports:
        together.setdefault(report.execution, []).append(report)
    known = _load(session, together)
    inserted = _insert(session, [rest[0] for key, rest in together.items() if key not in known])
    missing = [key for key in together if key not in known and key not in inserted]
    known |= _load(session, missing)  # Another worker was quicker with these.
    run_ids: dict[int, int] = {}
    contributions: list[Contribution] = []
    changed = []
    for execution, told in together.items():
        is_new = execution in inserted
        run = {**told[0].columns, "id": inserted[execution]} if is_new else known[execution]
        if not is_new:
            contributions += Contribution.list_of(run, sign=-1)
        for report in told[is_new:]:
            run = merge(run, report.columns)
        contributions += Contribution.list_of(run)
        run_ids.update((report.event_id, run["id"]) for report in told)
        if told[is_new:]:
            changed.append(run)
    _update(session, changed)
    return run_ids, contributions


def _insert(session: Session, reports: Sequence[Report]) -> dict[Execution, int]:
    """Insert a run for each report, in their order, unless another worker just did.

    Returns the ids of those that are new.
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
        report.execution: ids[row["public_id"]]
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
