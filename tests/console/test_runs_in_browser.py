"""The list of runs in a real browser: what still runs above what has ended, line by line."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from app.clock import now
from tests.layout import cut_off
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam

MESSAGE = "HTTP 429 from the CRM: too many requests, try again later. " * 3
PLATFORMS = ("n8n", "make", "a platform with a long name")


@pytest.fixture
def team(live_server: LiveServer, own_team: LiveTeam, page: Page) -> LiveTeam:
    """Three runs that go on, and three that have ended."""
    for number, minutes in enumerate((1, 30, 26 * 60)):
        began = now() - timedelta(minutes=minutes, seconds=13)
        body = {"started_at": began.isoformat(), "source_platform": PLATFORMS[number]}
        send(live_server, own_team, "start", {**body, "external_execution_id": f"open-{number}"})
        body["ended_at"] = (began + timedelta(seconds=7**number)).isoformat()
        send(live_server, own_team, "success", {**body, "external_execution_id": "e" * 40 * number})
        send(live_server, own_team, "failure", {**body, "error_message": MESSAGE})
    address = "/api/v1/runs?limit=50"
    wait_for(lambda: len(live_server.get(address, headers=own_team.headers).json()["data"]) == 9)
    enter(page.context, live_server, own_team.email)
    return own_team


def send(server: LiveServer, team: LiveTeam, kind: str, fields: dict[str, Any]) -> None:
    given = {"workflow_slug": team.slug, **{name: value for name, value in fields.items() if value}}
    assert server.post(f"/api/v1/ingest/run-{kind}", json=given, headers=team.headers).ok


def edges(found: Locator, side: str) -> list[int]:
    """Where each of them begins or ends, in pixels."""
    places: list[int] = found.evaluate_all(
        "(all, side) => all.map((each) => Math.round(each.getBoundingClientRect()[side]))", side
    )
    return places


@pytest.mark.once
def test_what_runs_has_the_columns_of_what_has_ended(
    live_server: LiveServer, team: LiveTeam, page: Page
) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{live_server.url}/runs")
    running, ended = page.locator("table.runs").all()
    assert edges(running.locator("th"), "left") == edges(ended.locator("th"), "left")
    expect(running.locator("th").first).to_have_text("Started")
    expect(running.locator(".row-link").first).to_have_text("1 min ago", use_inner_text=True)
    assert cut_off(page) == []


@pytest.mark.once
def test_on_a_phone_a_run_that_goes_on_says_since_when_and_all_badges_are_at_the_edge(
    live_server: LiveServer, team: LiveTeam, page: Page
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/runs")
    running, ended = page.locator("table.runs").all()
    first = running.locator(".row-link").first
    expect(first).to_have_text("started 1 min ago", use_inner_text=True)
    badges = edges(page.locator(".runs .state"), "right")
    assert len(badges) == 9 and set(badges) == {max(edges(ended.locator("tr"), "right"))}
    assert set(edges(page.locator(".runs .num"), "right")) == set(badges)
    assert cut_off(page) == []
