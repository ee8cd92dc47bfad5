"""From a rule that shows what it would have sent to messages that arrive, in a real browser."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.channels.receivers import Receiver
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam


def report(server: LiveServer, team: LiveTeam, kind: str, minutes_ago: float = 0) -> None:
    ended_at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    body = {
        "workflow_slug": team.slug,
        "ended_at": ended_at.isoformat(),
        "error_message": "<b>no credit</b> @everyone",
    }
    answer = requests.post(
        f"{server.url}/api/v1/ingest/run-{kind}", json=body, headers=team.headers, timeout=10
    )
    assert answer.status_code == 202


@pytest.mark.everywhere
def test_a_rule_is_tried_out_made_and_tells_of_a_failure_and_of_its_end(
    live_server: LiveServer, own_team: LiveTeam, page: Page
) -> None:
    report(live_server, own_team, "failure", 90)
    report(live_server, own_team, "success", 60)
    with Receiver() as receiver:
        enter(page.context, live_server, own_team.email)
        page.goto(live_server.url + "/alerts/channels/new/webhook")
        page.get_by_label("Name").fill("Our server")
        page.get_by_label("Address").fill(receiver.url + "/hook")
        page.get_by_role("button", name="Save").click()
        page.wait_for_load_state("load")

        page.goto(live_server.url + "/alerts/rules")
        page.get_by_role("link", name="New rule").click()
        page.get_by_role("link", name="Failed runs").click()
        preview = page.locator("#preview")
        expect(preview).to_contain_text("2 messages about 1 alert")
        page.get_by_label("Failures in a row").fill("2")
        expect(preview).to_contain_text("it would have kept quiet")
        page.get_by_label("Failures in a row").fill("0")
        expect(preview).to_contain_text("Enter a whole number from 1 to 100. 0 came.")
        page.get_by_label("Failures in a row").fill("1")
        expect(preview).to_contain_text("2 messages about 1 alert")
        expect(page.get_by_label("Our server")).to_be_checked()
        page.get_by_role("button", name="Create rule").click()
        expect(page.locator(".rule")).to_contain_text("Tells Our server")

        report(live_server, own_team, "failure")
        wait_for(lambda: len(receiver.received) == 1, 20)
        report(live_server, own_team, "success")
        wait_for(lambda: len(receiver.received) == 2, 20)
        texts = [each.body.decode() for each in receiver.received]
        assert "Lead enrichment failed" in texts[0] and "no credit" in texts[0]
        assert "Lead enrichment works again" in texts[1]

        page.goto(live_server.url + "/alerts?view=past")
        page.get_by_role("link", name="Lead enrichment failed").click()
        expect(page.locator(".told > li")).to_have_count(2)
        expect(page.locator(".told")).to_contain_text("Delivered")
        expect(page.locator(".given-block")).to_have_text("<b>no credit</b> @everyone")
