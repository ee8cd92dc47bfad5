"""Why something may be so: what else FlowPulse knows about it, for a message."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.alerting.course import Said


def explain(session: Session, told: Sequence[Said], now: datetime) -> dict[int, str]:
    """Sentences by the ids of the workflows."""
    return {}
