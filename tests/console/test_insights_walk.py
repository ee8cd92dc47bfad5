"""Run history and charts in a real browser: found, opened, followed; ranges, words, the dark."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.axe import COLOURS, violations
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam

ORDER = "order-walk-1"


@pytest.fixture
def sent(live_server: LiveServer, own_team: LiveTeam) -> None:
    """An order that two workflows worked on, and another failure with the same error."""
    for number, (kind, slug, correlation) in enumerate(
        (
            ("success", own_team.slug, ORDER),
            ("failure", own_team.other_slug, ORDER),
            ("failure", own_team.other_slug, "order-walk-2"),
        )
    ):
        ended_at = datetime.now(UTC) - timedelta(minutes=90 - 5 * number)
        send(
            live_server,
            own_team,
            kind,
            workflow_slug=slug,
            correlation_id=correlation,
            ended_at=ended_at.isoformat(),
            duration_ms=120_000,
            external_execution_id=f"walk-{number}",
            metadata={"url": f"https://n8n.example.com/e/{number}"},
            **({"error_message": f"429 for invoice {number}"} if kind == "failure" else {}),
        )
    wait_for(lambda: is_processed(live_server, own_team), 30, 0.2)


def send(server: LiveServer, team: LiveTeam, kind: str, **body: Any) -> None:
    answer = server.post(f"/api/v1/ingest/run-{kind}", json=body, headers=team.headers)
    assert answer.status_code == 202, answer.text


def is_processed(server: LiveServer, team: LiveTeam) -> bool:
    path = "/api/v1/runs?external_execution_id=walk-2"
    return len(server.get(path, headers=team.headers).json()["data"]) == 1


def open_signed_in(
    browser: Browser, server: LiveServer, team: LiveTeam, path: str, **context: Any
) -> tuple[Page, list[str]]:
    """A page, and what goes wrong on it from now on."""
    page = browser.new_context(reduced_motion="reduce", **context).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    enter(page.context, server, team.email)
    page.goto(server.url + path)
    return page, errors


@pytest.mark.everywhere
@pytest.mark.usefixtures("sent")
def test_a_failure_is_found_understood_and_followed(
    browser: Browser, live_server: LiveServer, own_team: LiveTeam
) -> None:
    page, errors = open_signed_in(browser, live_server, own_team, "/runs")
    search = page.get_by_role("searchbox", name="Search ids, errors and metadata")
    search.fill("429 for invoice 1")
    search.press("Enter")
    rows = page.locator("table.runs tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("walk-1")
    page.get_by_role("link", name="Remove the filter Text").click()
    page.locator("summary", has_text="Filter").click()
    page.get_by_label("Correlation ID").fill(ORDER)
    page.get_by_role("button", name="Apply").click()
    expect(rows).to_have_count(2)
    page.get_by_label("Outcome").get_by_role("link", name="Failed").click()
    expect(rows).to_have_count(1)
    source = rows.get_by_role("link", name="walk-1")
    expect(source).to_have_attribute("href", "https://n8n.example.com/e/1")

    rows.locator("a.row-link").click()
    expect(page.get_by_role("heading", name="Run of Invoice sync")).to_be_visible()
    expect(page.locator("#error-message")).to_have_text("429 for invoice 1")
    steps = page.locator("table.timeline tbody tr")
    expect(steps).to_have_count(2)
    expect(steps.nth(1)).to_have_attribute("aria-current", "true")
    assert violations(page) == []
    steps.nth(0).get_by_role("link").click()
    expect(page.get_by_role("heading", name="Run of Lead enrichment")).to_be_visible()
    page.go_back()

    page.get_by_role("link", name="All failures with this error").click()
    expect(page.get_by_role("heading", name="… for invoice …")).to_be_visible()
    expect(rows).to_have_count(2)
    page.get_by_role("link", name="Failures by error").click()
    group = page.get_by_role("row", name="… for invoice …")
    expect(group).to_contain_text("Invoice sync")
    group.get_by_role("link").click()
    expect(rows).to_have_count(2)
    assert errors == []
    page.context.close()


@pytest.mark.usefixtures("sent")
def test_charts_change_their_range_speak_in_words_and_go_dark(
    browser: Browser, live_server: LiveServer, own_team: LiveTeam
) -> None:
    zone = {"timezone_id": "Asia/Kathmandu"}
    page, errors = open_signed_in(browser, live_server, own_team, "/insights", **zone)
    expect(page.get_by_role("heading", name="Runs per hour")).to_be_visible()
    page.get_by_label("Time", exact=True).get_by_role("link", name="30 d").click()
    expect(page).to_have_url(re.compile(r"/insights\?range=30d$"))
    expect(page.get_by_role("heading", name="Runs per day")).to_be_visible()
    expect(page.get_by_text(re.compile("Days are those of Asia/Kath?mandu"))).to_be_visible()
    expect(
        page.get_by_role("img", name=re.compile("^Runs by day over 30 d: .* failed$"))
    ).to_be_visible()

    page.locator("summary", has_text="The numbers as a table").click()
    table = page.get_by_role("region", name="Runs by day").locator("tbody tr")
    expect(table.first).to_be_visible()
    assert violations(page) == []
    bar = page.locator(".plot .failure").first
    bright = bar.evaluate("bar => getComputedStyle(bar).fill")
    page.emulate_media(color_scheme="dark")
    expect(bar).not_to_have_css("fill", bright)
    assert violations(page, COLOURS) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("row", name="Invoice sync").get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"/workflows/\w+\?range=30d$"))
    expect(page.get_by_role("heading", name="How it went")).to_be_visible()
    page.get_by_label("Time", exact=True).get_by_role("link", name="24 h").click()
    expect(page.get_by_role("heading", name="Runs per hour")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert errors == []
    page.context.close()
