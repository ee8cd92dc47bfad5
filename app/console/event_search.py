"""Pages of the log by key: never an OFFSET, and never more work than a page may cost."""

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, or_, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from app.console.event_bounds import Bounds, find_bounds
from app.console.event_filter import EventFilter
from app.console.search_sieve import SECONDS as SIFTING
from app.console.search_sieve import Sieve, sift_events
from app.extensions import db
from app.models import IS_WARNED, Event, Run, Workflow, of_state
from app.windows import FIRST_WINDOW, WINDOWS_AT_FIRST, is_over, list_few, next_size

SECONDS = 0.04
"""How long a page may search; it says how far it came, and goes on from there."""
MATCH_SECONDS = 0.5
"""How long one look at the log may find out what of it a reader may find."""
CHUNK = 1_000
FEW = {"state": 60_000, "warned": 20_000, "workflow": 20_000}
"""Up to so many events, an index lists them all, and the search looks at no others."""

Scope = Sequence[int | None]


class Found(NamedTuple):
    """Ids of events, in the order of the search; `stopped_at` is where it ran out of time."""

    ids: list[int]
    stopped_at: int | None = None


class Matched(NamedTuple):
    """Ids of events that fit, and of those for which there was no time to see whether they do."""

    ids: set[int]
    unread: Sequence[int] = ()


def load_events(ids: Sequence[int]) -> list[Event]:
    """The events with all that a row shows, newest first."""
    query = (
        select(Event)
        .where(Event.id.in_(ids))
        .options(
            joinedload(Event.workflow),
            joinedload(Event.api_key),
            joinedload(Event.run).defer(Run.details),
        )
    )
    return list(db.session.scalars(query.order_by(Event.id.desc())))


def list_ids(
    scope: Scope,
    limit: int,
    conditions: Sequence[ColumnElement[bool]] = (),
    before: int | None = None,
    after: int | None = None,
) -> list[int]:
    """The ids nearest to the newest (or to `after`), merged over the workspaces in `scope`,
    newest first; each query runs along one index."""
    is_upward = after is not None and before is None
    order = Event.id.asc() if is_upward else Event.id.desc()
    ids: list[int] = []
    for workspace_id in scope:
        query = select(Event.id).where(Event.workspace_id == workspace_id, *conditions)
        if before is not None:
            query = query.where(Event.id < before)
        if after is not None:
            query = query.where(Event.id > after)
        ids += db.session.scalars(query.order_by(order).limit(limit))
    nearest = sorted(ids, reverse=not is_upward)[:limit]
    return sorted(nearest, reverse=True)


def match_ids(wanted: EventFilter, ids: Sequence[int]) -> set[int]:
    """Which of these events fit by what is stored; one statement."""
    if not ids:
        return set()
    fitting = select(Event.id).where(Event.id.in_(ids), *wanted.conditions())
    return set(db.session.scalars(fitting))


def match(wanted: EventFilter, ids: Sequence[int]) -> Matched:
    """Which of these events the reader may find; the newest are looked into first."""
    fitting, text = match_ids(wanted, ids), wanted.sifted_text
    if text is None or not fitting:
        return Matched(fitting)
    newest = sorted(fitting, reverse=True)
    kept, read = sift_events(text, newest, time.monotonic() + MATCH_SECONDS)
    return Matched(set(kept), newest[read:])


def search(
    scope: Scope,
    wanted: EventFilter,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    seconds: float | None = SECONDS,
) -> Found:
    """Up to `limit` events that fit: downwards from `before` (the newest without it) to `after`,
    or upwards from `after` when there is no `before`."""
    is_upward = after is not None and before is None
    bounds = find_bounds(wanted, scope, before, after)
    return _walk(_Steps(wanted, bounds, is_upward), scope, wanted, limit, is_upward, seconds)


def find_exact(scope: Scope, text: str, conditions: Sequence[ColumnElement[bool]]) -> list[int]:
    """The newest events whose id, execution id or correlation id is the text, newest first, by
    indexes alone."""
    if "\0" in text:
        return []
    own = [workspace_id for workspace_id in scope if workspace_id is not None]
    # One after the other: a join lets SQLite begin at the wrong end, with all events.
    runs = find_runs(own, text)
    ids = _newest_of_several(Event.id, (Event.public_id == text) & _in_scope(scope))
    for workspace_id in own:
        refused = of_state("rejected") & (Event.workspace_id == workspace_id)
        ids += _newest(Event.id, refused & (Event.execution_id == text))
        ids += _newest(Event.id, refused & (Event.correlation_id == text))
    ids += _newest_of_several(Event.id, Event.run_id.in_(runs)) if runs else []
    fitting = select(Event.id).where(Event.id.in_(ids), *conditions)
    return sorted(set(db.session.scalars(fitting)) if ids else (), reverse=True)


def find_runs(workspace_ids: Sequence[int], text: str) -> list[int]:
    """The newest runs whose execution id or correlation id is the text, by indexes alone."""
    workflows = select(Workflow.id).where(Workflow.workspace_id.in_(workspace_ids))
    of_execution = Run.workflow_id.in_(workflows) & (Run.external_execution_id == text)
    runs = _newest_of_several(Run.id, of_execution)
    for workspace_id in workspace_ids:
        mine = Run.workspace_id == workspace_id
        runs += _newest(Run.id, mine & (Run.correlation_id == text))
    return runs


