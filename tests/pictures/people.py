"""How people come into a server that is set up: the sign-in, an invitation, two workspaces."""

from playwright.sync_api import Page, expect

from app.extensions import db
from app.models import Membership
from app.workspaces.invitations import PATH, invite
from app.workspaces.people import create_workspace
from tests.apps import close_app, make_app
from tests.factories import PASSWORD
from tests.pictures.camera import Camera
from tests.pictures.first_steps import EMAIL
from tests.pictures.pages import OF_PEOPLE
from tests.server import LiveServer

PROVIDER = "Team ID"
INVITED, SECOND = "lea@example.org", "Warehouse"


def with_provider(server: LiveServer) -> LiveServer:
    """Before it starts. Nobody goes there: the pages only name it."""
    server.env.update(
        FLOWPULSE_PUBLIC_URL=server.url,
        FLOWPULSE_OIDC_ISSUER="http://127.0.0.1:9/realms/team",
        FLOWPULSE_OIDC_CLIENT_ID="flowpulse",
        FLOWPULSE_OIDC_CLIENT_SECRET="none",
        FLOWPULSE_OIDC_NAME=PROVIDER,
    )
    return server


def take_people(camera: Camera, server: LiveServer) -> None:
    link = server.url + PATH + _invite(server)
    for name, address in (("sign-in", f"{server.url}/sign-in"), ("invitation", link)):
        with camera.open(OF_PEOPLE[name]) as page:
            page.goto(address)
            expect(page.get_by_text(f"Sign in with {PROVIDER}")).to_be_visible()
            camera.take_both(page, name)
    with camera.open(OF_PEOPLE["workspaces"]) as page:
        sign_in(page, server)
        page.goto(f"{server.url}/settings")
        page.locator("[data-menu] summary").click()
        expect(page.get_by_role("button", name=SECOND)).to_be_visible()
        camera.take_both(page, "workspaces")


def _invite(server: LiveServer) -> str:
    """The token of an invitation; and there is a second workspace from then on."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        own = db.session.query(Membership).one()
        _, token = invite(own, INVITED, "member")
        create_workspace(SECOND, db.session.query(Membership).one().user)
        db.session.remove()
    close_app(app)
    return token


def sign_in(page: Page, server: LiveServer) -> None:
    page.goto(server.url + "/sign-in")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("link", name="Workflows", exact=True).first).to_be_attached()
