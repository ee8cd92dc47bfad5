"""Quiet hours on days of 23, 24 and 25 hours, in any zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app.alerting.quiet import end_of_quiet
from app.models import AlertRule
from tests.alerting.stories import make_rule

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",  # At midnight.
    "Australia/Lord_Howe",  # Half an hour.
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "UTC",
)
CHANGES = [
    date(2026, month, day)
    for month, day in ((2, 15), (3, 8), (3, 22), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1))
]
MINUTE = timedelta(minutes=1)


def hours(begin: str, end: str, zone: str = "Europe/Berlin") -> AlertRule:
    return make_rule(quiet_from=begin, quiet_until=end, quiet_zone=zone)


@pytest.mark.parametrize(
    ("begin", "end", "moment", "until"),
    [
        ("22:00", "02:30", "2026-10-25T00:15", "2026-10-25T01:30"),  # 02:15, which comes again.
        ("22:00", "02:30", "2026-10-25T01:15", "2026-10-25T01:30"),
        ("22:00", "02:30", "2026-10-25T01:30", None),
        ("02:30", "05:00", "2026-10-25T00:29", None),
        ("02:30", "05:00", "2026-10-25T00:30", "2026-10-25T04:00"),
        ("02:30", "05:00", "2026-10-25T01:10", "2026-10-25T04:00"),  # 02:10 for the second time.
        ("22:00", "02:30", "2026-03-29T00:59", "2026-03-29T01:00"),  # From 02:00 it goes to 03:00.
        ("22:00", "02:30", "2026-03-29T01:00", None),
        ("02:30", "05:00", "2026-03-29T00:59", None),
        ("02:30", "05:00", "2026-03-29T01:00", "2026-03-29T03:00"),
        ("02:10", "02:50", "2026-03-29T01:00", None),
    ],
)
def test_hours_that_begin_or_end_while_the_clock_is_set(
    begin: str, end: str, moment: str, until: str | None
) -> None:
    at, expected = (datetime.fromisoformat(text + "Z") for text in (moment, until or moment))
    assert end_of_quiet(hours(begin, end), at) == expected


times = some.integers(0, 24 * 60 - 1).map(lambda minute: time(*divmod(minute, 60)))


@settings(max_examples=300, deadline=None)
@given(some.sampled_from(ZONES), some.sampled_from(CHANGES), times, times, some.integers(0, 2_880))
def test_nothing_is_told_while_the_clock_shows_quiet_hours_and_nothing_waits_for_long(
    name: str, day: date, begin: time, end: time, minutes: int
) -> None:
    zone = ZoneInfo(name)
    moment = datetime.combine(day, time(0), UTC) - timedelta(hours=12) + minutes * MINUTE
    rule = hours(f"{begin:%H:%M}", f"{end:%H:%M}", name)
    until = end_of_quiet(rule, moment)
    shown = moment.astimezone(zone).time()
    is_quiet = begin <= shown < end if begin < end else shown >= begin or shown < end
    assert until > moment if is_quiet else until >= moment
    length = (datetime.combine(day, end) - datetime.combine(day, begin)) % timedelta(days=1)
    assert until - moment <= (length or timedelta(days=1)) + timedelta(hours=1)
    if until > moment:
        before = (until - MINUTE).astimezone(zone)
        after = until.astimezone(zone)
        assert after.time() == end or before.time() < end or before.utcoffset() != after.utcoffset()
    if timedelta(0) < length < timedelta(hours=22):
        assert end_of_quiet(rule, until) == until
