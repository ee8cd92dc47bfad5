"""Says why a value is no ISO 8601 date and time, and how it should be sent."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from app.ingest.expressions import is_expression, is_placeholder
from app.ingest.timestamps import read_timestamp, show_timestamp
from app.problems import PROBLEMS, shorten

_LONGEST = 100
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?"
_LOOSE_ISO = re.compile(
    r"([+-]?\d+)-(\d+)-(\d+)[Tt ](\d+):(\d+)(?::(\d+)(?:[.,]\d+)?)?(.*)", re.ASCII
)
_DIGITS = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)
_DATE_ONLY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)?[Tt]?", re.ASCII)
_COMPACT = re.compile(r"(20\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?", re.ASCII)
_NUMERIC = re.compile(
    rf"(\d{{1,4}})([./-])(\d{{1,2}})\2(\d{{1,4}})(?:,?\s+(?:at\s+)?{_TIME})?", re.ASCII
)
_NAMED = re.compile(
    rf"(?:[a-z]{{3,9}},?\s+)?([a-z]{{3,9}})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}}),?"
    rf"(?:\s+at)?\s+{_TIME}\s*(?:GMT|UTC|Z)?([+-]\d\d:?\d\d)?(?:\s*\(.*\))?",
    re.ASCII | re.IGNORECASE,
)
_ZONE = re.compile(r"\s*(?:(UTC|GMT)|([+-]\d\d:?\d\d)|([Zz]|[+-]\d\d:?\d\d)\[[\w/+-]+\])", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_2000, _YEAR_2100 = 946_684_800, 4_102_444_800
_UNITS = (
    ("seconds", 1, " * 1000"),
    ("milliseconds", 1_000, ""),
    ("microseconds", 1_000_000, " / 1000"),
    ("nanoseconds", 1_000_000_000, " / 1000000"),
)
_NOT_SO = "If this is not UTC, put its offset, such as +02:00, in place of the Z."


class DateSlip(NamedTuple):
    """A field code, what is wrong, and what to do; an empty `fix` stands for the table's."""

    code: str
    message: str
    fix: str = ""


