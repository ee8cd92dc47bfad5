"""The newest refused requests of one sender or workflow, found with bounded work."""

from sqlalchemy import ColumnElement, literal_column, select

from app.extensions import db
from app.models import Event

LOOKED_AT = 5_000
"""The newest refused requests of the server among which are looked for."""


def newest_refused_ids(*conditions: ColumnElement[bool], limit: int) -> list[int]:
    """The ids of those that fit, the newest first."""
    # The state stands in the statement: SQLite knows its partial index by that alone.
    newest = (
        select(Event.id)
        .where(Event.state == literal_column("'rejected'"))
        .order_by(Event.received_at.desc())
        .limit(LOOKED_AT)
    )
    fitting = select(Event.id).where(Event.id.in_(newest), *conditions)
    return list(db.session.scalars(fitting.order_by(Event.id.desc()).limit(limit)))
