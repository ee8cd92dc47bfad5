"""A key's end in a real browser: rotated with the moment named, revoked, and what comes after."""

import re

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from app.clock import now
from tests.axe import violations
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam, make_live_colleague

KEY = re.compile(r"fp_[0-9A-Za-z]{36}")
INGEST = "/api/v1/ingest/run-success"


def send(server: LiveServer, team: LiveTeam, key: str) -> requests.Response:
    body = {"workflow_slug": team.slug, "ended_at": now().isoformat()}
    return server.post(INGEST, json=body, headers={"X-API-Key": key})


def read_new_key(page: Page) -> str:
    """Once it is shown."""
    expect(page.get_by_role("heading", name="Copy the key now")).to_be_visible()
    found = KEY.search(page.content())
    assert found is not None
    return found[0]


def open_key(page: Page, server: LiveServer) -> None:
    page.goto(server.url + "/keys")
    page.get_by_role("link", name="n8n-prod", exact=True).click()


def choose_own_time(page: Page, wall: str) -> None:
    page.get_by_label("This key ends after").select_option("date")
    expect(page.locator("#field-keep_on-hint")).to_contain_text("America/New_York time")
    page.get_by_label("Ends at").fill(wall)
    page.get_by_role("button", name="Rotate key").click()


@pytest.mark.everywhere
def test_a_rotated_key_ends_at_the_moment_that_the_question_named(
    live_server: LiveServer, own_team: LiveTeam, browser: Browser
) -> None:
    page = browser.new_context(timezone_id="America/New_York").new_page()
    enter(page.context, live_server, own_team.email)
    open_key(page, live_server)
    dialog, year = page.get_by_role("dialog"), now().year + 1
    check_question_after_a_length(page)
    choose_own_time(page, "")
    expect(page.locator("#field-keep_on-error")).to_contain_text("Enter a date and time")
    choose_own_time(page, f"{year}-07-01T08:15")
    expect(dialog).to_contain_text(f"Its end: 1 Jul {year}, 08:15 EDT · 12:15 UTC.")
    dialog.get_by_role("button", name="Cancel").click()
    choose_own_time(page, f"{year}-01-31T20:30")
    expect(dialog).to_contain_text(f"31 Jan {year}, 20:30 EST · 1 Feb {year}, 01:30 UTC.")
    assert violations(page) == []
    dialog.get_by_role("button", name="Rotate").click()
    read_new_key(page)
    page.goto(live_server.url + "/keys")
    page.get_by_role("link", name="n8n-prod (old)").click()
    expect(page.get_by_role("main")).to_contain_text(f"31 Jan {year}, 20:30:00 EST")
    assert send(live_server, own_team, own_team.key).status_code == 202
    page.context.close()


def check_question_after_a_length(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    at = r"\d+ \w{3} \d{4}, \d\d:\d\d E[SD]T · .*\d\d:\d\d UTC\."
    for name, end in (("7 days", at), ("now", r"now\.")):
        page.get_by_label("This key ends after").select_option(name)
        page.get_by_role("button", name="Rotate key").click()
        expect(dialog).to_contain_text(re.compile(f"Its end: {end}"))
        dialog.get_by_role("button", name="Cancel").click()


@pytest.mark.everywhere
def test_the_event_of_a_revoked_key_says_who_did_it_and_leads_to_a_new_one(
    live_server: LiveServer, own_team: LiveTeam, browser: Browser
) -> None:
    admin = make_live_colleague(live_server, own_team, "admin")
    revoker, page = browser.new_context().new_page(), browser.new_context().new_page()
    enter(revoker.context, live_server, admin)
    enter(page.context, live_server, own_team.email)
    revoker.goto(live_server.url + "/keys")
    revoker.get_by_role("button", name="Revoke n8n-prod").click()
    dialog = revoker.get_by_role("dialog")
    expect(dialog).to_contain_text("Revoke n8n-prod?")
    dialog.get_by_role("button", name="Revoke").click()
    expect(revoker.locator("#toasts")).to_contain_text("“n8n-prod” is revoked")

    refused = send(live_server, own_team, own_team.key)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    address = refused.json()["inspect"]
    wait_for(lambda: page.goto(address).status == 200)
    main = page.get_by_role("main")
    expect(main).to_contain_text(re.compile(rf"n8n-prod was revoked by {re.escape(admin)}\s+on \d"))
    assert violations(page) == []
    page.get_by_role("link", name="Make a new key").click()
    expect(page).to_have_url(f"{live_server.url}/keys#new-key")
    page.get_by_label("Name").fill("n8n again")
    page.get_by_role("button", name="Create key").click()
    assert send(live_server, own_team, read_new_key(page)).status_code == 202
    for each in (revoker, page):
        each.context.close()
