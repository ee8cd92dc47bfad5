"""ISO 8601 is read in all its usual forms; any other form is explained."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.ingest.date_slips import name_date_slip
from app.ingest.timestamps import read_timestamp, show_timestamp, write_timestamp

AT = datetime(2026, 1, 15, 9, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-15T09:31:00Z",
        "2026-01-15t09:31:00z",
        "2026-01-15 09:31:00Z",
        "  2026-01-15T09:31:00Z\n",
        "2026-01-15T09:31Z",
        "20260115T093100Z",
        "20260115T0931Z",
        "20260115T093100.0Z",
        "2026-01-15T09:31:00.000Z",
        "2026-01-15T09:31:00+00:00",
        "2026-01-15T09:31:00-00:00",
        "2026-01-15T11:31:00+02:00",
        "2026-01-15T11:31:00+0200",
        "2026-01-15T11:31:00+02",
        "2026-01-15T04:31:00-05:00",
        "2026-01-15T15:01:00+05:30",
        "2026-01-15T23:31:00+14:00",
        "2026-01-14T21:31:00-12:00",
        "20260115T113100+0200",
    ],
)
def test_one_moment_is_read_from_each_form(text: str) -> None:
    assert read_timestamp(text) == (AT, True)


@pytest.mark.parametrize("text", ["2026-01-15T09:31:00", "2026-01-15 09:31", "20260115T093100"])
def test_without_an_offset_it_is_utc(text: str) -> None:
    assert read_timestamp(text) == (AT, False)


@pytest.mark.parametrize("digits", range(1, 13))
@pytest.mark.parametrize("sign", [".", ","])
def test_a_fraction_of_any_length_is_kept_to_the_microsecond(digits: int, sign: str) -> None:
    fraction = "123456789123"[:digits]
    moment = read_timestamp(f"2026-01-15T09:31:00{sign}{fraction}Z")
    assert moment is not None
    assert moment.at.microsecond == int(fraction[:6].ljust(6, "0"))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"),
        ("2017-01-01T05:29:60+05:30", "2016-12-31T23:59:59.999999Z"),
        ("20161231T235960Z", "2016-12-31T23:59:59.999999Z"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_the_edges_are_read(text: str, at: str) -> None:
    moment = read_timestamp(text)
    assert moment is not None
    assert write_timestamp(moment.at) == at


NOT_DATES = [
    "",
    "   ",
    "now",
    "yesterday",
    "undefined",
    "Invalid DateTime",
    "2026-13-15T09:31:00Z",
    "2026-00-15T09:31:00Z",
    "2026-01-32T09:31:00Z",
    "2026-01-00T09:31:00Z",
    "2025-02-29T09:31:00Z",
    "2026-01-15T24:00:00Z",
    "2026-01-15T25:00:00Z",
    "2026-01-15T09:60:00Z",
    "2026-01-15T09:31:60Z",
    "2026-01-15T23:59:61Z",
    "2026-01-15T09:31:00+25:00",
    "2026-01-15T09:31:00+24:00",
    "2026-01-15T09:31:00+02:75",
    "2026-01-15T09:31:00Z+02:00",
    "2026-01-15T09:31:00.Z",
    "2026-01-15T09Z",
    "2026-1-5T9:31:00Z",
    "26-01-15T09:31:00Z",
    "0000-01-15T09:31:00Z",
    "10000-01-01T00:00:00Z",
    "-2026-01-15T09:31:00Z",
    "0001-01-01T00:00:00+02:00",
    "9999-12-31T23:59:59-02:00",
    "2026-W03-4T09:31:00Z",
    "2026-015T09:31:00Z",
    "2026-01-15T09:31:00Z\0",
    "2026-01-15'; DROP TABLE runs;--",
    "\u0662\u0660\u0662\u0666-\u0660\u0661-\u0661\u0665T\u0660\u0669:\u0663\u0661:\u0660\u0660Z",
    "Thu, 99 Jan 2026 09:31:00 GMT",
    "Feb 30, 2026 9:31 AM",
    "99/99/2026 09:31",
    "09:31",
    "x" * 100_000,
    "9" * 100_000 + "-",
]


@pytest.mark.parametrize("text", NOT_DATES)
def test_what_is_no_date_and_time_is_refused(text: str) -> None:
    assert read_timestamp(text) is None
    code = "not_a_datetime" if text.strip() else "blank"
    assert name_date_slip(text).code == code


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("2026-13-15T09:31:00Z", "no month 13"),
        ("2025-02-29T09:31:00Z", "no day 29"),
        ("2026-01-15T24:00:00Z", "no hour 24"),
        ("2026-01-15T09:31:00+25:00", "no offset +25:00"),
        ("26-01-15T09:31:00Z", "four digits"),
        ("2026-01-15T09:31:00Z+02:00", "two offsets"),
        ("undefined", "found no date"),
        ("2026-0\u0661-15T09:31:00Z", "digits 0 to 9"),
    ],
)
def test_the_wrong_part_is_named(text: str, part: str) -> None:
    assert part in name_date_slip(text).message


@pytest.mark.parametrize("text", ["2026-01-15", "20260115", "2026-01-15T", "2026-01"])
def test_a_date_alone_lacks_its_time(text: str) -> None:
    slip = name_date_slip(text)
    assert slip.code == "date_only"
    assert 'Send "2026-01-' in slip.fix


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1768469460, "seconds"),
        ("1768469460", "seconds"),
        (1768469460.0, "seconds"),
        (1768469460000, "milliseconds"),
        (" 1768469460000 ", "milliseconds"),
        (1768469460000000, "microseconds"),
        (1768469460000000000, "nanoseconds"),
    ],
)
def test_an_epoch_number_is_shown_as_it_should_be_sent(value: object, unit: str) -> None:
    slip = name_date_slip(value)
    assert slip.code == "epoch_number"
    assert f"in {unit}" in slip.message
    assert 'Send "2026-01-15T09:31:00Z"' in slip.fix


@pytest.mark.parametrize("value", [0, 5, -1, 46037.39, 10**400, -(10**400), "5", "9" * 90])
def test_a_number_that_is_no_likely_time_is_not_converted(value: object) -> None:
    slip = name_date_slip(value)
    assert slip.code == "epoch_number"
    assert "Send" not in slip.fix


@pytest.mark.parametrize(
    "text",
    [
        "Thu, 15 Jan 2026 09:31:00 GMT",
        "Thu, 15 Jan 2026 10:31:00 +0100",
        "15 Jan 2026 09:31:00 +0000",
        "Thu Jan 15 2026 10:31:00 GMT+0100 (Central European Standard Time)",
        "2026-01-15T09:31:00 UTC",
        "2026-01-15 09:31:00 GMT",
        "2026-01-15 11:31:00 +0200",
        "2026-01-15T10:31:00+01:00[Europe/Berlin]",
    ],
)
def test_a_local_format_with_its_offset_is_shown_as_it_should_be_sent(text: str) -> None:
    assert name_date_slip(text)[::2] == ("local_format", 'Send "2026-01-15T09:31:00Z".')


@pytest.mark.parametrize(
    "text",
    [
        "01/15/2026 09:31:00",
        "1/15/2026, 9:31:00 AM",
        "15/01/2026 09:31",
        "15.01.2026 09:31",
        "2026/01/15 09:31:00",
        "Jan 15, 2026 9:31 AM",
        "January 15, 2026 at 9:31 AM",
        "15 Jan 2026 09:31",
        "20260115093100",
    ],
)
def test_a_local_format_without_an_offset_is_shown_with_a_word_about_it(text: str) -> None:
    slip = name_date_slip(text)
    assert slip.code == "local_format"
    assert slip.fix.startswith('Send "2026-01-15T09:31:00Z". If this is not UTC')


def test_afternoon_and_midnight_are_told() -> None:
    assert "T21:31:00Z" in name_date_slip("01/15/2026 9:31 PM").fix
    assert "T00:31:00Z" in name_date_slip("Jan 15, 2026 12:31 AM").fix


def test_a_date_that_can_be_read_in_two_ways_is_not_converted() -> None:
    slip = name_date_slip("05/06/2026 09:31")
    assert slip.code == "local_format"
    assert "two ways" in slip.message
    assert slip.fix == ""


@pytest.mark.parametrize("text", ["{{ $now.toISO() }}", "={{ $json.at }}", "$now", "${now}"])
def test_an_expression_is_told(text: str) -> None:
    assert name_date_slip(text).code == "unevaluated_expression"


@pytest.mark.parametrize("value", [True, False, None, {}, [], {"$date": "2026-01-15T09:31:00Z"}])
def test_another_type_is_refused(value: object) -> None:
    assert name_date_slip(value).code == "invalid_type"


def test_people_see_no_more_digits_than_needed() -> None:
    assert show_timestamp(AT) == "2026-01-15T09:31:00Z"
    assert show_timestamp(AT + timedelta(milliseconds=5)) == "2026-01-15T09:31:00.005Z"
    assert show_timestamp(AT.astimezone(timezone(timedelta(hours=2)))) == "2026-01-15T09:31:00Z"
