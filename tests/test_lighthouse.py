"""Lighthouse gives the main pages at least 95 points."""

import pytest

from tests import lighthouse


@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.needs("lighthouse", "chromium")
def test_lighthouse_gives_the_main_pages_95_points() -> None:
    assert lighthouse.too_low(lighthouse.measure()) == []
