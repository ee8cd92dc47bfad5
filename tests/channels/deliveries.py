"""Messages for tests, put into the outbox and delivered within the test's own thread."""

from datetime import datetime
from typing import Any

from app.channels.courier import claim_due, prepare, record_one
from app.channels.message import Message
from app.channels.outbox import put
from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Channel, Delivery


def make_message(**fields: Any) -> Message:
    usual: dict[str, Any] = {
        "id": new_id(),
        "kind": "alert",
        "title": "Lead enrichment failed",
        "text": "The last run failed: boom",
        "facts": (("Since", "2026-01-15 09:31 UTC"), ("Error", "TimeoutError: boom")),
        "link": "https://flowpulse.example.org/runs/1",
        "incident": "incident1",
        "at": datetime.fromisoformat("2026-01-15T09:31:00Z"),
    }
    return Message(**{**usual, **fields})


def post_to(*channels: Channel, at: datetime | None = None, **fields: Any) -> Message:
    """Put a message into the outbox for these channels."""
    message = make_message(**fields)
    workspace_id, ids = channels[0].workspace_id, [each.id for each in channels]
    with writing() as session:
        put(session.connection(), message, workspace_id, ids, at or now())
    return message


def deliver(places: int = 16, places_for_failing: int = 8) -> int:
    """One round of all that is due, one after the other; returns how many tries there were."""
    tries = 0
    while claims := claim_due(places, places_for_failing):
        for each in claims:
            record_one(prepare(each)())
        tries += len(claims)
    db.session.rollback()
    return tries


def deliveries_of(channel: Channel) -> list[Delivery]:
    db.session.rollback()
    return list(db.session.query(Delivery).filter_by(channel_id=channel.id).order_by(Delivery.id))
