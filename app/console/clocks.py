"""The sender's clock beside this server's: times that lie ahead, or came without an offset."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app.console.body_places import BodyText
from app.console.formatting import duration
from app.ingest.body import read_object
from app.ingest.fields import show_value
from app.ingest.service import ingest_service
from app.ingest.timestamps import read_timestamp
from app.models import Event
from app.problems import ProblemError, shorten

_TOLERANCE = timedelta(minutes=1)
_NEAR_A_ZONE = timedelta(minutes=5)
_HALF_HOUR = timedelta(minutes=30)
_WIDEST_ZONE = timedelta(hours=14, minutes=5)
_CODES = frozenset(
    {
        "after_ended_at",
        "ended_in_the_future",
        "epoch_number",
        "in_the_future",
        "local_format",
        "offset_missing",
    }
)
_FIELDS = ("ended_at", "started_at")
_PROPOSED = re.compile(r'^Send "([^"]+)"\.')
_OFFSET = re.compile(
    r"[Tt ]\d\d:?\d\d.*?(?:([Zz]|GMT|UTC)|([+-])(\d\d):?(\d\d)?)(?:\s*\(.*\)|\[.*\])?$", re.ASCII
)
"""How far a text says that it is from UTC, after its time of day."""
_EPOCH = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


class Clock(NamedTuple):
    """A time as it was sent, as it was read, and how it stands to when the request came."""

    field: str
    sent: str
    read_at: datetime
    words: str
    is_guess: bool
    """Nobody knows how far from UTC it is meant to be."""


def compare_clocks(event: Event, body: BodyText) -> list[Clock]:
    """The times of an event that its findings speak of, or that lie ahead of this server's clock.

    Needs payload.
    """
    entries = [*(event.errors or []), *(event.warnings or [])]
    told = {str(each.get("field")): each for each in reversed(entries) if each["code"] in _CODES}
    if any(each["code"] == "after_ended_at" for each in told.values()):
        told.setdefault(_FIELDS[0], {})
    ahead = [name for name in _FIELDS if name not in told and _lies_ahead(event, name)]
    members = _read_members(body) if told or ahead else {}
    clocks = [
        _compare(event, name, members.get(name), told.get(name, {}))
        for name in _FIELDS
        if name in told or name in ahead
    ]
    return [clock for clock in clocks if clock]


def _lies_ahead(event: Event, field: str) -> bool:
    moment = read_timestamp(str((event.payload or {}).get(field)))
    return moment is not None and moment.at - event.received_at > _TOLERANCE


def _read_members(body: BodyText) -> Mapping[str, Any]:
    """What was sent: an event keeps its times in UTC, and its body as it came."""
    try:
        return read_object(body.raw, body.content_type, ingest_service().max_json_depth)
    except ProblemError:
        return {}


def _compare(event: Event, field: str, member: object, entry: Mapping[str, Any]) -> Clock | None:
    """`member`: what the body holds; where it can't be read any more, the finding quotes it."""
    sent = show_value(member) if member else str(entry.get("received") or "")
    if not sent:
        sent = str((event.payload or {}).get(field) or "")
    sent = sent.strip()
    offset = _read_offset(sent)
    moment = read_timestamp(sent)
    if moment is None:
        proposed = _PROPOSED.match(str(entry.get("fix") or ""))
        moment = read_timestamp(proposed[1]) if proposed else None
        if moment is None:
            return None
    words = describe(field, moment.at - event.received_at, offset)
    is_guess = offset is None and read_timestamp(sent) is None
    return Clock(field, shorten(sent), moment.at, words, is_guess)


def _read_offset(sent: str) -> timedelta | None:
    """How far a time says that it is from UTC; None where it does not say."""
    if _EPOCH.fullmatch(sent):
        return timedelta()
    found = _OFFSET.search(sent)
    if found is None:
        return None
    sign = -1 if found[2] == "-" else 1
    return sign * timedelta(hours=int(found[3] or 0), minutes=int(found[4] or 0))


def describe(field: str, ahead: timedelta, offset: timedelta | None) -> str:
    """`ahead`: the sent time less the time at which the request came; `offset`: how far from UTC
    it said to be, None where it did not say."""
    if abs(ahead) <= _TOLERANCE:
        return f"{field} and this server's clock agree."
    zone = _name_zone(abs(ahead))
    rounded = round(ahead / _HALF_HOUR) * _HALF_HOUR if zone else ahead
    distance = duration(abs(rounded) / timedelta(milliseconds=1))
    if ahead < timedelta():
        hint = ""
        if zone:
            reason = _blame_offset(offset, rounded) or f"it is local time west of UTC ({zone})."
            hint = f" If the run had just ended, {reason}"
        return f"{field} lies {distance} before the request came.{hint}"
    if zone and offset:
        blamed = _blame_offset(offset, rounded)
        guess = f"It came with the offset {_write_offset(offset)}, so {blamed}"
        return f"{field} lies {distance} ahead of this server's clock. {guess}"
    if zone:
        how = "sent without its offset" if offset is None else "sent as UTC"
        guess = f"probably local time ({zone.replace('-', '+')}) {how}"
    elif ahead > timedelta(days=300):
        guess = "probably a year, or a unit of a timestamp, that is wrong"
    else:
        guess = "probably the sender's clock is wrong"
    return f"{field} lies {distance} ahead of this server's clock: {guess}."


def _blame_offset(offset: timedelta | None, ahead: timedelta) -> str:
    """Why a time that came with an offset is so far off; empty for UTC and for none."""
    if not offset:
        return ""
    right = offset + ahead
    hint = f": with {_write_offset(right)} the clocks would agree" if _is_zone(right) else ""
    return f"the sender's clock or its time zone is wrong{hint}."


def _is_zone(offset: timedelta) -> bool:
    return timedelta(hours=-12) <= offset <= timedelta(hours=14)


def _write_offset(offset: timedelta) -> str:
    minutes = abs(offset) // timedelta(minutes=1)
    return f"{'-' if offset < timedelta() else '+'}{minutes // 60:02}:{minutes % 60:02}"


def _name_zone(distance: timedelta) -> str | None:
    """`UTC-2` or `UTC-5:30`, where the distance is close to that of a time zone."""
    halves = round(distance / _HALF_HOUR)
    is_near = abs(distance - halves * _HALF_HOUR) <= _NEAR_A_ZONE
    if not halves or not is_near or distance > _WIDEST_ZONE:
        return None
    hours, half = divmod(halves, 2)
    return f"UTC-{hours}" + (":30" if half else "")
