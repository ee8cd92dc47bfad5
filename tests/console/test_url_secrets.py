"""Secrets in addresses are shown nowhere: not on the event page, nor in what is copied from it."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import undefer

from app.console.reproduction import FILE_NAMES
from app.extensions import db
from app.ingest.service import ingest_service
from app.models import Event
from tests.factories import Team, success

SECRETS = ("hunter2", "abc123", "deep456", "sig789", "agent0")
QUERY = "?token=abc123&a=1&next=https%3A%2F%2Fh%2F%3Fsignature%3Ddeep456"
HEADERS = {
    "Referer": "http://me:hunter2@n8n.example.com/x?sig=sig789&page=2",
    "User-Agent": "bot/1 (+https://me:agent0@bot.example)",
    "Idempotency-Key": "https://me:hunter2@h/1",
}


@pytest.fixture
def event_id(owner: FlaskClient, team: Team) -> str:
    answer = owner.post(
        f"/api/v1/ingest/run-success{QUERY}",
        json=success(team, metadata={"note": "hunter2 stays"}),
        headers={**team.headers, **HEADERS},
    )
    ingest_service().recorder.flush()
    return str(answer.json["event_id"])


def test_the_page_shows_no_secret_of_an_address(owner: FlaskClient, event_id: str) -> None:
    page = owner.get(f"/events/{event_id}").text
    shown = page.replace("hunter2 stays", "")
    assert "hunter2 stays" in page
    assert not [secret for secret in SECRETS if secret in shown]
    for kept in ("//******@n8n.example.com/x?sig=******&amp;page=2", "token=******&amp;a=1"):
        assert kept in page


@pytest.mark.parametrize("path", ["headers", *(f"as/{name}" for name in FILE_NAMES)])
def test_no_download_holds_one(owner: FlaskClient, event_id: str, path: str) -> None:
    text = owner.get(f"/events/{event_id}/{path}").text.replace("hunter2 stays", "")
    assert "******" in text
    assert not [secret for secret in SECRETS if secret in text]


def test_the_reading_api_gives_none(owner: FlaskClient, team: Team, event_id: str) -> None:
    event = owner.get(f"/api/v1/events/{event_id}", headers=team.headers).json
    assert event["path"].startswith("/api/v1/ingest/run-success?token=******&a=1")
    assert "deep456" not in event["path"]


def test_what_is_sent_again_is_what_came(owner: FlaskClient, event_id: str) -> None:
    """Only what people see is starred out."""
    query = select(Event).options(undefer(Event.headers)).where(Event.public_id == event_id)
    event = db.session.scalar(query)
    assert event is not None
    assert ["Referer", HEADERS["Referer"]] in [list(pair) for pair in event.headers]
