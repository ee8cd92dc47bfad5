"""When the oldest of what each list shows was told: what is older is gone."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select, true

from app.extensions import db
from app.models import Alert, Delivery, Event, OutboxMessage, Run, of_outcome

_PUT_IN = (
    select(OutboxMessage.created_at)
    .where(OutboxMessage.id == Delivery.message_id)
    .correlate(Delivery)
    .scalar_subquery()
)


class Kept(NamedTuple):
    """What a list shows: its moments, and the order in which an index leads to the oldest, behind
    the column that tells whose it is."""

    moment: Any
    order: Any
    kind: ColumnElement[bool] = true()


KEPT = {
    "event": Kept(Event.received_at, Event.id),
    "run": Kept(Run.ended_at, Run.ended_at, Run.ended_at.is_not(None)),
    "failure": Kept(Run.updated_at, Run.updated_at, of_outcome("failure")),
    "alert": Kept(Alert.began_at, Alert.id, Alert.ended_at.is_not(None)),
    "delivery": Kept(_PUT_IN, Delivery.id),
}


def find_oldest(what: str, whose: ColumnElement[bool]) -> datetime | None:
    """A step along an index; `whose` is the condition on the column that the index begins with."""
    kept = KEPT[what]
    query = select(kept.moment).where(whose, kept.kind).order_by(kept.order).limit(1)
    moment: datetime | None = db.session.scalar(query)
    return moment
