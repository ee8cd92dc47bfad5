"""Reads and writes ISO 8601 dates and times, the only form in which a body may give them.

Read are the extended and the basic format with any offset, seconds and a fraction of any length
or none. A leap second (23:59:60 UTC) becomes the last microsecond of its minute. Hour 24, week
dates and ordinal dates are refused.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

_OFFSET = r"(?:[Zz]|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?"
_HOUR = r"[Tt ](?:[01]\d|2[0-3])"
_ISO = re.compile(
    rf"\d{{4}}-\d\d-\d\d{_HOUR}:\d\d(?::\d\d(?:[.,]\d+)?)?{_OFFSET}"
    rf"|\d{{8}}{_HOUR}\d\d(?:\d\d(?:[.,]\d+)?)?{_OFFSET}",
    re.ASCII,
)
_LEAP_SECOND = re.compile(r"(.{8,10}T\d\d:?\d\d:?)60", re.ASCII)


class Moment(NamedTuple):
    """A time in UTC, and whether its text said how far it is from UTC."""

    at: datetime
    has_offset: bool


def read_timestamp(text: str) -> Moment | None:
    """The moment that `text` names, cut to the microsecond; None if it names none."""
    text = text.strip().upper()
    if not _ISO.fullmatch(text):
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is UTC:
            return Moment(at, True)
        if at.tzinfo is None:
            return Moment(at.replace(tzinfo=UTC), False)
        return Moment(at.astimezone(UTC), True)
    except (ValueError, OverflowError):
        return _read_leap_second(text)


def write_timestamp(at: datetime) -> str:
    """The form in which times are stored: `2026-01-15T09:31:00.123456Z`. `at` is in UTC."""
    return at.isoformat("T", "microseconds")[:-6] + "Z"


def show_timestamp(at: datetime) -> str:
    """The form in which times are shown to people: no more digits than are needed."""
    precision = "milliseconds" if at.microsecond else "seconds"
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _read_leap_second(text: str) -> Moment | None:
    replaced, found = _LEAP_SECOND.subn(r"\g<1>59", text)
    moment = read_timestamp(replaced) if found else None
    if moment is None or (moment.at.hour, moment.at.minute) != (23, 59):
        return None
    return moment._replace(at=moment.at.replace(microsecond=999999))
