"""Whether the worker keeps up, in words for the pages on which something waits for it."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from app.clock import now
from app.console.formatting import elapsed
from app.extensions import db
from app.models import WorkerHeartbeat
from app.processing.downtimes import STALLED_AFTER
from app.processing.inbox import waiting_since


class WorkerTrouble(NamedTuple):
    """What is wrong; `stands_still`: none works, rather than that one has much to do."""

    stands_still: bool
    title: str
    text: str


def find_worker_trouble() -> WorkerTrouble | None:
    """None where a worker was seen of late, and nothing has waited for too long."""
    limit = now() - STALLED_AFTER
    seen_at = db.session.scalar(select(func.max(WorkerHeartbeat.seen_at)))
    due_at = waiting_since(db.session())
    if seen_at is None or seen_at < limit:
        text = "Events are taken and kept; they become runs when it works again."
        return WorkerTrouble(True, "The worker stands still", text + _tell_lag(due_at))
    if due_at is None or due_at >= limit:
        return None
    text = "Events are taken and kept; they become runs one after the other."
    return WorkerTrouble(False, "The worker is behind", text + _tell_lag(due_at))


def _tell_lag(due_at: datetime | None) -> str:
    if due_at is None or due_at >= now() - STALLED_AFTER:
        return ""
    return f" The first of them has waited for {elapsed(due_at)}."
