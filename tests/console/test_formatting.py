"""Numbers and times read well."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from jinja2 import Environment

from app.console import formatting

NOW = datetime(2026, 11, 24, 10, 42, 7, 120_000, tzinfo=UTC)


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
        (timedelta(days=-40), "3 Jan 2027"),
    ],
)
def test_a_moment_is_told_relative_to_now(ago: timedelta, text: str) -> None:
    assert formatting.relative(NOW - ago, NOW) == text


def test_a_moment_that_never_was_is_a_dash() -> None:
    assert formatting.relative(None, NOW) == formatting.exact(None) == "–"


def test_a_moment_without_a_now_is_told_from_the_clock() -> None:
    assert formatting.relative(datetime.now(UTC)) == "just now"


def test_times_are_written_in_utc_whatever_their_zone() -> None:
    moment = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert formatting.exact(moment) == "2026-11-24 10:42:07 UTC"
    assert formatting.time_of_day(moment) == "10:42:07"
    assert formatting.iso(moment) == "2026-11-24T10:42:07.120Z"
    assert formatting.date(moment) == "24 Nov 2026"


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


def test_every_filter_works_in_a_template() -> None:
    environment = Environment(autoescape=True)
    environment.filters |= formatting.FILTERS
    source = "{{ 1240|duration }}, {{ 2|plural('run') }}, {{ now|exact }}, {{ 2048|size }}"
    text = environment.from_string(source).render(now=NOW)
    assert text == "1.2 s, 2 runs, 2026-11-24 10:42:07 UTC, 2 KB"
