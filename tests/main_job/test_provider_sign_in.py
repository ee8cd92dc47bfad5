"""In a real browser: to a real provider, back, and there once more before the second factor."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.databases import Databases
from tests.provider.running import CLIENT_ID, CLIENT_SECRET, running
from tests.server import LiveServer
from tests.teams import make_live_team


def sign_in_there(page: Page, email: str) -> None:
    page.get_by_placeholder("Enter any login").fill(email)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()


def test_a_person_signs_in_by_the_provider(
    page: Page, databases: Databases, tmp_path: Path
) -> None:
    url = databases.create()
    server = LiveServer(tmp_path / "data", url, is_migrated=True, worker=False)
    try:
        with running(f"{server.url}/sign-in/oidc/callback") as issuer:
            server.env.update(
                FLOWPULSE_PUBLIC_URL=server.url,
                FLOWPULSE_OIDC_ISSUER=issuer,
                FLOWPULSE_OIDC_CLIENT_ID=CLIENT_ID,
                FLOWPULSE_OIDC_CLIENT_SECRET=CLIENT_SECRET,
                FLOWPULSE_OIDC_NAME="Team ID",
            )
            with server:
                team = make_live_team(server)
                page.route("https://**", lambda route: route.abort())  # The provider's fonts.
                page.goto(f"{server.url}/account/two-factor")
                page.get_by_role("link", name="Sign in with Team ID").click()
                sign_in_there(page, team.email)
                page.get_by_role("button", name="Continue").click()
                expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
                page.get_by_role("link", name="Confirm at Team ID").click()
                sign_in_there(page, team.email)
                expect(page).to_have_url(re.compile("/account/two-factor$"))
                expect(page.get_by_label("Code", exact=True)).to_be_visible()
    finally:
        databases.drop(url)
