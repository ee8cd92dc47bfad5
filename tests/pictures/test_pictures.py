"""Every picture of the documents can be taken, and shows its whole page without an error."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.pictures.first_steps import take_first_steps
from tests.pictures.full_server import fill, take_pages
from tests.pictures.looking import WatchfulCamera
from tests.pictures.pages import PAGES, SMALL, list_pictures
from tests.pictures.people import take_people, with_provider
from tests.server import LiveServer


@pytest.mark.once
@pytest.mark.timeout(300)  # Some 80 pictures, on a busy machine.
def test_every_picture_is_taken_and_nothing_of_it_is_wrong(
    browser: Browser, tmp_path: Path
) -> None:
    """On one server, which is a new one at first; and at the machine's own time."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    camera = WatchfulCamera(browser, folder)
    with with_provider(LiveServer(tmp_path / "data")) as server:
        take_first_steps(camera, server)
        fill(server)
        take_pages(camera, server, PAGES)
        take_people(camera, server)
    assert {path.name for path in folder.iterdir()} == list_pictures()
    assert {name: faults for name, faults in camera.faults.items() if faults} == {}


PAGE = """<!doctype html><style>body {{ margin: 0; font: 20px/24px sans-serif }}
header {{ position: sticky; top: 0; height: 50px; background: #ccf }}
div {{ height: 2000px; background: linear-gradient(#f00, #00f) }}</style>
<header>Bar</header><p style="margin: 20px 0">First line</p><div>{inside}</div>{script}"""


@pytest.mark.parametrize(
    ("html", "scrolled", "words"),
    [
        (PAGE.format(inside="", script=""), 0, ""),
        (PAGE.format(inside="", script=""), 30, "cut at its top: First line"),
        (
            PAGE.format(inside="<p style='width: 1200px'>Wide", script=""),
            0,
            "wider than its window",
        ),
        ("<!doctype html><style>body { background: #123 }</style>", 0, "Next to nothing on it"),
        (PAGE.format(inside="", script="<script>nowhere()</script>"), 0, "nowhere"),
        (PAGE.format(inside="<img src='http://127.0.0.1:9/x'>", script=""), 0, "ERR_"),
    ],
)
def test_what_is_wrong_with_a_page_is_seen(
    browser: Browser, tmp_path: Path, html: str, scrolled: int, words: str
) -> None:
    camera = WatchfulCamera(browser, tmp_path)
    with camera.open(SMALL) as page:
        page.set_content(html)
        page.evaluate(f"scrollTo(0, {scrolled})")
        camera.take(page, "made-up")
    told = " ".join(camera.faults["made-up"])
    assert words in told and bool(told) == bool(words)


def test_what_the_policy_stops_is_a_fault(browser: Browser, tmp_path: Path) -> None:
    camera = WatchfulCamera(browser, tmp_path)
    policy = '<meta http-equiv="Content-Security-Policy" content="script-src \'none\'">'
    with camera.open(SMALL) as page:
        page.set_content(policy + PAGE.format(inside="", script="<script>1</script>"))
        camera.take(page, "made-up")
    assert any("Content Security Policy" in each for each in camera.faults["made-up"])
