"""What the server's owner sees of the server, and what the oldest kept things are."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from flask import current_app
from sqlalchemy import func, select

from app.clock import now
from app.doctor.replica import State, describe_replica
from app.extensions import db, is_sqlite
from app.models import Event, WorkerHeartbeat
from app.models.columns import BigId
from app.processing.inbox import oldest_accepted
from app.processing.oldest import find_oldest_event, find_oldest_run
from app.processing.size_limit import Fullness, look_at_size

OF_PERIOD: dict[str, tuple[str, str | None]] = {
    "rejected_days": ("rejected", None),
    "event_days": ("processed", "success"),
    "failure_days": ("failed", "failure"),
}
"""The state of the events, and the outcome of the runs, that each period keeps."""
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


class Instance(NamedTuple):
    """Facts of one moment; the lag is the age of the oldest event that is no run yet."""

    version: str
    database: str
    database_size: int | None
    worker_seen_at: datetime | None
    lag_ms: float
    oldest_at: datetime | None
    replica: State | None
    size: Fullness


def describe_instance() -> Instance:
    seen_at = db.session.scalar(select(func.max(WorkerHeartbeat.seen_at)))
    since = oldest_accepted(db.session())
    lag = max(now() - since, timedelta()) if since else timedelta()
    return Instance(
        current_app.config["FLOWPULSE_VERSION"],
        DATABASES[db.engine.dialect.name],
        _size_of_database(),
        seen_at,
        lag.total_seconds() * 1_000,
        db.session.scalar(select(Event.received_at).order_by(Event.id).limit(1)),
        describe_replica(),
        look_at_size(),
    )


def find_oldest(workspace_id: int, period: str) -> datetime | None:
    """When the oldest of what this period keeps was told; each look is a step along an index."""
    state, outcome = OF_PERIOD[period]
    moments = (
        find_oldest_event([workspace_id], state),
        find_oldest_run(workspace_id, outcome) if outcome else None,
    )
    return min((moment for moment in moments if moment), default=None)


def _size_of_database() -> int | None:
    """In bytes, with SQLite's log beside it."""
    if is_sqlite():
        path = Path(str(db.engine.url.database))
        return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    return db.session.scalar(select(func.pg_database_size(func.current_database(), type_=BigId)))
