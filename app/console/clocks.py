"""The sender's clock beside this server's: times that lie ahead, or came without an offset."""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from app.console.formatting import duration
from app.ingest.timestamps import read_timestamp
from app.models import Event

_TOLERANCE = timedelta(minutes=1)
_NEAR_A_ZONE = timedelta(minutes=5)
_HALF_HOUR = timedelta(minutes=30)
_WIDEST_ZONE = timedelta(hours=14, minutes=5)
_CODES = frozenset({"epoch_number", "in_the_future", "local_format", "offset_missing"})
_PROPOSED = re.compile(r'^Send "([^"]+)"\.')
_FIELDS = ("ended_at", "started_at")


class Clock(NamedTuple):
    """A time as it was sent, as it was read, and how it stands to when the request came."""

    field: str
    sent: str
    read_at: datetime
    words: str
    is_guess: bool


def compare_clocks(event: Event) -> list[Clock]:
    """The times of an event that its findings speak of, or that lie ahead of this server's clock.

    Needs payload.
    """
    entries = [*(event.errors or []), *(event.warnings or [])]
    clocks = []
    for field in _FIELDS:
        entry = next((e for e in entries if e.get("field") == field and e["code"] in _CODES), None)
        sent = str((entry or {}).get("received") or (event.payload or {}).get(field) or "")
        read_at, is_guess = _read(sent, str((entry or {}).get("fix") or ""))
        if read_at is None or (entry is None and read_at - event.received_at <= _TOLERANCE):
            continue
        words = describe(field, read_at - event.received_at)
        clocks.append(Clock(field, sent, read_at, words, is_guess))
    return clocks


def _read(sent: str, fix: str) -> tuple[datetime | None, bool]:
    """The moment, and whether it is only what the explanation proposes."""
    moment = read_timestamp(sent)
    if moment:
        return moment.at, False
    proposed = _PROPOSED.match(fix)
    moment = read_timestamp(proposed[1]) if proposed else None
    return (moment.at if moment else None), True


def describe(field: str, ahead: timedelta) -> str:
    """`ahead`: the sent time less the time at which the request came."""
    if abs(ahead) <= _TOLERANCE:
        return f"{field} and this server's clock agree."
    zone = _name_zone(abs(ahead))
    rounded = round(ahead / _HALF_HOUR) * _HALF_HOUR if zone else ahead
    distance = duration(abs(rounded) / timedelta(milliseconds=1))
    if ahead < timedelta():
        hint = f" If the run had just ended, it is local time west of UTC ({zone})." if zone else ""
        return f"{field} lies {distance} before the request came.{hint}"
    if zone:
        guess = f"probably local time ({zone.replace('-', '+')}) sent as UTC"
    elif ahead > timedelta(days=300):
        guess = "probably a year, or a unit of a timestamp, that is wrong"
    else:
        guess = "probably the sender's clock is wrong"
    return f"{field} lies {distance} ahead of this server's clock: {guess}."


def _name_zone(distance: timedelta) -> str | None:
    """`UTC-2` or `UTC-5:30`, where the distance is close to that of a time zone."""
    halves = round(distance / _HALF_HOUR)
    is_near = abs(distance - halves * _HALF_HOUR) <= _NEAR_A_ZONE
    if not halves or not is_near or distance > _WIDEST_ZONE:
        return None
    hours, half = divmod(halves, 2)
    return f"UTC-{hours}" + (":30" if half else "")
