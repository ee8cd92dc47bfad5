"""What is still running stands above the history, by the same filter."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.clock import now
from app.console import run_search
from app.console.open_runs import MOST_SHOWN
from app.extensions import writing
from app.models import Run
from app.processing.batch import process_batch
from app.workspaces.workflows import create_workflow
from tests.console.pages import Page, open_page
from tests.factories import Team, make_team, report, run_row

OPEN = {"outcome": "running", "ended_at": None, "duration_ms": None}
HEADING = "Still running"


def add(team: Team, name: str, minutes: float = 5, **columns: Any) -> None:
    """A run that ended, or with OPEN began, so many minutes ago."""
    moment = now() - timedelta(minutes=minutes)
    row = run_row(team, moment, external_execution_id=name) | {"started_at": moment} | columns
    with writing() as session:
        session.execute(insert(Run.__table__), [row])  # type: ignore[arg-type]


def shown(page: Page) -> list[str]:
    """The execution ids of the rows, from the top."""
    return [
        values["title"] or ""
        for tag, values in page.tags
        if tag == "span" and values.get("class") == "clip" and "title" in values
    ]


@pytest.fixture
def mixed(team: Team) -> Team:
    """Two runs that ended, one that runs and one that is stuck."""
    of_n8n = {"source_platform": "n8n", "correlation_id": "order-1"}
    add(team, "done-1", 30, **of_n8n)
    add(team, "done-2", 20)
    add(team, "open-1", 10, **OPEN, **of_n8n, metadata={"customer": "Müller"})
    add(team, "stuck-1", 90, **OPEN, stuck_since=now(), source_workflow_id="wf-7")
    return team


@pytest.mark.parametrize(
    ("query", "running", "ended"),
    [
        ("", ["open-1", "stuck-1"], ["done-2", "done-1"]),
        ("q=open-1", ["open-1"], []),
        ("q=PEN-1", ["open-1"], []),
        ("q=m%C3%BCller", ["open-1"], []),
        ("q=wf-7", ["stuck-1"], []),
        ("q=done", [], ["done-2", "done-1"]),
        ("correlation=order-1", ["open-1"], ["done-1"]),
        ("q=order-1", ["open-1"], ["done-1"]),
        ("platform=n8n", ["open-1"], ["done-1"]),
        ("workflow=lead-enrichment", ["open-1", "stuck-1"], ["done-2", "done-1"]),
        ("workflow=other", [], []),
        ("longer=1800", ["stuck-1"], []),
        ("period=24h&q=-1", ["open-1", "stuck-1"], ["done-1"]),
        ("outcome=success", [], ["done-2", "done-1"]),
        ("outcome=failure", [], []),
        ("outcome=running", ["open-1", "stuck-1"], []),
        ("outcome=stuck", ["stuck-1"], []),
        ("error=0123456789abcdef", [], []),
    ],
)
def test_what_runs_and_fits_is_on_the_first_page(
    owner: FlaskClient, mixed: Team, query: str, running: list[str], ended: list[str]
) -> None:
    create_workflow(mixed.workspace_id, "Other")
    page = open_page(owner, f"/runs?{query}" if query else "/runs")
    assert shown(page) == running + ended
    assert (HEADING in page.text) == (bool(running) and "outcome" not in query)
    assert ("No run fits" in page.text) == (not running and not ended)


def test_a_start_behind_the_end_is_left_out_and_explained(owner: FlaskClient, team: Team) -> None:
    body = {"workflow_slug": team.slug, "external_execution_id": "e-1"}
    report(owner, team, external_execution_id="e-1", ended_at="2026-01-15T09:31:00Z")
    body["started_at"] = "2026-01-15T09:32:00Z"
    answer = owner.post("/api/v1/ingest/run-start", json=body, headers=team.headers)
    while process_batch(100):
        pass
    event = f"/events/{answer.json['event_id']}"
    page = open_page(owner, event)
    assert "It lies behind the end" in page.text
    run = next(link for link in page.links if link.startswith("/runs/"))
    assert "It lies behind the end" in open_page(owner, run).text
    assert shown(open_page(owner, "/runs")) == ["e-1"]


def test_runs_of_another_workspace_stay_there(owner: FlaskClient, team: Team) -> None:
    add(make_team(first=False), "open-1", **OPEN)
    assert "No runs yet" in open_page(owner, "/runs").text
    assert "No run fits" in open_page(owner, "/runs?q=open-1").text


def test_only_runs_that_are_open_are_no_empty_page(owner: FlaskClient, team: Team) -> None:
    add(team, "open-1", **OPEN)
    page = open_page(owner, "/runs")
    assert shown(page) == ["open-1"] and "No runs yet" not in page.text


@pytest.mark.parametrize(("count", "said"), [(MOST_SHOWN, None), (MOST_SHOWN + 2, "Show all 7")])
def test_many_are_a_few_and_a_way_to_all_by_the_same_filter(
    owner: FlaskClient, team: Team, count: int, said: str | None
) -> None:
    for number in range(count):
        add(team, f"open-{number}", number, **OPEN)
    page = open_page(owner, "/runs?q=open")
    assert shown(page) == [f"open-{number}" for number in range(MOST_SHOWN)]
    assert ("Show all" in page.text) == (said is not None) and (said or "") in page.text
    assert len(shown(open_page(owner, "/runs?q=open&outcome=running"))) == count


def test_pages_behind_the_first_show_the_history_alone(owner: FlaskClient, team: Team) -> None:
    add(team, "open-1", **OPEN)
    for number in range(run_search.PAGE_SIZE + 1):
        add(team, f"done-{number}", number)
    first = open_page(owner, "/runs")
    assert shown(first)[:2] == ["open-1", "done-0"]
    older = next(link for link in first.links if "before=" in link)
    second = open_page(owner, older)
    assert shown(second) == [f"done-{run_search.PAGE_SIZE}"]
    newer = next(link for link in second.links if "after=" in link)
    assert HEADING in open_page(owner, newer).text


def test_a_search_among_them_that_takes_too_long_leads_on(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "FIRST_WINDOW", 3)
    monkeypatch.setattr(run_search, "SECONDS", -1)
    for number in range(20):
        add(team, f"open-{number}", number, **OPEN)
    page = open_page(owner, "/runs?q=open-19x")
    assert "No run fits" not in page.text
    assert "/runs?q=open-19x&outcome=running" in page.links


def test_a_search_that_ends_without_more_does_not_deny_what_is_running(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "FIRST_WINDOW", 3)
    monkeypatch.setattr(run_search, "SECONDS", -1)
    add(team, "open-1", **OPEN)
    for number in range(20):
        add(team, f"done-{number}", number)
    page, steps = open_page(owner, "/runs?q=open-1"), 0
    while way_on := next((link for link in page.links if "before=" in link), None):
        assert "No run fits" not in page.text
        page, steps = open_page(owner, way_on), steps + 1
    assert steps > 1 and shown(page) == ["open-1"] and "No run fits" not in page.text
