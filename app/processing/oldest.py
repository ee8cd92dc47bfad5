"""When the oldest of what each list shows was told: what is older is gone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, false, func, or_, select, true, union_all

from app.extensions import db
from app.models import (
    OUTCOMES,
    RUNNING,
    STUCK,
    Alert,
    Delivery,
    Event,
    OutboxMessage,
    Purge,
    Run,
    Silence,
    is_open,
    of_outcome,
    of_state,
)

_PUT_IN = (
    select(OutboxMessage.created_at)
    .where(OutboxMessage.id == Delivery.message_id)
    .correlate(Delivery)
    .scalar_subquery()
)
_STATES_THAT_GO = ("processed", "failed", "rejected")
_RUNS = {**{outcome: of_outcome(outcome) for outcome in OUTCOMES}, RUNNING: is_open()}


class Kept(NamedTuple):
    """What a list shows: its moments, and the order in which an index leads to the oldest. Of
    events, which may be of no workspace, it begins with whose they are: that this is the same for
    all, PostgreSQL does not see where it is NULL, and may walk through the whole log instead."""

    moment: Any
    order: tuple[Any, ...]
    kind: ColumnElement[bool] = true()


KEPT = {
    "event": Kept(Event.received_at, (Event.workspace_id, Event.id)),
    "alert": Kept(Alert.began_at, (Alert.id,), Alert.ended_at.is_not(None)),
    "silence": Kept(Silence.silent_since, (Silence.silent_since,)),
    "delivery": Kept(_PUT_IN, (Delivery.id,)),
}


def find_oldest(what: str, whose: ColumnElement[bool]) -> datetime | None:
    """A step along an index; `whose` is the condition on the column that the index begins with."""
    return _first(KEPT[what], whose)


def find_oldest_event(scope: Sequence[int | None], state: str | None = None) -> datetime | None:
    """Of these workspaces' events, or of those in a state; those that wait never go, and are told
    of with all."""
    kept = KEPT["event"]
    owner: Any = Event.workspace_id
    if state in _STATES_THAT_GO:
        kept = Kept(Event.received_at, (owner, Event.received_at), of_state(state))
    if state == "rejected":
        kept = kept._replace(order=(Event.received_at,))
        owner = owner + 0  # Their index goes by time alone, and SQLite would not take it.
    found = [_first(kept, owner == each) for each in scope]
    return min((each for each in found if each), default=None)


def find_oldest_run(workspace_id: int, outcome: str | None = None) -> datetime | None:
    """By when FlowPulse was told, as retention goes by it; STUCK stands for all that are open."""
    outcomes = _RUNS if outcome is None else (RUNNING if outcome == STUCK else outcome,)
    mine = Run.workspace_id == workspace_id
    firsts = [select(func.min(Run.updated_at)).where(mine, _RUNS[each]) for each in outcomes]
    return min((each for each in db.session.scalars(union_all(*firsts)) if each), default=None)


def went_for_size(cutoffs: Mapping[str, datetime]) -> bool:
    """Whether any went before its time, as the database was too large; by what went, from when on
    it would still be kept."""
    younger = (
        (Purge.what == what) & (Purge.reached_at >= cutoff) for what, cutoff in cutoffs.items()
    )
    query = select(Purge.day).where(Purge.why == "size", or_(false(), *younger)).limit(1)
    return db.session.scalar(query) is not None


def _first(kept: Kept, whose: ColumnElement[bool]) -> datetime | None:
    query = select(kept.moment).where(whose, kept.kind).order_by(*kept.order).limit(1)
    moment: datetime | None = db.session.scalar(query)
    return moment
