"""Why an event decided the outcome of its run, or another event of the same execution did."""

from datetime import datetime

from sqlalchemy import select

from app.extensions import db
from app.models import Event, Run
from app.processing.runs import OUTCOMES_BY_KIND, kinds_that_tell

MOST_COMPARED = 50
"""Of events that told otherwise: the newest."""
_OTHERWISE = "Another event for the same execution ended {} and told otherwise; {}."
_LATER_DECIDES = "the later one decides"
_TOGETHER = _OTHERWISE.format("at the same time", "of two that ended together, the failure decides")
_DIFFERENT = (
    "Events for the same execution told different outcomes; the one that ended last decides."
)


def explain_decision(event: Event) -> str | None:
    """In a sentence; None where nobody told otherwise, or no run is left. Needs payload."""
    run = event.run
    if run is None or not run.previous_outcome:
        return None
    if event.id == run.decided_by_event_id:
        if _ended_together(run):
            return _TOGETHER
        return _OTHERWISE.format("earlier", _LATER_DECIDES)
    if OUTCOMES_BY_KIND.get(event.kind or "") != run.previous_outcome:
        return _DIFFERENT
    if _read_end(event.payload) == run.ended_at:
        return _TOGETHER
    return _OTHERWISE.format("later", _LATER_DECIDES)


def _ended_together(run: Run) -> bool:
    """Whether one that told otherwise ended when the run did."""
    kinds = kinds_that_tell(run.previous_outcome or "")
    others = select(Event.payload).where(Event.run_id == run.id, Event.kind.in_(kinds))
    newest = others.order_by(Event.id.desc()).limit(MOST_COMPARED)
    return any(_read_end(payload) == run.ended_at for payload in db.session.scalars(newest))


def _read_end(payload: dict[str, object] | None) -> datetime | None:
    text = (payload or {}).get("ended_at")
    return datetime.fromisoformat(text) if isinstance(text, str) else None
