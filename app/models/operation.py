"""What the processes of one server tell each other: heartbeats and shared limits."""

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from app.extensions import Entity
from app.models.columns import Moment


class WorkerHeartbeat(Entity):
    """A worker that lives, or when it was last seen."""

    __tablename__ = "worker_heartbeats"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    started_at: Mapped[Moment]
    seen_at: Mapped[Moment]


class RateBucket(Entity):
    """How full a limiter's bucket was at a moment, as all processes together filled it."""

    __tablename__ = "rate_buckets"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    level: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float, index=True)
