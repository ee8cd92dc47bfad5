"""The pages of a server with the demo's data and what is made up beside it."""

from collections.abc import Collection

from playwright.sync_api import Page, expect

from app.extensions import db
from tests.apps import close_app, make_app
from tests.factories import PASSWORD
from tests.pictures.camera import Camera, tell_as_delivered
from tests.pictures.first_steps import EMAIL
from tests.pictures.made_up import prepare
from tests.pictures.pages import COMES_LATER, DONE, IDS, ON_A_PHONE, PAGES, PHONE, SIZES, WIDE
from tests.pictures.people import sign_in
from tests.server import LiveServer


def make_owner(server: LiveServer) -> None:
    server.cli("user", "create", EMAIL, "--role", "owner", "--password-stdin", stdin=PASSWORD)


def fill(server: LiveServer) -> None:
    prepare(server, EMAIL)
    server.cli("demo")  # Last, so that it is what the log shows.


def take_pages(camera: Camera, server: LiveServer, wanted: Collection[str]) -> None:
    ids = choose(server)
    with camera.open(WIDE) as page:
        sign_in(page, server)
        for name in (each for each in PAGES if each in wanted):
            width, height = SIZES.get(name, WIDE)
            page.set_viewport_size({"width": width, "height": height})
            show(page, name, server.url + PAGES[name].format(**ids))
            tell_as_delivered(page, server)
            camera.take_both(page, name)
    with camera.open(PHONE) as page:
        sign_in(page, server)
        for name in (each for each in PAGES if each in ON_A_PHONE & set(wanted)):
            show(page, name, server.url + PAGES[name].format(**ids))
            tell_as_delivered(page, server)
            camera.take(page, f"{name}-phone")


def choose(server: LiveServer) -> dict[str, str]:
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        found = {name: db.session.scalars(query.limit(1)).one() for name, query in IDS.items()}
        db.session.remove()
    close_app(app)
    return found


def show(page: Page, name: str, address: str) -> None:
    """Until all of it is there, also what comes after the page."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(address)
    page.wait_for_load_state("load")
    if name in DONE:
        DONE[name](page)
    if name in COMES_LATER:
        expect(page.get_by_text(COMES_LATER[name])).to_be_visible()
