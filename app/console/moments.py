"""Moments in an address: with their offset, so that whoever opens it sees the same; what comes
without one is read as the reader's clock shows it."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

_DATE_LENGTH = len("2026-11-24")
_LOST_PLUS = re.compile(r"(T\d\d:\d\d\S*) (\d\d:?\d\d)$")
"""A plus sign that was typed into an address, where it stands for a space."""


class Moment(NamedTuple):
    """The moment in UTC, and how an address tells it to everybody alike."""

    at: datetime
    text: str


def read_moment(text: str, zone: tzinfo, *, is_end: bool = False) -> Moment:
    """`2026-11-24T09:30+01:00`, or without the offset in `zone`; a date alone is its begin, or its
    end. Raises ValueError with a sentence for people."""
    given = _LOST_PLUS.sub(r"\1+\2", text)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        example = "2026-11-24T09:30+01:00"
        raise ValueError(f"Write a date and time such as {example} or 2026-11-24 09:30.") from error
    if not 1900 < moment.year < 9000:
        raise ValueError("This year is too far away.")
    if moment.tzinfo:
        return Moment(moment.astimezone(UTC), given)
    if is_end and len(given) <= _DATE_LENGTH:
        moment += timedelta(days=1)
    zoned = moment.replace(tzinfo=zone)
    precision = "auto" if zoned.second or zoned.microsecond else "minutes"
    return Moment(zoned.astimezone(UTC), zoned.isoformat(timespec=precision))
