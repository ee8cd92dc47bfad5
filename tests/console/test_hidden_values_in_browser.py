"""Hidden values in a browser: the log, the event's page, and who asks to see them."""

from playwright.sync_api import Page, expect

from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam

SECRET = "hunter2-in-a-browser"


def test_what_is_hidden_is_shown_once_it_is_asked_for(
    page: Page, live_server: LiveServer, own_team: LiveTeam
) -> None:
    enter(page.context, live_server, own_team.email)
    page.goto(f"{live_server.url}/events")
    body = {
        "workflow_slug": own_team.slug,
        "ended_at": "2026-01-15T09:31:00Z",
        "error_message": f"login with password={SECRET} failed",
        "metadata": {"client_secret": SECRET},
    }
    sent = live_server.post("/api/v1/ingest/run-failure", json=body, headers=own_team.headers)
    row = page.locator("tr", has_text="login with password=••••••")
    expect(row).to_be_visible()  # It came by the live log.
    page.goto(f"{live_server.url}/events/{sent.json()['event_id']}")
    body_shown = page.get_by_role("region", name="Body")
    expect(body_shown).to_contain_text('"client_secret": "••••••"')
    assert SECRET not in page.content()
    page.get_by_role("button", name="Show hidden values").click()
    expect(body_shown).to_contain_text(SECRET)
    page.get_by_role("button", name="Hide again").click()
    expect(body_shown).to_contain_text('"client_secret": "••••••"')
    assert SECRET not in page.content()
