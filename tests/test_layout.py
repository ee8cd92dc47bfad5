"""The check that nothing is cut off sees what is."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.layout import cut_off

LONG = "workflow" * 20
BOX = "<style>div {{ width: 100px; height: 20px; {} }}</style><div class=box>{}</div>"


@pytest.fixture
def narrow(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


def test_what_a_box_hides_is_seen_unless_it_says_so(narrow: Page) -> None:
    for style, text, is_cut in (
        ("overflow: hidden", LONG, True),
        ("overflow: hidden", "<p>One</p><p>Two</p>", True),
        ("overflow: hidden; text-overflow: ellipsis", LONG, False),
        ("overflow: auto", LONG, False),
        ("", "short", False),
    ):
        narrow.set_content(BOX.format(style, text))
        found = cut_off(narrow)
        assert [each for each in found if "div#.box" in each] == found
        assert bool(found) == is_cut, style
    narrow.set_content(BOX.format("", LONG))
    assert cut_off(narrow) == ["the page is wider than its window"]
