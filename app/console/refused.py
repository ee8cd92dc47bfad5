"""The newest refused requests of one sender or workflow, found with bounded work."""

from sqlalchemy import ColumnElement, select

from app.extensions import db
from app.models import Event, of_state

LOOKED_AT = 5_000
"""The newest refused requests of the server among which are looked for."""


def newest_refused_ids(*conditions: ColumnElement[bool], limit: int) -> list[int]:
    """The ids of those that fit, the newest first."""
    newest = (
        select(Event.id)
        .where(of_state("rejected"))
        .order_by(Event.received_at.desc())
        .limit(LOOKED_AT)
    )
    fitting = select(Event.id).where(Event.id.in_(newest), *conditions)
    return list(db.session.scalars(fitting.order_by(Event.id.desc()).limit(limit)))
