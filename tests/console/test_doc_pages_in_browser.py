"""From the overview of the documents to a file in the clipboard, with the reader's values in it."""

import re

import pytest
from playwright.sync_api import Page, expect

from app.console.integration_files import read_file
from app.console.snippet_parts import Target
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam


@pytest.mark.once
def test_a_file_is_found_filled_in_and_copied(
    live_server: LiveServer, own_team: LiveTeam, page: Page
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    enter(page.context, live_server, own_team.email)
    page.goto(f"{live_server.url}/docs")
    page.get_by_label("Documents").get_by_role("link", name="Integrations").click()
    page.get_by_role("main").get_by_role("link", name="n8n").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("n8n")
    page.get_by_label("Workflow in the snippets").select_option(own_team.slug)
    page.get_by_role("button", name="Fill in").click()
    expect(page).to_have_url(re.compile(rf"workflow={own_team.slug}&key="))
    page.get_by_role("button", name="Copy success-step.json").click()
    expect(page.locator(".copy[data-copied]")).to_have_count(1)
    target = Target(live_server.url, own_team.workflow_id, own_team.slug)
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == read_file("n8n/success-step.json", target).strip()
    assert own_team.headers["X-API-Key"] not in page.content()
