"""Refused requests for the tests of problems: sent by hand, or written straight into the log."""

from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert

from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.ingest.service import ingest_service
from app.models import Event
from tests.factories import Team, report

MISSING = {
    "field": "ended_at",
    "code": "missing",
    "message": "ended_at is required.",
    "fix": "Send it.",
    "received": None,
}


def refuse(client: FlaskClient, team: Team, count: int = 1, **fields: Any) -> None:
    """Have requests refused (for a workflow that is not there, unless told) and stored."""
    for _ in range(count):
        answer = report(client, team, **{"workflow_slug": "nope", **fields})
        assert answer.status_code >= 400
    ingest_service().recorder.flush()
    db.session.rollback()


def store_refusals(
    team: Team, count: int, fingerprint: str = "a" * 16, at: datetime | None = None, **columns: Any
) -> None:
    """Rows of one group, one millisecond apart, the last of them at `at`."""
    until = at or now()
    rows = [
        {
            "public_id": new_id(),
            "workspace_id": team.workspace_id,
            "api_key_id": team.api_key_id,
            "received_at": until - timedelta(milliseconds=count - 1 - number),
            "state": "rejected",
            "kind": "run-success",
            "method": "POST",
            "path": "/api/v1/ingest/run-success",
            "headers": [],
            "body": b"{}",
            "body_size": 2,
            "status": 400,
            "code": "validation_failed",
            "detail": "ended_at is required. Send it.",
            "errors": [MISSING],
            "took_ms": 1.0,
            "fingerprint": fingerprint,
            **columns,
        }
        for number in range(count)
    ]
    with writing() as session:
        session.execute(insert(Event), rows)
