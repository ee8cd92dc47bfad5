"""The overview in a real browser: who fails, what was refused, and all of it anew in place."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.clock import now
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam

RUNS = "/api/v1/runs?outcome=failure"


@pytest.fixture
def team(live_server: LiveServer, own_team: LiveTeam, page: Page) -> LiveTeam:
    """Something of each kind to look at."""
    good = {"workflow_slug": own_team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    bad = {**good, "ended_at": now().isoformat(), "error_message": "429 from the CRM"}
    send(live_server, own_team, "success", {**good, "workflow_slug": "lead-enrichmnt"})
    send(live_server, own_team, "success", good)
    send(live_server, own_team, "failure", bad)
    wait_for(lambda: live_server.get(RUNS, headers=own_team.headers).json()["data"])
    enter(page.context, live_server, own_team.email)
    page.goto(live_server.url)
    return own_team


def send(server: LiveServer, team: LiveTeam, kind: str, body: dict[str, Any]) -> None:
    server.post(f"/api/v1/ingest/run-{kind}", json=body, headers=team.headers)


@pytest.mark.everywhere
def test_the_overview_tells_what_needs_attention_and_is_fetched_anew_in_place(
    page: Page, live_server: LiveServer, team: LiveTeam
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    attention = page.locator(".attention")
    expect(attention).to_contain_text("429 from the CRM")
    row = page.get_by_role("row", name=team.name)
    expect(row).to_contain_text("Failing")
    expect(page.get_by_role("row", name="Invoice sync")).to_contain_text("first report")
    opened_at = page.evaluate("performance.timeOrigin")
    row.get_by_role("link").focus()
    focused = page.evaluate("document.activeElement.id")
    assert focused.startswith("workflow-")
    send(live_server, team, "success", {"workflow_slug": "quite-new", "ended_at": "x"})
    told = attention.get_by_text("× ended_at is not a date and time").first
    for _ in range(20):  # Refused requests are stored within moments.
        refresh(page)
        page.wait_for_timeout(250)
        if told.is_visible():
            break
    expect(told).to_be_visible()
    assert page.evaluate("document.activeElement.id") == focused
    assert page.evaluate("performance.timeOrigin") == opened_at
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    refresh(page)
    page.wait_for_timeout(300)
    assert asked == []
    assert errors == []


def refresh(page: Page) -> None:
    page.evaluate("htmx.trigger(document.getElementById('overview'), 'every')")


def test_an_answer_that_is_no_overview_leaves_the_page_as_it_is(page: Page, team: LiveTeam) -> None:
    page.context.clear_cookies()
    with page.expect_response("**/overview") as answer:
        refresh(page)
    assert answer.value.status == 401
    page.wait_for_timeout(200)
    expect(page.get_by_role("row", name=team.name)).to_be_visible()
