"""`python -m tests.pictures [NAME…]`: takes the documents' pictures, or those that are named.

They are of a real server with the demo's data, at a moment that is always the same.
"""

import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests import browser
from tests.pictures.camera import MOMENT, Camera, FixedTime
from tests.pictures.first_steps import take_first_steps
from tests.pictures.full_server import fill, make_owner, take_pages
from tests.pictures.pages import IMAGES, PAGES, list_names
from tests.pictures.people import take_people, with_provider
from tests.server import LiveServer


def main(names: Collection[str]) -> None:
    """Raises SystemExit for a name that is no page's."""
    known = list_names()
    if unknown := set(names) - known:
        raise SystemExit(
            f"No such page: {', '.join(sorted(unknown))}. There are: {', '.join(sorted(known))}."
        )
    wanted = set(names) or known
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        options = browser.launch_options(str(browser.find_chromium(playwright)))
        with playwright.chromium.launch(**options) as chromium:
            camera = Camera(chromium, IMAGES, MOMENT)
            if wanted - PAGES.keys():
                of_new_server(camera, Path(folder) / "new")
            if wanted & PAGES.keys():
                of_full_server(camera, Path(folder) / "full", wanted)


def of_new_server(camera: Camera, folder: Path) -> None:
    folder.mkdir()
    fixed = FixedTime(folder)
    with with_provider(LiveServer(folder / "data", "", **fixed.settings)) as server:
        take_first_steps(camera, server)
        take_people(camera, server)


def of_full_server(camera: Camera, folder: Path, wanted: Collection[str]) -> None:
    folder.mkdir()
    fixed = FixedTime(folder)
    with LiveServer(folder / "data", "", **fixed.settings) as server:
        make_owner(server)
        fill(server)
        with fixed.standing_still():
            take_pages(camera, server, wanted)


if __name__ == "__main__":
    main(sys.argv[1:])
