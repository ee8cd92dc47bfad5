"""The workspace's settings in a real browser: retention, roles, and a person who is removed."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.axe import violations
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam, make_live_colleague


@pytest.mark.everywhere
def test_the_settings_are_changed_each_with_its_question(
    live_server: LiveServer, own_team: LiveTeam, browser: Browser
) -> None:
    colleague = make_live_colleague(live_server, own_team, "viewer")
    page, other = browser.new_context().new_page(), browser.new_context().new_page()
    enter(page.context, live_server, own_team.email)
    enter(other.context, live_server, colleague)
    page.goto(live_server.url + "/settings")
    check_retention(page)
    check_role(page, other, live_server, colleague)
    check_removal(page, other, live_server, colleague)
    for each in (page, other):
        each.context.close()


def check_retention(page: Page) -> None:
    """Mistakes at both fields at once; a question that names the workspace; No changes nothing."""
    refused, events = page.get_by_label("Refused requests"), page.get_by_label("Events and succ")
    dialog = page.get_by_role("dialog")
    refused.fill("0")
    events.fill("ten")
    save(page, "Change retention")
    for field in ("rejected_days", "event_days"):
        expect(page.locator(f"#field-{field}-error")).to_be_visible()
    expect(refused).to_have_value("0")
    assert violations(page) == []
    refused.fill("3")
    events.fill("")
    page.get_by_role("button", name="Save retention").click()
    expect(dialog).to_contain_text(re.compile("Change the retention of .+\\?"))
    expect(dialog).to_contain_text("can't be brought back")
    dialog.get_by_role("button", name="Cancel").click()
    page.goto(page.url.removesuffix("/retention"))
    expect(refused).to_have_value("")
    refused.fill("3")
    save(page, "Change retention")
    expect(page.locator("#toasts")).to_contain_text("Saved.")
    expect(page.locator("#retention")).to_contain_text("Now kept for 3 days")


def save(page: Page, label: str) -> None:
    page.get_by_role("button", name="Save retention").click()
    page.get_by_role("dialog").get_by_role("button", name=label).click()


def check_role(page: Page, other: Page, server: LiveServer, colleague: str) -> None:
    """It counts from the person's next click on, which leads to the sign-in and says why."""
    other.goto(server.url + "/keys")
    expect(other.get_by_role("button", name="Create key")).to_have_count(0)
    page.get_by_label(f"Role of {colleague}", exact=True).select_option("member")
    page.get_by_role("button", name=f"Change the role of {colleague}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Change the role of {colleague}?")
    dialog.get_by_role("button", name="Change role").click()
    expect(page.locator("#toasts")).to_contain_text(f"{colleague} now has the role member.")
    other.reload()
    expect(other.get_by_role("main")).to_contain_text("Your role has changed")
    enter(other.context, server, colleague)
    other.goto(server.url + "/keys")
    expect(other.get_by_role("button", name="Create key")).to_be_visible()


def check_removal(page: Page, other: Page, server: LiveServer, colleague: str) -> None:
    """Their next click leads to the sign-in and says why, and they are in the list no more."""
    people = page.locator("#members")
    page.get_by_role("button", name=f"Remove {colleague}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Remove {colleague}?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(people).to_contain_text(colleague)
    page.get_by_role("button", name=f"Remove {colleague}").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.locator("#toasts")).to_contain_text("is no longer in the workspace")
    expect(people).not_to_contain_text(colleague)
    other.goto(server.url + "/events")
    expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(other.get_by_role("main")).to_contain_text("removed")
    enter(other.context, server, colleague)
    other.goto(server.url + "/events")
    expect(other.get_by_role("heading", level=1)).to_contain_text("no workspace")
    expect(other.get_by_role("main")).not_to_contain_text("Create key")
