"""The newest refused requests of one sender or workflow, found with bounded work."""

from sqlalchemy import ColumnElement, select

from app.extensions import db
from app.models import Event, of_state

LOOKED_AT = 5_000
"""The newest refused requests of the server among which are looked for."""


NEWEST = (
    select(
        Event.id,
        Event.workspace_id,
        Event.api_key_id,
        Event.received_at,
        Event.code,
        Event.reference,
    )
    .where(of_state("rejected"))
    .order_by(Event.received_at.desc())
    .limit(LOOKED_AT)
    .subquery()
).c
"""What can be asked of them. Were they looked up by their ids, PostgreSQL would look for each of
them in the table of each month."""


def newest_refused_ids(*conditions: ColumnElement[bool], limit: int) -> list[int]:
    """The ids of those of NEWEST that fit, the newest first."""
    fitting = select(NEWEST.id).where(*conditions).order_by(NEWEST.id.desc())
    return list(db.session.scalars(fitting.limit(limit)))
