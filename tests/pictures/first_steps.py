"""What somebody sees who follows docs/quick-start.md, on a server that nobody has set up."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

from tests.factories import PASSWORD
from tests.pictures.camera import open_page, take_both
from tests.pictures.pages import ON_A_NEW_SERVER
from tests.server import LiveServer

AS_DELIVERED = """port => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replaceAll(port, ":8000");
  }
}"""
"""The port that a server of the tests has is another one each time."""


def take_first_steps(chromium: Browser, server: LiveServer) -> None:
    found = re.search(r"http\S+/setup\?token=\S+", server.prepare())
    if found is None:
        raise SystemExit("The server is set up already.")
    with open_page(chromium, ON_A_NEW_SERVER["set-up"]) as page:
        page.goto(f"{server.url}/setup?{urlsplit(found[0]).query}")
        page.get_by_label("Workspace").fill("Acme")
        page.get_by_label("E-mail").fill("ana@example.org")
        page.get_by_label("Password").fill(PASSWORD)
        take_both(page, "set-up")
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
        page.evaluate(AS_DELIVERED, f":{server.port}")
        take_both(page, "first-key")
