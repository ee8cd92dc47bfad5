"""The schedule's page in a real browser: an expression is typed, told in words, and saved."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.axe import violations
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam


@pytest.mark.everywhere
def test_a_schedule_is_suggested_typed_and_saved(
    page: Page, live_server: LiveServer, own_team: LiveTeam
) -> None:
    slug, now = own_team.slug, datetime.now(UTC)
    for number in range(15):
        ended_at = (now - timedelta(minutes=30 * (14 - number))).isoformat()
        body = {"workflow_slug": slug, "ended_at": ended_at}
        live_server.post("/api/v1/ingest/run-success", json=body, headers=own_team.headers)
    about = f"/api/v1/workflows/{slug}"
    workflow = live_server.get(about, headers=own_team.headers).json()
    address = f"/workflows/{workflow['id']}"
    query = f"/api/v1/runs?workflow={slug}"
    wait_for(lambda: len(live_server.get(query, headers=own_team.headers).json()["data"]) >= 15, 20)
    enter(page.context, live_server, own_team.email)
    page.goto(live_server.url + address)
    expect(page.get_by_text("It runs about every 30 minutes: watch it?")).to_be_visible()
    page.get_by_role("button", name="Watch it").click()
    expect(page.locator("#toasts")).to_contain_text("is watched: every 30 minutes")

    preview = page.locator("#schedule-preview")
    expect(preview.locator("li")).to_have_count(5)
    page.get_by_label("At the times of a cron expression").check()
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    expression = page.get_by_label("Cron expression", exact=True)
    expression.fill("30 2 * *")
    expect(preview).to_contain_text("five fields")
    expression.press_sequentially(" MON-FRI")
    expect(preview).to_contain_text("At 02:30 on Monday through Friday")
    expect(preview.locator("li").first).to_contain_text("02:30 CE")
    assert violations(page) == []
    page.get_by_role("button", name="Save schedule").click()
    expect(page.locator("#toasts")).to_contain_text("on Monday through Friday, with")
    told = live_server.get(about, headers=own_team.headers).json()["schedule"]
    assert (told["kind"], told["cron_expression"]) == ("cron", "30 2 * * MON-FRI")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator("#toasts")).to_contain_text("has no schedule any more")
