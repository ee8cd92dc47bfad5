"""What somebody sees who follows docs/quick-start.md, on a server that nobody has set up."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.factories import PASSWORD
from tests.pictures.camera import Camera, tell_as_delivered
from tests.pictures.pages import ON_A_NEW_SERVER
from tests.server import LiveServer

EMAIL = "ana@example.org"


def take_first_steps(camera: Camera, server: LiveServer) -> None:
    found = re.search(r"http\S+/setup\?token=\S+", server.prepare())
    if found is None:
        raise SystemExit("The server is set up already.")
    with camera.open(ON_A_NEW_SERVER["set-up"]) as page:
        page.goto(f"{server.url}/setup?{urlsplit(found[0]).query}")
        page.get_by_label("Workspace").fill("Acme")
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        camera.take_both(page, "set-up")
        width, height = ON_A_NEW_SERVER["first-key"]
        page.set_viewport_size({"width": width, "height": height})
        page.get_by_role("button", name="Set up and sign in").click()
        page.get_by_role("link", name="Any HTTP client").click()
        page.get_by_label("A new one").fill("Lead enrichment")
        page.get_by_role("button", name="Create workflow").click()
        page.get_by_role("button", name="Create key").click()
        key = page.locator("#new-key")
        expect(key).to_be_visible()
        key.evaluate("each => scrollBy(0, each.getBoundingClientRect().top - 158)")
        tell_as_delivered(page, server)
        camera.take_both(page, "first-key")
