"""Sends batches, and reads what the log keeps of them."""

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import undefer

from app.extensions import db
from app.ingest.batch_places import PATH
from app.ingest.service import ingest_service
from app.models import Event
from tests.factories import Team


def good(team: Team, **changes: Any) -> dict[str, Any]:
    """An event of a batch that is accepted."""
    event = {
        "kind": "run-success",
        "workflow_slug": team.slug,
        "ended_at": "2026-01-15T09:31:00Z",
    }
    return {name: value for name, value in {**event, **changes}.items() if value is not None}


def send_batch(client: FlaskClient, team: Team, *events: Any, **headers: str) -> Any:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(PATH, json={"events": list(events)}, headers={**team.headers, **given})


def logged() -> list[Event]:
    """The log, oldest first, with what waits to be written."""
    ingest_service().recorder.flush()
    db.session.rollback()
    return list(db.session.scalars(select(Event).options(undefer("*")).order_by(Event.id)))
