"""When runs are due: intervals and cron expressions, across changes of the clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from app.timetable import (
    EARLY,
    Cron,
    Interval,
    UnreadableError,
    list_next,
    read_expression,
    span_in_words,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
SPRING, AUTUMN = datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)


def local_times(cron: Cron, after: datetime, count: int) -> list[str]:
    return [f"{each.astimezone(cron.zone):%d %H:%M %Z}" for each in list_next(cron, after, count)]


def test_a_skipped_hour_is_due_right_after_it_and_once() -> None:
    daily, twice = Cron("30 2 * * *", BERLIN), Cron("15,45 2 * * *", BERLIN)
    assert local_times(daily, SPRING, 3) == ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"]
    assert local_times(twice, SPRING, 4)[2:] == ["29 03:00 CEST", "30 02:15 CEST"]


def test_a_doubled_hour_is_due_once_at_its_first_occurrence() -> None:
    cron = Cron("30 2 * * *", BERLIN)
    assert local_times(cron, AUTUMN, 3) == ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"]
    between = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)  # 02:45, for the first time.
    assert local_times(cron, between, 1) == ["26 02:30 CET"]


def test_what_runs_every_so_many_minutes_runs_through_both_hours() -> None:
    cron = Cron("*/30 * * * *", BERLIN)
    times = list_next(cron, datetime(2026, 10, 24, 22, tzinfo=UTC), 8)
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(minutes=30)}


def test_a_day_is_a_day_of_the_calendar_and_never_less_than_24_hours() -> None:
    daily = Interval(timedelta(days=1), BERLIN)
    before_autumn = datetime(2026, 10, 24, 7, tzinfo=UTC)
    before_spring = datetime(2026, 3, 28, 8, tzinfo=UTC)
    assert daily.after_run(before_autumn) - before_autumn == timedelta(hours=25)
    assert daily.after_run(before_spring) - before_spring == timedelta(hours=24)
    hourly = Interval(timedelta(hours=25), BERLIN)
    assert hourly.after_run(before_autumn) - before_autumn == timedelta(hours=25)


def test_a_run_just_before_its_time_counts_for_it() -> None:
    cron = Cron("0 3 * * *", ZoneInfo("UTC"))
    due = datetime(2026, 5, 2, 3, tzinfo=UTC)
    assert cron.after_run(due - EARLY) == due + timedelta(days=1)
    assert cron.after_run(due - EARLY - timedelta(seconds=1)) == due
    assert cron.after_run(due + timedelta(minutes=20)) == due + timedelta(days=1)


def test_which_moment_of_a_run_counts() -> None:
    began, ended = SPRING, SPRING + timedelta(minutes=70)
    assert Cron("0 * * * *", BERLIN).moment_of(began, ended) == began
    assert Interval(timedelta(hours=1), BERLIN).moment_of(began, ended) == ended


@pytest.mark.parametrize(
    ("given", "read", "words"),
    [
        ("*/15 * * * *", "*/15 * * * *", "Every 15th minute of every hour"),
        ("  0  3 *   * mon-fri ", "0 3 * * MON-FRI", "At 03:00 on Monday through Friday"),
        ("@daily", "0 0 * * *", "At 00:00 every day"),
        ("0 9 * * MON#1", "0 9 * * MON#1", "At 09:00 on the first Monday of the month"),
    ],
)
def test_an_expression_is_read_and_told_in_words(given: str, read: str, words: str) -> None:
    assert read_expression(given) == read
    assert Cron(read, BERLIN).in_words() == words


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "This has 0"),
        ("0 3 * *", "This has 4"),
        ("0 0 3 * * *", "leave the first out, “0 3 * * *”"),
        ("61 * * * *", "the minute, goes from 0 to 59"),
        ("* 24 * * *", "the hour, goes from 0 to 23"),
        ("0 0 30 2 *", "the day, goes from 1 to 31"),
        ("0 0 * 13 *", "the month, goes from 1 to 12"),
        ("0 0 * * 8", "the weekday, goes from 0 to 7"),
        ("*/0 * * * *", "the minute"),
        ("0 0 */31 2 MON#3", "No date ever fits this"),
        ("@reboot", "five fields"),
    ],
)
def test_what_is_no_expression_is_told_what_to_change(given: str, says: str) -> None:
    with pytest.raises(UnreadableError, match=r".") as caught:
        read_expression(given)
    assert says in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(some.text(alphabet="0123456789*/,-#LWSUNMOJAF@ ²٣", max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        expression = read_expression(text)
    except UnreadableError:
        return
    cron = Cron(expression, BERLIN)
    assert cron.in_words()
    assert cron.after_time(SPRING) > SPRING


MINUTES = ("*", "*/7", "0", "30", "5,35")
HOURS = ("*", "*/3", "2", "1-3", "0,2,23")
DAYS = ("*", "28,29", "24-26")


def every_minute(first: datetime, hours: int) -> Iterator[datetime]:
    return (first + timedelta(minutes=minute) for minute in range(hours * 60))


def fits(local: datetime, minutes: str, hours: str, days: str) -> bool:
    """By hand, for the fields above."""

    def has(field: str, value: int) -> bool:
        start, _, step = field.partition("/")
        if start == "*":
            return value % int(step or 1) == 0
        spans = (each.partition("-") for each in field.split(","))
        return any(int(low) <= value <= int(high or low) for low, _, high in spans)

    return has(minutes, local.minute) and has(hours, local.hour) and has(days, local.day)


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=10, deadline=None)
@example(fields=("*", "*/3", "*"), first=datetime(2026, 4, 4, tzinfo=UTC))  # Half an hour twice.
@example(fields=("30", "*", "*"), first=datetime(2026, 4, 4, tzinfo=UTC))
@given(
    fields=some.tuples(*map(some.sampled_from, (MINUTES, HOURS, DAYS))),
    first=some.sampled_from([SPRING, AUTUMN, datetime(2026, 4, 4, tzinfo=UTC)]),
)
def test_the_times_are_those_of_a_clock_on_the_wall(
    zone: str, fields: tuple[str, str, str], first: datetime
) -> None:
    """Every minute of 60 hours is looked at; skipped and repeated times follow the two rules."""
    minutes, hours, days = fields
    cron = Cron(f"{minutes} {hours} {days} * *", ZoneInfo(zone))
    is_fixed = "*" not in minutes[0] + hours[0] and zone != "UTC"
    expected = []
    for moment in every_minute(first, 60):
        local = moment.astimezone(cron.zone)
        due = [] if is_fixed and local.fold else [local]
        due += skipped_before(local) if is_fixed else []
        if any(fits(each, *fields) for each in due):
            expected.append(moment)
    until = first + timedelta(hours=60)
    found = list_next(cron, first - timedelta(seconds=1), len(expected) + 1)
    assert [each for each in found if each < until] == expected


def skipped_before(local: datetime) -> list[datetime]:
    """The times on the wall that the clock skipped in the minute before."""
    zone = local.tzinfo
    before = (local.astimezone(UTC) - timedelta(minutes=1)).astimezone(zone)
    missing = (local.replace(tzinfo=None) - before.replace(tzinfo=None)).total_seconds() / 60 - 1
    start = before.replace(tzinfo=None)
    return [start + timedelta(minutes=minute) for minute in range(1, max(int(missing), 0) + 1)]


def test_spans_in_words() -> None:
    assert [span_in_words(each) for each in (60, 5_400, 7_200, 86_400)] == [
        "1 minute",
        "90 minutes",
        "2 hours",
        "1 day",
    ]
    assert Interval(timedelta(minutes=15), BERLIN).in_words() == "Every 15 minutes"
    assert Interval(timedelta(days=1), BERLIN).in_words() == "Every day"
