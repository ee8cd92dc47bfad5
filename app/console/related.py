"""What belongs to an event: its other attempts, and events of the same execution or correlation;
of more than are shown, the newest."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import joinedload

from app.extensions import db
from app.models import Event, Run, Workflow, of_state

MOST = 10
MOST_COMPARED = 500


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
    """The newest, and the first that all others are attempts of, without the event itself."""
    first = event.attempt_of_id or event.id
    others = [each for each in _list_ids(Event.attempt_of_id == first) if each != event.id]
    return _load(event, {*others[:MOST], first} - {event.id})


def _same_execution(event: Event) -> Sequence[Event]:
    execution_id = event.execution_id or (event.run.external_execution_id if event.run else None)
    if execution_id is None:
        return ()
    rejected = _load(event, _list_refused(event, Event.execution_id == execution_id))
    runs = select(Run.id).where(Run.external_execution_id == execution_id)
    of_workspace = select(Workflow.id).where(Workflow.workspace_id == event.workspace_id)
    if event.workflow_id:
        runs = runs.where(Run.workflow_id == event.workflow_id)
    else:
        runs = runs.where(Run.workflow_id.in_(of_workspace))
    newest = runs.order_by((Run.id + 0).desc()).limit(MOST)
    return _merge(rejected, _of_runs(event, db.session.scalars(newest).all()))


def _same_correlation(event: Event) -> Sequence[Event]:
    correlation_id = event.correlation_id or (event.run.correlation_id if event.run else None)
    if correlation_id is None:
        return ()
    rejected = _load(event, _list_refused(event, Event.correlation_id == correlation_id))
    runs = select(Run.id).where(
        Run.workspace_id == event.workspace_id, Run.correlation_id == correlation_id
    )
    newest = runs.order_by(Run.id.desc()).limit(2 * MOST)
    return _merge(rejected, _of_runs(event, db.session.scalars(newest).all()))


def _of_runs(event: Event, run_ids: Sequence[int]) -> Sequence[Event]:
    """One run after the other, along the index: one alone may have very many events."""
    newest = [_list_ids(Event.run_id == run_id) for run_id in run_ids]
    return _load(event, [event_id for ids in newest for event_id in ids]) if newest else ()


def _merge(*lists: Sequence[Event]) -> list[Event]:
    return sorted((each for events in lists for each in events), key=lambda each: -each.id)


def _list_refused(event: Event, condition: ColumnElement[bool]) -> Sequence[int]:
    return _list_ids(of_state("rejected") & (Event.workspace_id == event.workspace_id) & condition)


def _list_ids(condition: ColumnElement[bool]) -> Sequence[int]:
    """The newest first, as an index of what is asked for holds them behind its own columns."""
    query = select(Event.id).where(condition).order_by(Event.id.desc())
    return db.session.scalars(query.limit(MOST_COMPARED)).all()


def _load(event: Event, ids: Collection[int]) -> Sequence[Event]:
    query = select(Event).where(Event.workspace_id == event.workspace_id, Event.id.in_(ids))
    options = (joinedload(Event.workflow), joinedload(Event.run), joinedload(Event.api_key))
    newest = query.options(*options).order_by(Event.id.desc()).limit(2 * MOST)
    return db.session.scalars(newest).all()
