"""Numbers and times read well."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from app.console import formatting
from app.workspaces.profile import time_zones

NOW = datetime(2026, 11, 24, 10, 42, 7, 120_000, tzinfo=UTC)


def test_what_stands_between_backticks_is_set_as_code_and_all_is_escaped() -> None:
    shown = formatting.coded("do `a && b`, then <c> `d`")
    assert shown == "do <code>a &amp;&amp; b</code>, then &lt;c&gt; <code>d</code>"
    assert formatting.coded("<i>") == "&lt;i&gt;"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (420, "420 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (1_240, "1.2 s"),
        (59_949, "59.9 s"),
        (59_990, "1 min"),
        (125_000, "2 min 5 s"),
        (3_600_000, "1 h"),
        (11_040_000, "3 h 4 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_a_duration_uses_the_unit_a_person_would(ms: int | None, text: str) -> None:
    assert formatting.duration(ms) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=4.9), "just now"),
        (timedelta(seconds=12), "12 s ago"),
        (timedelta(seconds=59.9), "59 s ago"),
        (timedelta(minutes=3, seconds=50), "3 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(days=29, hours=23), "29 d ago"),
        (timedelta(days=30), "25 Oct 2026"),
        (timedelta(minutes=-3, seconds=-1), "in 3 min"),
        (timedelta(minutes=-59, seconds=-59.2), "in 1 h"),
        (timedelta(minutes=-59, seconds=-20), "in 59 min"),
        (timedelta(seconds=-59.9), "in 1 min"),
        (timedelta(hours=-1, minutes=-2), "in 1 h"),
        (timedelta(days=-29, hours=-23, minutes=-59), "in 30 d"),
        (timedelta(days=-40), "3 Jan 2027"),
    ],
)
def test_a_moment_is_told_relative_to_now(ago: timedelta, text: str) -> None:
    assert formatting.relative(NOW - ago, NOW) == text


def test_a_moment_that_never_was_is_a_dash() -> None:
    assert formatting.relative(None, NOW) == formatting.exact(None) == "–"


def test_a_moment_without_a_now_is_told_from_the_clock() -> None:
    assert formatting.relative(datetime.now(UTC)) == "just now"


def test_times_are_written_in_utc_unless_a_zone_is_given() -> None:
    moment = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert formatting.exact(moment) == "24 Nov 2026, 10:42:07 UTC"
    assert formatting.time_of_day(moment, NOW) == "10:42:07"
    assert formatting.iso(moment) == "2026-11-24T10:42:07.120Z"
    assert formatting.date(moment) == "24 Nov 2026"


@pytest.mark.parametrize(
    ("zone", "hour", "text"),
    [
        ("UTC", 10, "24 Nov 2026, 10:42:07 UTC"),
        ("Europe/Berlin", 10, "24 Nov 2026, 11:42:07 CET · 10:42:07 UTC"),
        ("Europe/Berlin", 23, "25 Nov 2026, 00:42:07 CET · 24 Nov 2026, 23:42:07 UTC"),
        ("America/Sao_Paulo", 1, "23 Nov 2026, 22:42:07 UTC-3 · 24 Nov 2026, 01:42:07 UTC"),
        ("Asia/Kathmandu", 10, "24 Nov 2026, 16:27:07 UTC+5:45 · 10:42:07 UTC"),
    ],
)
def test_a_moment_is_told_in_the_zone_and_in_utc(zone: str, hour: int, text: str) -> None:
    assert formatting.exact(NOW.replace(hour=hour), ZoneInfo(zone)) == text


def test_a_planned_moment_has_seconds_only_where_it_was_given_with_seconds() -> None:
    berlin, planned = ZoneInfo("Europe/Berlin"), NOW.replace(second=0)
    assert formatting.planned(planned, berlin) == "24 Nov 2026, 11:42 CET · 10:42 UTC"
    assert formatting.planned(planned) == "24 Nov 2026, 10:42 UTC"
    assert formatting.planned(NOW, berlin) == formatting.exact(NOW, berlin)


def test_what_comes_within_one_second_is_told_apart_in_a_log() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert formatting.precise(NOW) == "24 Nov 2026, 10:42:07.120 UTC"
    assert formatting.precise(NOW, berlin) == "24 Nov 2026, 11:42:07.120 CET · 10:42:07.120 UTC"


def test_the_hour_that_comes_twice_is_told_apart_by_the_zones_name() -> None:
    """26 Oct 2025 has 25 hours in Berlin, 30 Mar 2025 has 23."""
    berlin, first = ZoneInfo("Europe/Berlin"), datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    told = [formatting.exact(first + timedelta(hours=hours), berlin) for hours in (0, 1)]
    assert told == [
        "26 Oct 2025, 02:30:00 CEST · 00:30:00 UTC",
        "26 Oct 2025, 02:30:00 CET · 01:30:00 UTC",
    ]
    spring = datetime(2025, 3, 30, 0, 59, 59, tzinfo=UTC)
    told = [formatting.exact(spring + timedelta(seconds=each), berlin)[13:26] for each in (0, 1)]
    assert told == ["01:59:59 CET ", "03:00:00 CEST"]


@pytest.mark.parametrize(
    ("midnight", "hours"), [("2025-10-25T22:00Z", 25), ("2025-03-29T23:00Z", 23)]
)
def test_a_day_of_23_or_25_hours_ends_at_its_own_midnight(midnight: str, hours: int) -> None:
    berlin, start = ZoneInfo("Europe/Berlin"), datetime.fromisoformat(midnight)
    last = start + timedelta(hours=hours) - timedelta(seconds=1)
    assert formatting.time_of_day(start, last, berlin) == "00:00:00"
    assert formatting.time_of_day(last, start, berlin) == "23:59:59"
    after = formatting.time_of_day(last + timedelta(seconds=1), start, berlin)
    assert after.endswith(", 00:00:00")


ZONES = st.sampled_from(sorted(name for names in time_zones().values() for name in names))
MOMENTS = st.datetimes(datetime(1975, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))


@given(MOMENTS, ZONES)
def test_what_is_told_is_the_moment_itself(moment: datetime, name: str) -> None:
    """Whatever the zone: the UTC part, read back, is the moment to the second."""
    zone = ZoneInfo(name)
    local, _, universal = formatting.exact(moment, zone).rpartition(" · ")
    day = moment.astimezone(zone) if local and "," not in universal else moment
    clock = universal.rpartition(", ")[2].removesuffix(" UTC")
    told = datetime.combine(day.date(), datetime.strptime(clock, "%H:%M:%S").time(), UTC)
    assert told == moment.replace(microsecond=0)
    if local:
        assert local.startswith(f"{formatting.date(moment, zone)}, ")


@given(MOMENTS, MOMENTS, ZONES)
def test_the_date_stands_before_the_time_of_day_unless_it_is_today(
    moment: datetime, now: datetime, name: str
) -> None:
    zone = ZoneInfo(name)
    is_today = formatting.date(moment, zone) == formatting.date(now, zone)
    assert ("," not in formatting.time_of_day(moment, now, zone)) == is_today


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0, "0"), (1_234_567, "1,234,567"), (3.5, "3.5")]
)
def test_a_number_has_its_thousands_apart(value: float | None, text: str) -> None:
    assert formatting.number(value) == text


def test_a_count_takes_the_right_word() -> None:
    assert formatting.plural(1, "event") == "1 event"
    assert formatting.plural(0, "event") == "0 events"
    assert formatting.plural(1_200, "entry", "entries") == "1,200 entries"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (1_023, "1023 B"),
        (1_024, "1 KB"),
        (1_536, "1.5 KB"),
        (1_048_570, "1 MB"),
        (1_048_576, "1 MB"),
        (5 * 1_024**4, "5 TB"),
        (5_000 * 1_024**4, "5,000 TB"),
    ],
)
def test_a_size_uses_the_largest_unit_that_fits(count: int | None, text: str) -> None:
    assert formatting.size(count) == text


@pytest.mark.parametrize(
    ("good", "total", "text"),
    [
        (2, 3, "66.7 %"),
        (1, 3, "33.3 %"),
        (99_999, 100_000, "99.9 %"),
        (1, 100_000, "0.1 %"),
        (7, 7, "100 %"),
        (0, 7, "0 %"),
    ],
)
def test_a_rate_is_rounded_and_100_only_without_a_failure(good: int, total: int, text: str) -> None:
    assert formatting.rate(good / total) == text


def test_every_filter_works_in_a_template() -> None:
    environment = Environment(autoescape=True)
    environment.filters |= formatting.FILTERS | formatting.TIME_FILTERS
    source = "{{ 1240|duration }}, {{ 2|plural('run') }}, {{ now|exact }}, {{ 2048|size }}"
    text = environment.from_string(source).render(now=NOW)
    assert text == "1.2 s, 2 runs, 24 Nov 2026, 10:42:07 UTC, 2 KB"
