"""Why requests were refused, as an alert's message and its page tell it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select

from app.alerting.reasons import MOST_TEXT, find_reasons
from app.extensions import db, is_sqlite, writing
from app.models import ApiKey, Event, UnstoredCount
from tests.alerting.stories import START, Time, alerts, at, messages, refusals, store_rule
from tests.console.pages import sign_in
from tests.factories import Team, make_team

NUMBERS = {"requests": 10, "minutes": 15}


def store(*rows: Any) -> None:
    with writing() as session:
        session.add_all(rows)


def wrong_times(team: Team, minute: float, count: int) -> list[Event]:
    error = {"field": "ended_at", "code": "not_a_datetime", "message": "It is none."}
    return refusals(
        team,
        minute,
        count,
        fingerprint="a" * 16,
        errors=[error],
        kind="run-success",
        reference=team.slug,
        api_key_id=team.api_key_id,
    )


def unknown(team: Team, minute: float, count: int, reference: str = "no-such") -> list[Event]:
    return refusals(
        team,
        minute,
        count,
        fingerprint="b" * 16,
        code="workflow_not_found",
        kind="run-success",
        reference=reference,
    )


@contextmanager
def groupings() -> Iterator[list[tuple[str, Any]]]:
    """The queries for reasons that are made meanwhile, and their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, given: Any, *more: Any) -> None:
        if "GROUP BY events.fingerprint" in statement:
            seen.append((statement, given))

    sqlalchemy_event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sqlalchemy_event.remove(db.engine, "before_cursor_execute", note)


def test_the_message_and_the_page_say_why_requests_were_refused(
    app: Flask, team: Team, time: Time, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "FLOWPULSE_PUBLIC_URL", "https://flowpulse.example.org")
    store_rule(team, kind="refused", numbers=NUMBERS)
    other = make_team("Elsewhere", first=False)
    store(
        *wrong_times(team, -20, 50),  # Before the window.
        *unknown(other, 0, 50),
        *refusals(team, 0, 50, origin="test"),
        *wrong_times(team, 0, 12),
        *unknown(team, 1, 4),
        *refusals(team, 2, 2, fingerprint="c" * 16, code="method_not_allowed", path="/api/x"),
        *refusals(team, 3, 1, fingerprint="d" * 16),
    )
    time.work(4)
    (message,) = messages()
    key = db.session.scalar(select(ApiKey.name).where(ApiKey.id == team.api_key_id))
    *why, since = message.text.split("\n")
    assert why == [
        f"12 × ended_at is not a date and time (validation_failed), key {key}, for lead-enrichment",
        "4 × Workflow not found (workflow_not_found), for no-such",
        "2 × Wrong HTTP method (method_not_allowed), at /api/x",
    ]
    assert since.startswith("Since ")
    newest = db.session.scalars(
        select(Event.public_id).where(Event.code == "method_not_allowed").order_by(Event.id.desc())
    ).first()
    assert ["Newest request", f"https://flowpulse.example.org/events/{newest}"] in message.facts
    monkeypatch.setitem(app.config, "FLOWPULSE_PUBLIC_URL", "")  # The client comes to localhost.
    sign_in(client, team.email)
    page = client.get(f"/alerts/{alerts()[0].public_id}").text
    assert all(page.count(reason) == 2 for reason in why)  # There, and in the message.
    assert page.count("See the newest") == 3 and f'href="/events/{newest}"' in page
    with writing() as session:
        session.query(Event).delete()
    assert "See the newest" not in client.get(f"/alerts/{alerts()[0].public_id}").text


def test_reasons_are_looked_for_when_something_is_found_alone(team: Team, time: Time) -> None:
    store_rule(team, kind="refused", numbers=NUMBERS)
    with groupings() as seen:
        store(*wrong_times(team, 0, 9))
        time.work(0)
        assert seen == []
        store(*wrong_times(team, 1, 1))
        time.work(1)
        assert len(seen) == 1
        time.work(2)
        time.work(3)
        assert len(seen) == 1
        store(*unknown(team, 4, 12))
        time.work(4)
        assert len(seen) == 2
        assert [reason["count"] for reason in alerts()[0].detail["reasons"]] == [12, 10]
        time.work(15.5)  # Fewer within the window are no finding.
        time.work(30)
        assert len(seen) == 2
    (alert,) = alerts()
    assert alert.ended_at == at(30) and len(alert.detail["reasons"]) == 2
    assert messages()[-1].kind == "recovery" and "×" not in messages()[-1].text


def test_those_that_came_too_fast_to_be_stored_have_a_reason_too(team: Team, time: Time) -> None:
    store_rule(team, kind="refused", numbers=NUMBERS)
    many = UnstoredCount(
        minute_at=START, workspace_id=team.workspace_id, code="rate_limited", count=1_000
    )
    store(*unknown(team, 0, 3), many)
    time.work(1)
    assert messages()[0].text.split("\n")[:2] == [
        "1,000 × Too many requests (rate_limited), only counted",
        "3 × Workflow not found (workflow_not_found), for no-such",
    ]


def test_what_a_request_holds_is_told_as_text_in_one_line(
    team: Team, time: Time, client: FlaskClient
) -> None:
    store_rule(team, kind="refused", numbers=NUMBERS)
    hostile = "x\nRule: none\r\n\x1b[2J\u202e\t<img src=/pwned>"
    error = {"field": "<b>\n" * 20, "code": "missing", "message": ""}
    store(
        *unknown(team, 0, 10, hostile),
        *refusals(team, 1, 2, fingerprint="c" * 16, path="/y" * 900, errors=[error] * 3),
    )
    time.work(1)
    first, second, since = messages()[0].text.split("\n")
    assert first.endswith("for x␊Rule: none␊␛[2J⟨U+202E⟩␉<img src=/pwned>")
    assert second.startswith("2 × <b>␊<b>␊") and "(and 2 more)" in second
    assert len(second) < MOST_TEXT + 10 and since.startswith("Since ")
    sign_in(client, team.email)
    page = client.get(f"/alerts/{alerts()[0].public_id}").text
    assert "<img src=/pwned>" not in page and "&lt;img src=/pwned&gt;" in page
    assert "\u202e" not in page


def test_the_query_goes_along_the_index_over_refused_requests(team: Team) -> None:
    if not is_sqlite():
        pytest.skip("PostgreSQL plans by what the tables hold")
    with groupings() as seen:
        assert find_reasons(db.session(), team.workspace_id, START)["reasons"] == []
    statement, given = seen[0]
    plan = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
    steps = [row[-1] for row in plan]
    assert any("ix_events_rejected (received_at>?)" in step for step in steps), steps
    assert not any(step.startswith("SCAN events") for step in steps), steps
