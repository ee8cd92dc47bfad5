"""What belongs to an event: its other attempts, and events of the same execution or correlation."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import joinedload

from app.extensions import db
from app.models import Event, Run, Workflow

MOST = 20


class Related(NamedTuple):
    """Three lists, each bounded, of what the event itself is not part of."""

    attempts: Sequence[Event]
    execution: Sequence[Event]
    correlation: Sequence[Event]


def find_related(event: Event) -> Related:
    """All by index; an event is only in the first of the lists that it fits."""
    if event.workspace_id is None:
        return Related((), (), ())
    attempts = list_attempts(event)
    seen = {event.id, *(each.id for each in attempts)}
    execution = [each for each in _same_execution(event) if each.id not in seen]
    seen |= {each.id for each in execution}
    correlation = [each for each in _same_correlation(event) if each.id not in seen]
    return Related(attempts, execution[:MOST], correlation[:MOST])


def list_attempts(event: Event) -> Sequence[Event]:
    """The first attempt and the further ones, without the event itself."""
    first = event.attempt_of_id or event.id
    is_attempt = or_(Event.id == first, Event.attempt_of_id == first)
    return _load(event, is_attempt & (Event.id != event.id), MOST)


def _same_execution(event: Event) -> Sequence[Event]:
    execution_id = event.execution_id or (event.run.external_execution_id if event.run else None)
    if execution_id is None:
        return ()
    is_rejected = (Event.state == "rejected") & (Event.execution_id == execution_id)
    rejected = _load(event, is_rejected)
    runs = select(Run.id).where(Run.external_execution_id == execution_id)
    of_workspace = select(Workflow.id).where(Workflow.workspace_id == event.workspace_id)
    if event.workflow_id:
        runs = runs.where(Run.workflow_id == event.workflow_id)
    else:
        runs = runs.where(Run.workflow_id.in_(of_workspace))
    return _merge(rejected, _of_runs(event, db.session.scalars(runs.limit(MOST)).all()))


def _same_correlation(event: Event) -> Sequence[Event]:
    correlation_id = event.correlation_id or (event.run.correlation_id if event.run else None)
    if correlation_id is None:
        return ()
    is_rejected = (Event.state == "rejected") & (Event.correlation_id == correlation_id)
    rejected = _load(event, is_rejected)
    runs = select(Run.id).where(
        Run.workspace_id == event.workspace_id, Run.correlation_id == correlation_id
    )
    newest = runs.order_by(Run.id.desc()).limit(2 * MOST)
    return _merge(rejected, _of_runs(event, db.session.scalars(newest).all()))


def _of_runs(event: Event, run_ids: Sequence[int]) -> Sequence[Event]:
    return _load(event, Event.run_id.in_(run_ids)) if run_ids else ()


def _merge(*lists: Sequence[Event]) -> list[Event]:
    return sorted((each for events in lists for each in events), key=lambda each: -each.id)


def _load(event: Event, condition: ColumnElement[bool], most: int = 2 * MOST) -> Sequence[Event]:
    query = select(Event).where(Event.workspace_id == event.workspace_id, condition)
    options = (joinedload(Event.workflow), joinedload(Event.run), joinedload(Event.api_key))
    return db.session.scalars(query.options(*options).order_by(Event.id.desc()).limit(most)).all()
