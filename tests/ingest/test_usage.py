"""Who uses which key: counted over all processes, by day, address and user agent."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.ingest.service import ingest_service
from app.ingest.stores import open_store
from app.ingest.usage import MAX_SENDERS, OTHERS, KeyUsageCounter
from app.models import ApiKey, KeyUsage
from tests.factories import Team, make_team, report

MOMENT = datetime(2026, 1, 15, 9, 31, 30, tzinfo=UTC)


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def counter() -> KeyUsageCounter:
    return KeyUsageCounter(open_store(db.engine.url))


def usage() -> list[KeyUsage]:
    db.session.rollback()
    return list(db.session.scalars(select(KeyUsage).order_by(KeyUsage.user_agent)))


def test_uses_add_up_over_processes_and_are_told_apart_by_sender(team: Team) -> None:
    for process in (counter(), counter()):
        for _ in range(3):
            process.note(team.api_key_id, MOMENT, "192.0.2.1", "n8n")
        process.note(team.api_key_id, MOMENT, "192.0.2.2", "curl/8")
        process.close()
    rows = [(row.remote_addr, row.user_agent, row.count) for row in usage()]
    assert rows == [("192.0.2.2", "curl/8", 2), ("192.0.2.1", "n8n", 6)]
    assert {(row.day, row.last_at) for row in usage()} == {(MOMENT.date(), MOMENT)}


def test_a_key_is_marked_as_used_to_the_minute(team: Team) -> None:
    used = counter()
    used.note(team.api_key_id, MOMENT, "192.0.2.1", "n8n")
    used.close()
    api_key = db.session.get(ApiKey, team.api_key_id)
    assert api_key is not None
    assert api_key.last_used_at == MOMENT.replace(second=0)


def test_a_key_that_is_gone_takes_no_other_with_it(team: Team) -> None:
    used = counter()
    used.note(team.api_key_id, MOMENT, "192.0.2.1", "n8n")
    used.note(999_999, MOMENT, "192.0.2.1", "n8n")
    used.close()
    assert [row.api_key_id for row in usage()] == [team.api_key_id]


def test_beyond_a_limit_senders_are_counted_together(team: Team) -> None:
    used = counter()
    for number in range(MAX_SENDERS + 5):
        used.note(team.api_key_id, MOMENT, "192.0.2.1", f"agent-{number}")
    used.close()
    others = [row for row in usage() if row.remote_addr == OTHERS]
    assert [(row.user_agent, row.count) for row in others] == [("", 5)]


def test_reports_and_readings_both_count(client: FlaskClient, team: Team) -> None:
    report(client, team)
    client.get("/api/v1/runs", headers=team.headers)
    client.get("/api/v1/runs", headers={"X-API-Key": "fp_nobody"})
    ingest_service().usage.sync()
    assert sum(row.count for row in usage()) == 2


def test_the_hours_of_use_are_kept_over_processes(team: Team) -> None:
    for hour in (0, 9, 9, 23):
        process = counter()
        process.note(team.api_key_id, MOMENT.replace(hour=hour), "192.0.2.1", "n8n")
        process.close()
    assert [row.hours for row in usage()] == [1 | 1 << 9 | 1 << 23]