def _newest(column: InstrumentedAttribute[int], condition: ColumnElement[bool]) -> list[int]:
    """Where an index holds what fits in the order of the ids."""
    query = select(column).where(condition).order_by(column.desc())
    return list(db.session.scalars(query.limit(CHUNK)))


def _newest_of_several(
    column: InstrumentedAttribute[int], condition: ColumnElement[bool]
) -> list[int]:
    """Where none does: plus 0, or SQLite would walk through all rows, which are in this order."""
    query = select(column).where(condition).order_by((column + 0).desc())
    return list(db.session.scalars(query.limit(CHUNK)))


class _Step(NamedTuple):
    """The next events to look at: those of an interval, or those of a list."""

    low: int
    high: int
    ids: list[int] | None = None

    def behind(self, event_id: int, is_upward: bool) -> "_Step":
        """The rest of it, once it has been looked at as far as this event."""
        low, high = (event_id + 1, self.high) if is_upward else (self.low, event_id)
        inside = None if self.ids is None else [each for each in self.ids if low <= each < high]
        return _Step(low, high, inside)


def _walk(
    steps: "_Steps",
    scope: Scope,
    wanted: EventFilter,
    limit: int,
    is_upward: bool,
    budget: float | None,
) -> Found:
    conditions, text = wanted.conditions(), wanted.sifted_text
    end = None if budget is None else time.monotonic() + budget
    ids: list[int] = []
    for step in steps:
        started = time.monotonic()
        found = _look(step, scope, conditions, limit - len(ids), is_upward)
        seconds = time.monotonic() - started
        if text is not None:
            look = partial(_look, scope=scope, conditions=conditions, is_upward=is_upward)
            sieve = Sieve(text, look, is_upward, None if end is None else end + SIFTING)
            found, stopped_at = sieve.sift(step, found, limit - len(ids))
            if stopped_at is not None:
                return Found([*ids, *found], stopped_at)
        ids += found
        if len(ids) >= limit:
            break
        steps.took(seconds)
        if end is not None and is_over(end, seconds) and not steps.is_done:
            return Found(ids, step.high if is_upward else step.low)
        time.sleep(0)  # Lets the other requests of the process have their turn.
    return Found(ids)


def _look(
    step: _Step,
    scope: Scope,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    is_upward: bool,
) -> list[int]:
    if step.ids is not None:
        listed = Event.id.in_(bindparam(None, step.ids, expanding=True, literal_execute=True))
        order = Event.id.asc() if is_upward else Event.id.desc()
        query = select(Event.id).where(listed, _in_scope(scope), *conditions)
        return list(db.session.scalars(query.order_by(order).limit(limit)))
    found: list[int] = []
    for workspace_id in scope:
        order = Event.id.asc() if is_upward else Event.id.desc()
        query = select(Event.id).where(
            Event.workspace_id == workspace_id,
            Event.id >= step.low,
            Event.id < step.high,
            *conditions,
        )
        found += db.session.scalars(query.order_by(order).limit(limit))
    return sorted(found, reverse=not is_upward)[:limit]


def _in_scope(scope: Scope) -> ColumnElement[bool]:
    return or_(*(Event.workspace_id == workspace_id for workspace_id in scope))


class _Steps:
    """The intervals or lists of ids to look at, one after the other; told how long each took.

    The first windows cost less than to list the few events that could fit; what is rare isn't in
    them, and is looked for in that list.
    """

    is_done = False

    def __init__(self, wanted: EventFilter, bounds: Bounds, is_upward: bool) -> None:
        self._wanted, self._is_upward, self._size = wanted, is_upward, FIRST_WINDOW
        self._low, self._high = bounds

    def __iter__(self) -> Iterator[_Step]:
        yield from islice(self._windows(), WINDOWS_AT_FIRST)
        few = None if self.is_done else _list_few(self._wanted)
        yield from self._windows() if few is None else self._chunks(few)

    def took(self, seconds: float) -> None:
        """Choose the size of the next window."""
        self._size = next_size(self._size, seconds)

    def _windows(self) -> Iterator[_Step]:
        while self._low < self._high:
            if self._is_upward:
                step = _Step(self._low, min(self._low + self._size, self._high))
                self._low = step.high
            else:
                step = _Step(max(self._high - self._size, self._low), self._high)
                self._high = step.low
            self.is_done = self._low >= self._high
            yield step

    def _chunks(self, few: Iterable[int]) -> Iterator[_Step]:
        inside = (each for each in few if self._low <= each < self._high)
        ids = sorted(inside, reverse=not self._is_upward)
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            self.is_done = start + CHUNK >= len(ids)
            yield _Step(min(chunk), max(chunk) + 1, chunk)


def _list_few(wanted: EventFilter) -> set[int] | None:
    """All events that could fit, where an index tells that they are few."""
    state, workflow_id = wanted.small_state, wanted.value("workflow")
    for name, condition in (
        ("state", of_state(state) if state else None),
        ("warned", IS_WARNED if wanted.is_of_warning else None),
        ("workflow", Event.workflow_id == workflow_id if workflow_id else None),
    ):
        if condition is not None:
            few = list_few([select(Event.id).where(condition)], FEW[name])
            if few is not None:
                return few
    return None
