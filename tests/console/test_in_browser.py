"""What only a browser shows of the account: the theme's first paint, zones, and toasts."""

import re
from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from tests.factories import PASSWORD
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team


def sign_in(page: Page, server: LiveServer, team: LiveTeam) -> None:
    page.goto(server.url + "/sign-in")
    page.get_by_label("E-mail").fill(team.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("details.menu")).to_be_visible()


def test_the_account_follows_its_owner(
    make_server: Callable[..., LiveServer], browser: Browser
) -> None:
    server = make_server()
    team = make_live_team(server)
    page = browser.new_context(timezone_id="America/New_York").new_page()
    sign_in(page, server, team)
    check_times(page, server, team)
    check_theme(page, server, browser, team)
    check_toasts(page, server)


def check_times(page: Page, server: LiveServer, team: LiveTeam) -> None:
    """The browser's zone, then the account's, also in rows that come over the stream."""
    for choice, zone in (("", r"E[SD]T"), ("Europe/Berlin", r"CES?T")):
        page.goto(server.url + "/account")
        page.get_by_label("Time zone").select_option(choice)
        page.get_by_role("button", name="Save time zone").click()
        told = re.compile(rf"\d\d:\d\d:\d\d {zone} · .*\d\d:\d\d:\d\d UTC")
        expect(page.locator("#field-time_zone-hint time")).to_have_text(told)
        page.goto(server.url + "/events")
        expect(page.locator("[data-live-pill][data-state=live]")).to_be_visible()
        body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
        answer = server.post("/api/v1/ingest/run-success", json=body, headers=team.headers)
        time = page.locator(f"#event-{answer.json()['event_id']} time")
        expect(time).to_have_attribute("title", told)
        title = str(time.get_attribute("title"))
        assert time.inner_text() in title
        page.reload()
        expect(time).to_have_attribute("title", title)


def check_theme(page: Page, server: LiveServer, browser: Browser, team: LiveTeam) -> None:
    """The menu's switch saves; another browser gets it in the first line, without JavaScript."""
    page.locator("details.menu summary").click()
    with page.expect_response("**/account/theme") as answer:
        page.locator("[data-theme-choice=dark]").click()
    assert answer.value.status == 204
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    other = browser.new_context(java_script_enabled=False, color_scheme="light").new_page()
    sign_in(other, server, team)
    expect(other.locator("html")).to_have_class("dark")
    other.context.close()


def check_toasts(page: Page, server: LiveServer) -> None:
    """In a corner, above the page, told to screen readers; from a header of htmx' answers too."""
    page.goto(server.url + "/account")
    top = page.locator("h1").bounding_box()
    page.get_by_label("Name").fill("Ana")
    page.get_by_role("button", name="Save profile").click()
    toast = page.locator("#toasts > li")
    expect(toast).to_have_text(re.compile("Your profile is saved."))
    expect(page.locator("#announcer")).to_have_text("Your profile is saved.")
    assert page.locator("h1").bounding_box() == top
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    header = (
        '{"toast": {"target": "#toasts", "toasts": [{"category": "error", "text": "<b>No</b>"}]}}'
    )
    page.route(
        "**/try", lambda route: route.fulfill(body="", headers={"HX-Trigger": header}, status=200)
    )
    page.evaluate("htmx.ajax('GET', '/try', {source: 'main', target: 'main', swap: 'none'})")
    expect(toast).to_contain_text("<b>No</b>")
    expect(toast).to_have_attribute("data-stays", "")
