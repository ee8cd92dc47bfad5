"""What only a browser shows of the account: the theme's first paint, zones, and toasts."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from app.clock import now
from tests.factories import PASSWORD
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam, make_live_colleague

NEW = "quite another long password"


@pytest.mark.everywhere
def test_the_account_follows_its_owner(
    live_server: LiveServer, own_team: LiveTeam, browser: Browser
) -> None:
    page = browser.new_context(timezone_id="America/New_York").new_page()
    enter(page.context, live_server, own_team.email)
    check_times(page, live_server, own_team)
    check_theme(page, live_server, browser, own_team)
    check_toasts(page, live_server)
    check_last_day(page, live_server)
    check_sessions(page, live_server, browser, own_team)
    check_password(page, live_server, browser, own_team)
    check_viewer(live_server, browser, own_team)
    page.context.close()


def check_times(page: Page, server: LiveServer, team: LiveTeam) -> None:
    """The browser's zone, then the account's, also in rows that come over the stream."""
    for choice, zone in (("", r"E[SD]T"), ("Europe/Berlin", r"CES?T")):
        page.goto(server.url + "/account")
        page.get_by_label("Time zone").select_option(choice)
        page.get_by_role("button", name="Save time zone").click()
        told = re.compile(rf"\d\d:\d\d:\d\d(\.\d{{3}})? {zone} · .*\d\d:\d\d:\d\d(\.\d{{3}})? UTC")
        expect(page.locator("#field-time_zone-hint time")).to_have_text(told)
        page.goto(server.url + "/events")
        expect(page.locator("[data-live-pill][data-state=live]")).to_be_visible()
        body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
        answer = server.post("/api/v1/ingest/run-success", json=body, headers=team.headers)
        time = page.locator(f"#event-{answer.json()['event_id']} time")
        expect(time).to_have_attribute("title", told)
        title = str(time.get_attribute("title"))
        expect(time).to_have_text(re.compile(r"^(just now|\d+ s ago)$"))
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
    enter(other.context, server, team.email)
    other.goto(server.url + "/account")
    expect(other.locator("html")).to_have_class("dark")
    other.context.close()


def check_last_day(page: Page, server: LiveServer) -> None:
    """Without a zone of the account's, a day ends where the browser is."""
    page.goto(server.url + "/account")
    page.get_by_label("Time zone").select_option("")
    page.get_by_role("button", name="Save time zone").click()
    page.goto(server.url + "/keys")
    page.get_by_label("Name").fill("Until spring")
    page.get_by_label("Expires after").select_option("date")
    expect(page.locator("#field-expires_on-hint")).to_contain_text("America/New_York time")
    page.get_by_label("Last day").fill(f"{now().year + 1}-01-31")
    page.get_by_role("button", name="Create key").click()
    expires = page.get_by_role("definition").filter(has_text="31 Jan")
    expect(expires).to_contain_text("23:59:59 EST · ")
    expect(expires).to_contain_text("04:59:59 UTC")


def check_sessions(page: Page, server: LiveServer, browser: Browser, team: LiveTeam) -> None:
    """One is ended, then all others: they have to sign in again at their next click."""
    others = [browser.new_context().new_page() for _ in range(2)]
    for other in others:
        enter(other.context, server, team.email)
    page.goto(server.url + "/account")
    end = page.get_by_role("button", name="End the session in Chrome on Linux")
    assert end.count() == 3  # The one of the theme's look is there too.
    end.first.click()
    page.get_by_role("dialog").get_by_role("button", name="End session").click()
    expect(page.locator("#toasts")).to_contain_text("The session has ended.")
    expect(end).to_have_count(2)
    page.get_by_role("button", name="End all others").click()
    page.get_by_role("dialog").get_by_role("button", name="End 2 sessions").click()
    expect(page.get_by_text("You are signed in nowhere else.")).to_be_visible()
    for other in others:
        other.goto(server.url + "/events")
        expect(other).to_have_url(re.compile("/sign-in"))
        other.context.close()


def check_password(page: Page, server: LiveServer, browser: Browser, team: LiveTeam) -> None:
    """Both mistakes are told at once; the new one opens the door, and the old one no more."""
    page.goto(server.url + "/account")
    for old, new in (("a wrong password", team.email), (PASSWORD, NEW)):
        page.get_by_label("Current password").fill(old)
        page.get_by_label("New password").fill(new)
        page.get_by_role("button", name="Change password").click()
        if old != PASSWORD:
            expect(page.locator("#field-old_password-error")).to_be_visible()
            expect(page.locator("#field-new_password-error")).to_be_visible()
    expect(page.locator("#toasts")).to_contain_text("Your password is changed.")
    other = browser.new_context().new_page()
    other.goto(server.url + "/sign-in?next=/account")
    other.get_by_label("E-mail").fill(team.email)
    other.get_by_label("Password").fill(NEW)
    other.get_by_role("button", name="Sign in").click()
    expect(other).to_have_url(server.url + "/account")
    other.context.close()


def check_viewer(server: LiveServer, browser: Browser, team: LiveTeam) -> None:
    """A viewer looks at everything but key material, changes what is theirs, and nothing else."""
    viewer = browser.new_context().new_page()
    enter(viewer.context, server, make_live_colleague(server, team, "viewer"))
    main = viewer.get_by_role("main")
    for path in ("/", "/workflows", f"/workflows/{team.workflow_id}", "/keys", "/settings"):
        viewer.goto(server.url + path)
        expect(main).to_be_visible()
        assert main.locator("form[method=post]").count() == 0, path
        assert team.key[:11] not in viewer.content()
    expect(main).to_contain_text("Admins and owners change them.")
    viewer.goto(server.url + "/keys")
    viewer.get_by_role("link", name="n8n-prod").click()
    expect(main).to_contain_text("Who uses it")
    assert main.locator("form").count() == 0 and team.key[:11] not in viewer.content()
    viewer.goto(server.url + "/account")
    viewer.get_by_label("Name").fill("Vic")
    viewer.get_by_role("button", name="Save profile").click()
    expect(viewer.locator("#toasts")).to_contain_text("Your profile is saved.")
    viewer.context.close()


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
