"""Messages for tests, put into the outbox and delivered within the test's own thread."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.channels.courier import claim_due, prepare, record_one
from app.channels.message import Message
from app.channels.outbox import put, put_mail
from app.channels.sealing import seal
from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Channel, Delivery, DeliveryAttempt
from app.problems import presentable


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


def store_channels(workspace_id: int, texts: Iterable[str]) -> None:
    """For each text a channel of that name and a delivery that was given up, full of it."""
    for number, text in enumerate(texts):
        with writing() as session:
            channel = Channel(
                workspace_id=workspace_id,
                name=f"{number} {text}"[:120],
                kind="webhook",
                sealed_settings=seal({"url": "https://hooks.example.org/", "secret": "whsec_MTIz"}),
                failing_since=now() if number % 2 else None,
                disabled_at=now() if number % 3 == 1 else None,
                disabled_why=text[:500],
            )
            session.add(channel)
            session.flush()
            message = make_message(title=text, text=text, facts=((text, text),))
            key = put(session.connection(), message, workspace_id, [channel.id], now())
            mail = make_message(title=text, text=text)
            sent = put_mail(session.connection(), mail, workspace_id, ["eve@example.org"], now())
            given_up = {"state": "given_up", "next_try_at": None}
            session.query(Delivery).filter_by(message_id=sent).update(given_up)
            if not channel.disabled_at:
                delivery = session.scalars(select(Delivery).filter_by(message_id=key)).one()
                delivery.state, delivery.attempts, delivery.next_try_at = "given_up", 1, None
                stored = presentable(text)
                session.add(
                    DeliveryAttempt(
                        delivery_id=delivery.id,
                        at=now(),
                        took_ms=12.5,
                        status=500,
                        answer=stored[:2048],
                        error=stored[:1000],
                    )
                )
