"""Requests without a known key are found like those of a key: by choice, by click, as they come."""

import re

import pytest
from flask.testing import FlaskClient

from app.console import event_search
from app.console.event_filter import read_filter
from app.console.event_search import match_ids, search
from app.extensions import db, is_sqlite
from app.ingest.service import ingest_service
from app.models import Event
from tests.console.pages import open_page
from tests.console.refusals import store_refusals
from tests.console.test_live_log import rows
from tests.console.test_problem_groups import explain, fill_log, note_statements
from tests.factories import Team, report

NONE = "/events?key=none"


def send_each(client: FlaskClient, team: Team) -> dict[str, str]:
    """An accepted event, one refused with a known key, and two without; by what they are."""
    missing = client.post("/api/v1/ingest/run-success", json={})
    unknown = {"X-API-Key": "fp_" + "x" * 43}
    sent = {
        "accepted": report(client, team),
        "refused": report(client, team, ended_at=None),
        "missing": missing,
        "unknown": client.post("/api/v1/ingest/run-success", json={}, headers=unknown),
    }
    ingest_service().recorder.flush()
    db.session.rollback()
    return {name: answer.json["event_id"] for name, answer in sent.items()}


def test_what_has_no_known_key_is_listed_by_itself(owner: FlaskClient, team: Team) -> None:
    sent = send_each(owner, team)
    page = open_page(owner, NONE)
    assert rows(page) == [f"event-{sent[name]}" for name in ("unknown", "missing")]
    assert "Key: No known key" in page.text
    assert rows(open_page(owner, f"{NONE}&state=processed")) == []


def test_it_is_chosen_from_the_keys_and_by_a_click_on_a_row(owner: FlaskClient, team: Team) -> None:
    send_each(owner, team)
    page = open_page(owner, "/events")
    assert page.links.count(NONE) == 2
    options = [values for tag, values in page.tags if tag == "option"]
    assert {"value": "none"} in options and "No known key" in page.text
    chosen = [each for tag, each in open_page(owner, NONE).tags if tag == "option"]
    assert {"value": "none", "selected": None} in chosen


def test_what_a_person_has_sent_without_a_key_is_not_among_it(
    owner: FlaskClient, team: Team
) -> None:
    store_refusals(team, 1, api_key_id=None, origin="resend", sent_by=team.email)
    page = open_page(owner, "/events")
    assert f"no key · {team.email}" in page.text and NONE not in page.links
    assert rows(open_page(owner, NONE)) == []


def test_the_stream_of_the_filter_brings_what_fits_and_nothing_else(
    owner: FlaskClient, team: Team
) -> None:
    sent = send_each(owner, team)
    wanted = read_filter({"key": "none"}, team.workspace_id)
    ids = {event.public_id: event.id for event in db.session.scalars(db.select(Event))}
    assert match_ids(wanted, list(ids.values())) == {ids[sent["unknown"]], ids[sent["missing"]]}
    assert re.search(r"/events/stream\?[^\"]*key=none", owner.get(NONE).text)


def test_it_is_found_without_reading_the_whole_log(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_refusals(team, 3, code="unknown_api_key", api_key_id=None, workspace_id=None)
    fill_log(team)
    monkeypatch.setattr(event_search, "FIRST_WINDOW", 50)
    wanted = read_filter({"key": "none"}, team.workspace_id)
    scope = [team.workspace_id, None]
    asked = note_statements(lambda: search(scope, wanted, 41, seconds=None))
    assert len(search(scope, wanted, 41, seconds=None).ids) == 3
    plans = ["\n".join(explain(*each)) for each in asked if "FROM events" in each[0]]
    assert any("ix_events_rejected" in plan for plan in plans), plans
    whole = "SCAN events" if is_sqlite() else "Seq Scan on events"
    scans = [
        plan
        for plan in plans
        if any(whole in line and "USING" not in line for line in plan.splitlines())
    ]
    assert scans == []