def name_date_slip(value: object) -> DateSlip:
    """What is wrong with a value that `read_timestamp` can't read, of any JSON type."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _name_number(value)
    if not isinstance(value, str):
        return DateSlip("invalid_type", "This has to be a text with a date and time.")
    text = value.strip()
    if not text:
        return DateSlip("blank", "There are only blanks.", PROBLEMS["not_a_datetime"].fix)
    if len(text) <= _LONGEST:
        for rule in _RULES:
            slip = rule(text)
            if slip:
                return slip
    return DateSlip("not_a_datetime", f'"{shorten(text, 60)}" is not a date and time.')


def _name_number(value: float) -> DateSlip:
    if 20_000 <= value < 80_000:
        message = "This is a number, perhaps a spreadsheet's count of days, not a date and time."
        return DateSlip("epoch_number", message)
    for unit, divisor, to_milliseconds in _UNITS:
        if _YEAR_2000 * divisor <= value < _YEAR_2100 * divisor:
            at = _EPOCH + timedelta(seconds=value / divisor)
            code = f"new Date(value{to_milliseconds}).toISOString()"
            fix = f'Send "{show_timestamp(at)}". In JavaScript and n8n: {code}.'
            return DateSlip("epoch_number", f"This is a Unix timestamp in {unit}.", fix)
    return DateSlip("epoch_number", "This is a number, not a date and time.")


def _expression(text: str) -> DateSlip | None:
    if is_expression(text):
        return DateSlip("unevaluated_expression", "An expression arrived in place of its value.")
    if is_placeholder(text):
        message = f'"{text}" arrived: the expression found no date.'
        return DateSlip("not_a_datetime", message)
    return None


def _foreign_digits(text: str) -> DateSlip | None:
    if any(sign.isdigit() and not sign.isascii() for sign in text):
        return DateSlip("not_a_datetime", "The digits are not the digits 0 to 9.")
    return None


def _digits(text: str) -> DateSlip | None:
    compact = _COMPACT.fullmatch(text)
    if compact:
        year, *rest = (int(part or 0) for part in compact.groups())
        slip = _convert(text, _build(year, *rest))
        if slip:
            return slip
    if _DIGITS.fullmatch(text) and not (_DATE_ONLY.fullmatch(text) and len(text) == 8):
        return _name_number(float(text))
    return None


def _date_only(text: str) -> DateSlip | None:
    found = _DATE_ONLY.fullmatch(text)
    if not found:
        return None
    day = _build(int(found[1]), int(found[2]), int(found[3] or 1))
    if day is None:
        return DateSlip("not_a_datetime", f"There is no such day as {text}.")
    fix = f'Send "{day.date()}T09:31:00Z", with the real time of day. n8n: {{{{ $now.toISO() }}}}.'
    return DateSlip("date_only", f'"{text}" has no time of day.', fix)


def _nearly_iso(text: str) -> DateSlip | None:
    """ISO 8601 but for one part: says which."""
    found = _LOOSE_ISO.fullmatch(text)
    if not found:
        return None
    wrong = _name_part(found)
    if wrong:
        return DateSlip("not_a_datetime", f'"{text}": {wrong}.')
    zone = _ZONE.fullmatch(found[7])
    core = text[: found.start(7)]
    if zone:
        offset = zone[2] or zone[3] or "Z"
        moment = read_timestamp(core + offset)
        return _convert(text, moment.at if moment else None, sure=True)
    if re.match(r"\s*[A-Za-z]{2,5}$", found[7]):
        fix = f'Send "{core}Z", with the offset of {found[7].strip()} in place of the Z.'
        return DateSlip("local_format", f'"{text}" ends with the name of a time zone.', fix)
    if re.match(r"[Zz][+-]", found[7]):
        return DateSlip("not_a_datetime", f'"{text}" has two offsets, Z and another one.')
    return DateSlip("not_a_datetime", f'"{text}" can not be read from "{found[7]}" on.')


def _name_part(found: re.Match[str]) -> str:
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    if len(found[1]) != 4 or not found[1].isdigit() or year == 0:
        return "the year has to be four digits, 0001 to 9999"
    limits = (("month", month, 1, 12), ("hour", hour, 0, 23), ("minute", minute, 0, 59))
    for name, value, least, most in (*limits, ("second", second, 0, 59)):
        if not least <= value <= most:
            return f"there is no {name} {value}"
    if _build(year, month, day) is None:
        return f"there is no day {day} in that month"
    if any(len(found[part]) != 2 for part in (2, 3, 4, 5)):
        return "month, day, hour and minute have to be two digits each"
    offset = re.fullmatch(r"\s*[+-](\d\d):?(\d\d)?", found[7])
    if offset and (int(offset[1]) > 23 or int(offset[2] or 0) > 59):
        return f"there is no offset {found[7].strip()}"
    return ""


def _week_date(text: str) -> DateSlip | None:
    if not re.match(r"\d{4}-?W\d\d", text):
        return None
    try:
        at = datetime.fromisoformat(text.upper())
        return _convert(text, at, sure=at.tzinfo is not None, code="not_a_datetime")
    except ValueError:
        return None


def _e_mail(text: str) -> DateSlip | None:
    if not re.match(r"(?:[A-Za-z]{3},\s*)?\d{1,2}\s+[A-Za-z]{3}\s+\d{2,4}\s+\d", text):
        return None
    try:
        at = parsedate_to_datetime(text)
        return _convert(text, at, sure=at.tzinfo is not None)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _named_month(text: str) -> DateSlip | None:
    found = _NAMED.fullmatch(text)
    if not found or found[1][:3].lower() not in _MONTHS:
        return None
    month = _MONTHS.index(found[1][:3].lower()) + 1
    at = _build(int(found[3]), month, int(found[2]), *_read_time(found, 4))
    offset = found[8]
    moment = read_timestamp(f"{at:%Y-%m-%dT%H:%M:%S}{offset}") if at and offset else None
    if moment:
        return _convert(text, moment.at, sure=True)
    return _convert(text, at, sure="GMT" in text or "UTC" in text)


def _numeric(text: str) -> DateSlip | None:
    """01/15/2026 9:31 AM, 15.01.2026 09:31, 2026/01/15 09:31, and the like."""
    found = _NUMERIC.fullmatch(text)
    if not found:
        return None
    first, second, third = int(found[1]), int(found[3]), int(found[4])
    time = _read_time(found, 5)
    if len(found[1]) == 4:
        at = _build(first, second, third, *time)
    elif len(found[4]) != 4:
        return DateSlip("local_format", f'"{text}" has a year of {len(found[4])} digits.')
    elif found[2] != "." and first != second and first <= 12 and second <= 12:
        return DateSlip("local_format", f'"{text}" can be read in two ways: day or month first.')
    elif found[2] == "." or first > 12:
        at = _build(third, second, first, *time)
    else:
        at = _build(third, first, second, *time)
    if at is None:
        return DateSlip("not_a_datetime", f'There is no such date or time as "{text}".')
    if found[5] is None:
        fix = f'Send "{at.date()}T09:31:00Z", with the real time of day.'
        return DateSlip("local_format", f'"{text}" is a local format, and has no time.', fix)
    return _convert(text, at)


def _read_time(found: re.Match[str], group: int) -> tuple[int, int, int]:
    hour, minute, second = (int(found[group + part] or 0) for part in range(3))
    half = (found[group + 3] or "")[:1].lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0) if 1 <= hour <= 12 else 99
    return hour, minute, second


def _build(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
) -> datetime | None:
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _convert(
    text: str, at: datetime | None, sure: bool = False, code: str = "local_format"
) -> DateSlip | None:
    """`sure`: the text says how far it is from UTC."""
    if at is None:
        return None
    try:
        shown = show_timestamp(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
    fix = f'Send "{shown}".' + ("" if sure else f" {_NOT_SO}")
    return DateSlip(code, f'"{text}" is a date, but not in the form of ISO 8601.', fix)


_RULES: tuple[Callable[[str], DateSlip | None], ...] = (
    _expression,
    _foreign_digits,
    _digits,
    _date_only,
    _nearly_iso,
    _week_date,
    _e_mail,
    _named_month,
    _numeric,
)
