"""Clocks that differ are told in words."""

from datetime import timedelta

import pytest

from app.console.clocks import describe

SAID = {
    timedelta(
        hours=2, seconds=-9
    ): "lies 2 h ahead of this server's clock: probably local time (UTC+2) sent as UTC",
    timedelta(
        hours=5, minutes=31
    ): "lies 5 h 30 min ahead of this server's clock: probably local time (UTC+5:30)",
    timedelta(
        minutes=12
    ): "lies 12 min ahead of this server's clock: probably the sender's clock is wrong",
    timedelta(days=366): "probably a year",
    timedelta(
        hours=-5
    ): "lies 5 h before the request came. If the run had just ended, it is local time west of UTC (UTC-5)",  # noqa: E501
    timedelta(days=-3): "lies 3 d before the request came.",
    timedelta(seconds=20): "agree",
}


@pytest.mark.parametrize("ahead", SAID, ids=str)
def test_the_difference_is_explained(ahead: timedelta) -> None:
    assert SAID[ahead] in describe("ended_at", ahead)
