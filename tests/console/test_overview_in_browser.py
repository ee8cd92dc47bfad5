"""Overview and problems in a real browser: for everybody, light and dark, and in place."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.axe import violations
from tests.factories import PASSWORD
from tests.server import LiveServer
from tests.teams import LiveTeam


@pytest.fixture
def sent(live_server: LiveServer, live_team: LiveTeam) -> None:
    """Something of each kind to look at."""
    good = {"workflow_slug": live_team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    send(live_server, live_team, "success", good)
    send(live_server, live_team, "failure", {**good, "error_message": "429 from the CRM"})
    send(live_server, live_team, "success", {**good, "workflow_slug": "lead-enrichmnt"})
    send(live_server, live_team, "success", {"workflow_slug": live_team.slug})


def send(server: LiveServer, team: LiveTeam, kind: str, body: dict[str, Any]) -> None:
    server.post(f"/api/v1/ingest/run-{kind}", json=body, headers=team.headers)


def sign_in(page: Page, server: LiveServer, team: LiveTeam) -> None:
    page.goto(server.url + "/sign-in")
    page.get_by_label("E-mail").fill(team.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@pytest.mark.looks
@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_for_everybody(
    browser: Browser, live_server: LiveServer, live_team: LiveTeam, scheme: Any
) -> None:
    for width in (1280, 390):
        context = browser.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",
        )
        page = context.new_page()
        sign_in(page, live_server, live_team)
        page.goto(live_server.url + "/problems")
        group = page.locator("table.problems a.row-link").first.get_attribute("href") or ""
        for path in ("/", "/problems", "/problems?show=ignored&window=7d", group):
            page.goto(live_server.url + path)
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        context.close()


@pytest.mark.usefixtures("sent")
def test_the_overview_is_fetched_anew_in_place(
    page: Page, live_server: LiveServer, live_team: LiveTeam
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    sign_in(page, live_server, live_team)
    opened_at = page.evaluate("performance.timeOrigin")
    link = page.get_by_role("row", name=live_team.name).get_by_role("link")
    link.focus()
    focused = page.evaluate("document.activeElement.id")
    assert focused.startswith("workflow-")
    send(live_server, live_team, "success", {"workflow_slug": "quite-new", "ended_at": "x"})
    told = page.locator(".attention").get_by_text("× ended_at is not a date and time").first
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


@pytest.mark.usefixtures("sent")
def test_an_answer_that_is_no_overview_leaves_the_page_as_it_is(
    page: Page, live_server: LiveServer, live_team: LiveTeam
) -> None:
    sign_in(page, live_server, live_team)
    page.context.clear_cookies()
    with page.expect_response("**/overview") as answer:
        refresh(page)
    assert answer.value.status == 401
    page.wait_for_timeout(200)
    expect(page.get_by_role("row", name=live_team.name)).to_be_visible()
