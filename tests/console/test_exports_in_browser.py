"""The control that hands out a list, in a real browser: within the page, and with the filter."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam

LISTS = ("events", "runs", "problems")


@pytest.fixture
def team(live_server: LiveServer, own_team: LiveTeam, page: Page) -> LiveTeam:
    enter(page.context, live_server, own_team.email)
    return own_team


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", LISTS)
def test_the_menu_opens_within_the_page(
    live_server: LiveServer, team: LiveTeam, page: Page, name: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{live_server.url}/{name}")
    page.get_by_text("Export", exact=True).click()
    panel = page.locator(".export-menu .menu-panel")
    expect(panel).to_be_visible()
    box = panel.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for link in panel.get_by_role("link").all():
        link.click(trial=True)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


@pytest.mark.parametrize("name", LISTS)
def test_a_click_saves_a_file(
    live_server: LiveServer, team: LiveTeam, page: Page, name: str, tmp_path: Path
) -> None:
    page.goto(f"{live_server.url}/{name}")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as told:
        page.get_by_role("link", name="CSV, for spreadsheets").click()
    path = tmp_path / "file.csv"
    told.value.save_as(path)
    assert told.value.suggested_filename.startswith(f"{name}-20")
    assert path.read_text().startswith('"')


def test_it_follows_the_filter_of_the_live_log(
    live_server: LiveServer, team: LiveTeam, page: Page
) -> None:
    """The log changes its filter without loading the page anew."""
    page.goto(f"{live_server.url}/events")
    page.get_by_role("link", name="Rejected", exact=True).click()
    page.wait_for_url("**/events?state=rejected")
    link = page.locator(".export-menu a").first
    expect(link).to_have_attribute("href", "/events/export.csv?state=rejected")
