"""On a phone, pages of signing in show a person's whole address, which has no place to break at."""

import pytest
from playwright.sync_api import Page, expect

from app.extensions import db
from app.models import Membership, User
from app.workspaces.invitations import PATH, invite
from app.workspaces.lost_password import PATH as NEW_PASSWORD
from app.workspaces.lost_password import make_token
from app.workspaces.people import create_user
from tests.apps import close_app, make_app
from tests.console.test_two_factor import switch_on
from tests.factories import PASSWORD
from tests.layout import cut_off
from tests.server import LiveServer
from tests.teams import LiveTeam, find_workspace

LONG = "a.name.of.more.than.one.line." * 2
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def links(live_server: LiveServer, own_team: LiveTeam) -> tuple[str, str, str]:
    """The address of a person with a second factor; what opens their new password, and an
    invitation of somebody else with as long an address."""
    email = f"{LONG}{own_team.email}"
    app = make_app(live_server.database_url, live_server.data_dir)
    with app.app_context():
        create_user(email, PASSWORD, "member", find_workspace(own_team))
        switch_on(email)
        token = make_token(db.session.query(User).filter_by(email=email).one())
        owner = db.session.query(Membership).filter_by(workspace_id=find_workspace(own_team).id)
        _, invited = invite(owner.order_by(Membership.id).first(), f"new.{email}", "viewer")
        db.session.remove()
    close_app(app)
    return email, NEW_PASSWORD + token, PATH + invited


def test_nothing_of_a_long_address_is_cut_off(
    live_server: LiveServer, links: tuple[str, str, str], page: Page
) -> None:
    email, new_password, invitation = links
    page.set_viewport_size(PHONE)
    for path in (new_password, invitation):
        page.goto(live_server.url + path)
        expect(page.get_by_text(email).first).to_be_visible()
        assert cut_off(page) == [], path
    page.goto(f"{live_server.url}/sign-in")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    assert cut_off(page) == []
    page.get_by_text("Neither device nor recovery code is left").click()
    expect(page.get_by_text(f"reset-two-factor {email}")).to_be_visible()
    assert cut_off(page) == []
