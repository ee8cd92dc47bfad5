"""Between which ids the events of a time lie: ids grow with time, but for what was loaded later."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.console.event_filter import EventFilter
from app.extensions import db
from app.models import STATES, Event, of_state

OUT_OF_ORDER = 5_000
"""Events next to a limit in time that are looked at: so many may have ids out of order, as those of
a demo that was loaded into a log in use."""
LONGEST_WAIT = timedelta(days=1)
"""An accepted event is found by its next attempt, which is not so long after it came."""

BY_WORKSPACE = frozenset({"processed", "failed"})
"""States whose index begins with the workspace."""


class Bounds(NamedTuple):
    """Ids from `low` up to, and without, `high`."""

    low: int
    high: int


def find_bounds(
    wanted: EventFilter, scope: Sequence[int | None], before: int | None, after: int | None
) -> Bounds:
    """The interval outside of which nothing fits."""
    low = max((after or 0) + 1, _oldest_id(scope))
    high = before if before is not None else newest_id() + 1
    since, until = wanted.since, wanted.value("until")
    states = [wanted.value("state")] if wanted.value("state") else list(STATES)
    if since is not None:
        low = max(low, lowest_since(states, scope, since, high))
    if until is not None:
        high = min(high, _highest_until(states, scope, until) + 1)
    return Bounds(low, high)


def _oldest_id(scope: Sequence[int | None]) -> int:
    # By the workspace too: that it is the same for all, PostgreSQL does not see where it is NULL,
    # and would rather walk through the whole log by id than sort what it has misjudged.
    query = select(Event.id).order_by(Event.workspace_id, Event.id).limit(1)
    oldest = [db.session.scalar(query.where(Event.workspace_id == each)) for each in scope]
    return min((each for each in oldest if each is not None), default=1)


def newest_id() -> int:
    """The id of the newest event of all."""
    return db.session.scalar(select(func.max(Event.id))) or 0


def lowest_since(
    states: Sequence[str], scope: Sequence[int | None], since: datetime, otherwise: int
) -> int:
    """The lowest id that came since then; `otherwise` where none did."""
    found = [
        _extreme("min", place & (_moment_of(state) >= since), _moment_of(state).asc())
        for state in states
        for place in _places(state, scope)
    ]
    return min((each for each in found if each is not None), default=otherwise)


def _highest_until(states: Sequence[str], scope: Sequence[int | None], until: datetime) -> int:
    limits = dict.fromkeys(states, until) | {"accepted": until + LONGEST_WAIT}
    found = [
        _extreme("max", place & (_moment_of(state) < limits[state]), _moment_of(state).desc())
        for state in states
        for place in _places(state, scope)
    ]
    return max((each for each in found if each is not None), default=0)


def _extreme(
    extreme: str, condition: ColumnElement[bool], order: ColumnElement[datetime]
) -> int | None:
    nearest = select(Event.id).where(condition).order_by(order)
    ids = nearest.limit(OUT_OF_ORDER).subquery()
    return db.session.scalar(select(getattr(func, extreme)(ids.c.id)))


def _places(state: str, scope: Sequence[int | None]) -> list[ColumnElement[bool]]:
    """Where the state's index holds its events in the order of their times."""
    if state not in BY_WORKSPACE:
        return [of_state(state)]
    return [of_state(state) & (Event.workspace_id == each) for each in scope]


def _moment_of(state: str) -> InstrumentedAttribute[datetime]:
    """The time in the index of this state."""
    return Event.next_attempt_at if state == "accepted" else Event.received_at  # type: ignore[return-value]
