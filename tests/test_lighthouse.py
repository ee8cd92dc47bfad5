"""Lighthouse gives the main pages at least 95 points, where it can be run."""

import pytest

from tests import browser, lighthouse


@pytest.mark.alone
@pytest.mark.timeout(900)
def test_lighthouse_gives_the_main_pages_95_points() -> None:
    try:
        scores = lighthouse.measure()
    except lighthouse.MissingError as error:
        if browser.is_required() and not isinstance(error, lighthouse.NotInstalledError):
            pytest.fail(f"Lighthouse was not run: {error}")
        pytest.skip(f"LIGHTHOUSE WAS NOT RUN: {error}")
    assert lighthouse.too_low(scores) == []
