"""The API reference and the table in a real browser: tried, explained, and found in the log."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam


@pytest.mark.everywhere
def test_an_endpoint_is_tried_and_its_refusal_is_found_in_the_table_and_the_log(
    live_server: LiveServer, own_team: LiveTeam, page: Page
) -> None:
    enter(page.context, live_server, own_team.email)
    page.goto(f"{live_server.url}/docs")
    form = page.locator("form[data-try][data-path$='/run-success']")
    page.locator("details.try", has=form).locator("summary").click()
    form.get_by_label("Body").fill(f'{{"workflow_slug": "{own_team.slug}"}}')
    form.get_by_label("API key").fill(own_team.headers["X-API-Key"])
    form.get_by_role("button", name="Send with the key").click()
    tried = page.locator("details.try", has=form).locator("[data-try-answer]")
    expect(tried).to_contain_text("validation_failed")
    form.get_by_role("button", name="Send as a test").click()
    tried.get_by_role("link", name="Cause and fix").click()
    expect(page).to_have_url(re.compile(r"/troubleshooting#missing$"))
    expect(page.locator("#missing")).to_be_in_viewport()

    page.get_by_label("Search the table").fill("ended_at is missing")
    expect(page.locator("#unknown_api_key")).to_have_count(0)
    assert wait_for(lambda: is_counted(page))
    page.locator("#missing").get_by_role("link", name="1 time in 24 h").click()
    expect(page).to_have_url(re.compile(r"/events\?code=missing&period=24h&by=senders$"))
    expect(page.locator("#log tbody > tr")).to_have_count(1)


def is_counted(page: Page) -> bool:
    """A refused request is stored within moments."""
    page.goto(re.sub(r"[?#].*", "", page.url) + "?q=missing")
    return bool(page.locator("#missing a[href^='/events']").count())
