"""`python -m tests.pictures [NAME…]`: takes the documents' pictures, or those that are named.

They are of a real server with the demo's data, at a moment that is always the same.
"""

import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.extensions import db
from tests import browser
from tests.apps import close_app, make_app
from tests.factories import PASSWORD
from tests.pictures.camera import FixedTime, open_page, take, take_both
from tests.pictures.first_steps import take_first_steps
from tests.pictures.made_up import prepare
from tests.pictures.pages import (
    COMES_LATER,
    IDS,
    IMAGES,
    ON_A_NEW_SERVER,
    ON_A_PHONE,
    PAGES,
    PHONE,
    WIDE,
)
from tests.server import LiveServer

EMAIL = "ana@example.org"


def main(names: Collection[str]) -> None:
    """Raises SystemExit for a name that is no page's."""
    known = {*PAGES, *ON_A_NEW_SERVER}
    if unknown := set(names) - known:
        raise SystemExit(
            f"No such page: {', '.join(sorted(unknown))}. There are: {', '.join(sorted(known))}."
        )
    wanted = set(names) or known
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        options = browser.launch_options(str(browser.find_chromium(playwright)))
        with playwright.chromium.launch(**options) as chromium:
            if wanted & ON_A_NEW_SERVER.keys():
                of_new_server(chromium, Path(folder) / "new")
            if wanted & PAGES.keys():
                of_full_server(chromium, Path(folder) / "full", wanted)


def of_new_server(chromium: Browser, folder: Path) -> None:
    folder.mkdir()
    fixed = FixedTime(folder)
    with LiveServer(folder / "data", "", **fixed.settings) as server:
        take_first_steps(chromium, server)


def of_full_server(chromium: Browser, folder: Path, wanted: Collection[str]) -> None:
    folder.mkdir()
    fixed = FixedTime(folder)
    with LiveServer(folder / "data", "", **fixed.settings) as server:
        owner = ("user", "create", EMAIL, "--role", "owner", "--password-stdin")
        server.cli(*owner, stdin=PASSWORD)
        prepare(server, EMAIL)
        server.cli("demo")  # Last, so that it is what the log shows.
        ids = choose(server)
        with fixed.standing_still():
            with open_page(chromium, WIDE) as page:
                sign_in(page, server)
                for name in (each for each in PAGES if each in wanted):
                    show(page, server.url + PAGES[name].format(**ids), COMES_LATER.get(name))
                    take_both(page, name)
            with open_page(chromium, PHONE) as page:
                sign_in(page, server)
                for name in (each for each in PAGES if each in ON_A_PHONE & set(wanted)):
                    show(page, server.url + PAGES[name].format(**ids), COMES_LATER.get(name))
                    take(page, f"{name}-phone")


def choose(server: LiveServer) -> dict[str, str]:
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        found = {name: db.session.scalars(query.limit(1)).one() for name, query in IDS.items()}
        db.session.remove()
    close_app(app)
    return found


def sign_in(page: Page, server: LiveServer) -> None:
    page.goto(server.url + "/sign-in")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Workflows", exact=True).first).to_be_attached()


def show(page: Page, address: str, text: str | None) -> None:
    """Until this text is there, which comes after the page."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(address)
    page.wait_for_load_state("load")
    if text:
        expect(page.get_by_text(text)).to_be_visible()


if __name__ == "__main__":
    main(sys.argv[1:])
