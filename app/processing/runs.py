"""Events become runs: one run per execution, whatever the order and number of its events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, or_, select
from sqlalchemy.orm import Session

from app.identifiers import new_id
from app.models import RUNNING, Run
from app.processing.error_groups import find_error_group
from app.processing.inbox import ClaimedEvent
from app.processing.many_rows import insert_rows, update_rows
from app.processing.merging import DECIDED, KEPT, merge
from app.processing.rollups import Contribution

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
_CHANGING = (
    "started_at",
    *KEPT,
    *DECIDED,
    "previous_outcome",
    "kept_from",
    "stuck_since",
    "event_count",
    "updated_at",
)

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
    columns: dict[str, Any] = {name: fields.get(name) for name in KEPT}
    columns |= {
        "error_type": fields.get("error_type"),
        "error_message": fields.get("error_message"),
        # A test is no failure that anybody should hear of.
        "error_group": None
        if is_test
        else find_error_group(fields.get("error_type"), fields.get("error_message")),
        "duration_ms": _read_number(fields.get("duration_ms")),
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


def _read_number(value: Any) -> float | None:
    return None if value is None else float(value)


def _read_moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


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
    made = insert_rows(session, _TABLE, rows, _leave_known)
    ids = dict(map(tuple, made))
    return {
        report.execution: {"id": ids[row["public_id"]], "public_id": row["public_id"]}
        for report, row in zip(reports, rows, strict=True)
        if row["public_id"] in ids
    }


def _leave_known(insert: Any) -> Any:
    return insert.on_conflict_do_nothing(
        index_elements=["workflow_id", "external_execution_id"]
    ).returning(_TABLE.c.public_id, _TABLE.c.id)


def _load(session: Session, executions: Iterable[Execution]) -> dict[Execution, dict[str, Any]]:
    """The executions' runs as they are, locked in the order of their ids."""
    ids: dict[int, list[str]] = {}
    for workflow_id, execution_id in executions:
        if isinstance(execution_id, str):
            ids.setdefault(workflow_id, []).append(execution_id)
    if not ids:
        return {}
    columns = _TABLE.c
    # Workflow by workflow: for a list of pairs SQLite would go through all runs.
    wanted = or_(
        *(
            (columns.workflow_id == workflow_id) & columns.external_execution_id.in_(its_ids)
            for workflow_id, its_ids in ids.items()
        )
    )
    rows = session.execute(
        select(_TABLE).where(wanted).order_by(columns.id).with_for_update()
    ).mappings()
    return {(row["workflow_id"], row["external_execution_id"]): dict(row) for row in rows}


def _update(session: Session, runs: Sequence[Mapping[str, Any]]) -> None:
    if runs:
        rows = [{name: run[name] for name in ("id", *_CHANGING)} for run in runs]
        update_rows(session, _TABLE, ("id",), rows, {})
