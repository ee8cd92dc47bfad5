"""Hours and days of the reader's zone: 23, 24 and 25 hours long, and off UTC by quarters."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from app.console.ranges import RANGES, day_edges, hour_edges


def lengths(edges: list[datetime]) -> list[float]:
    return [(end - start) / timedelta(hours=1) for start, end in pairwise(edges)]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 12, tzinfo=UTC), 23),
        ("Europe/Berlin", datetime(2026, 10, 25, 12, tzinfo=UTC), 25),
        ("America/New_York", datetime(2026, 11, 1, 18, tzinfo=UTC), 25),
        ("Australia/Lord_Howe", datetime(2026, 4, 5, 1, tzinfo=UTC), 24.5),
        ("Australia/Lord_Howe", datetime(2026, 10, 4, 1, tzinfo=UTC), 23.5),
        ("Asia/Kathmandu", datetime(2026, 11, 24, 12, tzinfo=UTC), 24),
        ("America/Havana", datetime(2026, 3, 8, 12, tzinfo=UTC), 23),
        ("UTC", datetime(2026, 3, 29, 12, tzinfo=UTC), 24),
    ],
)
def test_a_day_is_as_long_as_its_clock_makes_it(zone: str, day: datetime, hours: float) -> None:
    edges = day_edges(3, day, ZoneInfo(zone))
    assert lengths(edges)[-1] == hours
    assert edges[-2] <= day < edges[-1]
    dates = [edge.astimezone(ZoneInfo(zone)).date() for edge in edges]
    assert [later - earlier for earlier, later in pairwise(dates)] == [timedelta(days=1)] * 3


def test_hours_begin_when_the_clock_shows_a_full_hour() -> None:
    at = datetime(2026, 11, 24, 12, 7, 31, tzinfo=UTC)
    kathmandu = hour_edges(24, at, ZoneInfo("Asia/Kathmandu"))  # UTC+5:45
    assert len(kathmandu) == 25
    assert kathmandu[-1] == datetime(2026, 11, 24, 12, 15, tzinfo=UTC)
    assert set(lengths(kathmandu)) == {1}
    exact = hour_edges(2, datetime(2026, 11, 24, 12, tzinfo=UTC), UTC)
    assert [edge.hour for edge in exact] == [11, 12, 13]


def test_an_hour_that_comes_twice_is_two_and_half_an_hour_more_is_one() -> None:
    berlin = hour_edges(6, datetime(2026, 10, 25, 3, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    local = [f"{edge.astimezone(ZoneInfo('Europe/Berlin')):%H}" for edge in berlin]
    assert local == ["00", "01", "02", "02", "03", "04", "05"]
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    # The clock is set back from 2:00 to 1:30: the hour that began at 1:00 takes 90 minutes.
    assert 1.5 in lengths(hour_edges(4, datetime(2026, 4, 4, 16, tzinfo=UTC), lord_howe))


@pytest.mark.parametrize("name", RANGES)
def test_each_range_ends_with_the_present_step(name: str) -> None:
    at = datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC)
    for zone in ("UTC", "Pacific/Chatham", "Europe/Berlin"):
        edges = RANGES[name].edges(at, ZoneInfo(zone))
        assert edges[-2] <= at < edges[-1]
        marks = RANGES[name].marks(edges[:-1], ZoneInfo(zone))
        assert 4 <= len(marks) <= 7
