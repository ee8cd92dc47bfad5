"""The troubleshooting page holds each row of the table, for everybody."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clock import now
from app.console.refusal_counts import count_codes
from app.console.troubleshooting import KIND_TITLES, _top
from app.extensions import writing
from app.ingest.service import ingest_service
from app.models import Event, UnstoredCount
from app.problems import KINDS, PROBLEMS
from tests.console.pages import open_page
from tests.console.refusals import store_refusals
from tests.console.test_problem_groups import explain, fill_log, note_statements
from tests.factories import Team, make_team, report


@pytest.fixture
def text(client: FlaskClient) -> str:
    return open_page(client, "/troubleshooting").text


def test_every_kind_has_its_group() -> None:
    assert set(KIND_TITLES) == set(KINDS)


def test_every_row_is_there_under_its_code(client: FlaskClient) -> None:
    page = open_page(client, "/troubleshooting")
    for code, row in PROBLEMS.items():
        assert page.has_id(code)
        for cell in (row.title, row.where, row.symptom, row.cause, row.fix, row.wrong, row.right):
            assert " ".join(cell.split()) in page.text


def test_the_three_rows_of_the_reference_come_first(text: str) -> None:
    top = text[: text.index("Requests that are refused")]
    for words in (
        "401",
        "X-API-Key or Bearer header",
        "404",
        "workflow_id or workflow_slug",
        "400",
    ):
        assert words in top
    assert "ended_at is present" in top


def test_who_is_signed_in_has_the_navigation(
    client: FlaskClient, owner: FlaskClient, team: Team
) -> None:
    assert "/keys" in open_page(owner, "/troubleshooting").links
    links = open_page(client, "/troubleshooting").links
    assert "/keys" not in links
    assert "/sign-in" in links


def test_a_search_finds_rows_by_code_status_and_words(client: FlaskClient) -> None:
    page = open_page(client, "/troubleshooting?q=WORKFLOW_not_found")
    assert page.has_id("workflow_not_found")
    assert not page.has_id("missing_api_key")
    page = open_page(client, "/troubleshooting?q=header+401")
    assert page.has_id("missing_api_key")
    assert not page.has_id("workflow_not_found")
    nothing = open_page(client, "/troubleshooting?q=%3Cscript%3Ezzz")
    assert "No row holds all of “<script>zzz”" in nothing.text
    assert len(client.get("/troubleshooting?q=" + "x" * 5_000).data) < 20_000


def test_the_page_is_light(owner: FlaskClient) -> None:
    assert len(owner.get("/troubleshooting").data) < 100_000


def test_each_row_says_how_often_it_happened_here(
    client: FlaskClient, owner: FlaskClient, team: Team
) -> None:
    other = make_team("Elsewhere", first=False)
    for _ in range(2):
        report(client, team, workflow_slug="nothing-like-it")
    report(client, team, ended_at=None)
    report(client, team, ended_at=None, error_message='"code":"too_long"')
    report(client, other, workflow_slug="nothing-like-it")
    ingest_service().recorder.flush()
    page = open_page(owner, "/troubleshooting")
    assert "/events?code=workflow_not_found&period=24h&by=senders" in page.links
    assert "/events?code=missing&period=24h&by=senders" in page.links
    assert "/events?code=too_long&period=24h&by=senders" not in page.links
    link = next(each for each in page.links if each.startswith("/events?code=workflow_not_found"))
    store_refusals(team, 3, code="workflow_not_found", origin="test")
    log = owner.get(link)
    assert (log.status_code, log.text.count("<tr id=")) == (200, 2)
    assert owner.get(link.replace("senders", "people")).text.count("<tr id=") == 3
    found = open_page(owner, "/troubleshooting?q=workflow_not_found").text
    assert "2 times in 24 h" in found
    assert "in 24 h" not in open_page(client, "/troubleshooting").text


def test_what_a_sender_is_told_counts_all_that_it_may_mean(
    client: FlaskClient, owner: FlaskClient, team: Team
) -> None:
    for code in ("unknown_api_key", "revoked_api_key", "expired_api_key", "missing_api_key"):
        store_refusals(team, 2, code=code, errors=None)
    page = open_page(owner, "/troubleshooting?q=unauthorized")
    assert "/events?code=unauthorized&period=24h&by=senders" in page.links
    assert page.text.count("6 times in 24 h") == 1
    log = owner.get("/events?code=unauthorized&period=24h&by=senders")
    assert log.text.count("<tr id=") == 6
    top = _top(count_codes([team.workspace_id]).by_code, is_warning=False)
    assert {(problem.code, count) for problem, count in top} == {
        ("unknown_api_key", 2),
        ("revoked_api_key", 2),
        ("expired_api_key", 2),
        ("missing_api_key", 2),
    }


def test_what_is_older_than_a_day_or_a_persons_own_is_not_counted(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    report(client, team, workflow_slug="nothing-like-it")
    ingest_service().recorder.flush()
    with writing() as session:
        session.execute(update(Event).values(received_at=now() - timedelta(hours=25)))
    report(client, team, ended_at=None)
    ingest_service().recorder.flush()
    with writing() as session:
        newest = update(Event).where(Event.code == "validation_failed")
        session.execute(newest.values(origin="test"))
    assert count_codes([team.workspace_id]).by_code == {}


def test_what_was_only_counted_is_counted_too(owner: FlaskClient, team: Team) -> None:
    with writing() as session:
        session.add(
            UnstoredCount(
                minute_at=now(), workspace_id=team.workspace_id, code="rate_limited", count=1234
            )
        )
    assert "1,234 times in 24 h" in open_page(owner, "/troubleshooting").text


def test_beyond_the_bound_the_counts_are_said_to_be_at_least_so_many(
    owner: FlaskClient, client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.refusal_counts.MAX_ROWS", 2)
    for _ in range(3):
        report(client, team, workflow_slug="nothing-like-it")
    ingest_service().recorder.flush()
    text = open_page(owner, "/troubleshooting").text
    assert "at least 2 times in 24 h" in text
    assert "5,000+" in text


def test_each_warning_says_how_often_it_happened_here(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    other = make_team("Elsewhere", first=False)
    for sender in (team, team, other):
        report(client, sender, duration_ms="12")
    report(client, team)
    page = open_page(owner, "/troubleshooting?q=number_as_text")
    assert "2 times in 24 h" in page.text
    (link,) = [each for each in page.links if each.startswith("/events?code=")]
    log = owner.get(link)
    assert (log.status_code, log.text.count("<tr id=")) == (200, 2)
    assert "Tolerated, with a warning" in open_page(owner, "/troubleshooting").text
    with writing() as session:
        session.execute(update(Event).values(origin="test"))
    assert count_codes([team.workspace_id]).by_code == {}


def test_warnings_have_a_bound_of_their_own(
    owner: FlaskClient, client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.refusal_counts.MAX_ROWS", 2)
    for _ in range(3):
        report(client, team, duration_ms="12")
    report(client, team, workflow_slug="nothing-like-it")
    ingest_service().recorder.flush()
    text = open_page(owner, "/troubleshooting").text
    assert "at least 2 times in 24 h" in text and "5,000+" not in text


def test_warnings_are_counted_along_an_index(app: Flask, client: FlaskClient, team: Team) -> None:
    report(client, team, duration_ms="12")
    fill_log(team)
    noted = note_statements(lambda: count_codes([team.workspace_id]))
    (query,) = [each for each in noted if "warnings IS NOT NULL" in each[0]]
    assert any("ix_events_warned" in line for line in explain(*query)), explain(*query)
