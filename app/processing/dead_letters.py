"""Events that the worker has given up on: how many there are, and all of them back in the queue."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import writing
from app.models import Event, of_state
from app.processing.inbox import retry

MOST = 1_000
"""As many are counted, and put back in one go."""


def list_dead_letters(session: Session, workspace_id: int) -> list[int]:
    """The ids of the workspace's failed events, the longest waiting first, `MOST` of them."""
    # The workspace is no plain column, so that SQLite goes by the index
    # over failed events: that over the workspace's events would lead it through all of them.
    failed = select(Event.id).where(of_state("failed"), Event.workspace_id + 0 == workspace_id)
    return list(session.scalars(failed.order_by(Event.received_at).limit(MOST)))


def retry_dead_letters(workspace_id: int) -> int:
    """Give the workspace's failed events back to the worker; returns how many."""
    with writing() as session:
        return retry(session, list_dead_letters(session, workspace_id), now())
