"""The walk to a channel that works: add it, send a test, see the answer, read the log."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.channels.receivers import Receiver, Reply
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam


@pytest.mark.everywhere
def test_a_webhook_is_added_and_tried_out(
    live_server: LiveServer, own_team: LiveTeam, page: Page
) -> None:
    with Receiver() as receiver:
        receiver.reply = lambda _: Reply(404, b"no such hook")
        enter(page.context, live_server, own_team.email)
        page.goto(live_server.url + "/alerts/channels")
        page.get_by_role("link", name="Webhook", exact=True).click()
        page.get_by_label("Name").fill("Our own receiver")
        page.get_by_label("Address").fill(f"{receiver.url}/flowpulse")
        page.get_by_role("button", name="Save channel").click()
        expect(page.locator("#new-secret")).to_contain_text(re.compile("whsec_.+"))
        page.get_by_role("link", name="I have copied the secret").click()

        page.get_by_role("button", name="Send a test").click()
        expect(page.locator("#test")).to_contain_text("The test was not delivered", timeout=20_000)
        expect(page.locator("#test pre")).to_have_text("no such hook")
        expect(page.locator("#test")).to_contain_text("answered 404")
        receiver.reply = lambda _: Reply(200, b"thank you")
        page.get_by_role("button", name="Send a test").click()
        expect(page.locator("#test")).to_contain_text("The test was delivered", timeout=20_000)
        expect(page.locator("#test pre")).to_have_text("thank you")
        expect(page.locator("#channel-state")).to_have_text("Works")

        log = page.locator("#log tbody tr")
        expect(log).to_have_count(2)
        expect(log.first).to_contain_text("Delivered")
        log.last.get_by_role("link").click()
        expect(page.locator("pre.answer")).to_have_text("no such hook")
        page.get_by_role("button", name="Try again now").click()
        expect(page.locator("#toasts")).to_contain_text("sent within a second")
    ids = {each.headers["webhook-id"] for each in receiver.received[:2]}
    assert len(ids) == 2
