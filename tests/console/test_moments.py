"""Moments in the log's address: read as the reader's clock shows them, told to everybody alike."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.console.moments import read_moment

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "moment", "told"),
    [
        ("2026-01-15T10:00", "2026-01-15T09:00", "2026-01-15T10:00+01:00"),
        ("2026-07-15 10:00:30", "2026-07-15T08:00:30", "2026-07-15T10:00:30+02:00"),
        ("2026-01-15T10:00+05:45", "2026-01-15T04:15", "2026-01-15T10:00+05:45"),
        ("2026-01-15T10:00 05:45", "2026-01-15T04:15", "2026-01-15T10:00+05:45"),
        ("2026-01-15T10:00Z", "2026-01-15T10:00", "2026-01-15T10:00Z"),
        ("2026-01-15", "2026-01-14T23:00", "2026-01-15T00:00+01:00"),
    ],
)
def test_a_moment_is_read_with_its_offset_or_in_the_zone(text: str, moment: str, told: str) -> None:
    read = read_moment(text, BERLIN)
    assert read == (datetime.fromisoformat(moment).replace(tzinfo=UTC), told)
    assert read_moment(told, UTC) == read


def test_a_date_alone_ends_with_its_day_also_when_the_clocks_change() -> None:
    assert read_moment("2026-03-29", BERLIN, is_end=True).text == "2026-03-30T00:00+02:00"


@pytest.mark.parametrize("text", ["", "x", "0001-01-01", "9999-12-31T23:59-12:00", "1768471200"])
def test_what_is_no_moment_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(Write a date and time|This year is too far)"):
        read_moment(text, BERLIN)
