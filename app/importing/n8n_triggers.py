"""When n8n starts a workflow: its Schedule Trigger, and the Cron and Interval nodes of before.

What a node leaves out has the default that the node's form shows; n8n does not write those down.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from app.importing.documents import make_whole
from app.timetable import MOST_SECONDS, UNITS, UnreadableError, read_expression

_MINUTE, _HOUR, _DAY = UNITS["minute"], UNITS["hour"], UNITS["day"]
_TOO_OFTEN = "It runs more than once a minute; runs are expected by the minute here."
Members = Mapping[str, Any]


class Pace(NamedTuple):
    """A cron expression, or every so many seconds."""

    expression: str | None
    every_seconds: int | None


def read_paces(nodes: Sequence[Members]) -> Iterator[Pace]:
    """Of all nodes that start by the clock. Raises UnreadableError."""
    for node in nodes:
        read = _NODES.get(str(node.get("type")))
        if read:
            parameters = node.get("parameters")
            yield from read(parameters if isinstance(parameters, dict) else {})


def _cron(text: Any) -> Pace:
    """Six fields begin with the seconds; a fixed one plays no part."""
    if not isinstance(text, str) or text.startswith("="):
        raise UnreadableError("It is worked out by an expression of n8n's.")
    fields = make_whole(text).split()
    if len(fields) == 6:
        if not (fields[0].isascii() and fields[0].isdigit()):
            raise UnreadableError(_TOO_OFTEN)
        fields = fields[1:]
    return Pace(read_expression(" ".join(fields)[:200]), None)


def _every(seconds: int) -> Pace:
    if seconds < _MINUTE:
        raise UnreadableError(_TOO_OFTEN)
    if seconds % _MINUTE or seconds > MOST_SECONDS:
        raise UnreadableError("Its interval is no whole number of minutes, up to a year.")
    return Pace(None, seconds)


def _number(item: Members, name: str, usual: int, least: int, most: int) -> int:
    value = item.get(name, usual)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnreadableError(f"{name} is worked out by an expression of n8n's, or is no number.")
    if not least <= value <= most:
        raise UnreadableError(f"{name} is {value}; it goes from {least} to {most}.")
    return value


def _list_members(parameters: Members, outer: str, inner: str) -> list[Members]:
    """The entries of a collection that may have several; what holds none has one with defaults."""
    holder = parameters.get(outer)
    items = holder.get(inner) if isinstance(holder, dict) else None
    if items is None:
        return [{}]
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise UnreadableError(f"{outer} can't be read.")
    return items


# --- Schedule Trigger ---------------------------------------------------------------------------


def _time_of_day(item: Members) -> str:
    minute = _number(item, "triggerAtMinute", 0, 0, 59)
    return f"{minute} {_number(item, 'triggerAtHour', 0, 0, 23)}"


def _by_minutes(item: Members) -> Pace:
    return _cron(f"*/{_number(item, 'minutesInterval', 5, 1, 59)} * * * *")


def _by_hours(item: Members) -> Pace:
    """n8n counts the hours from the last start: where they don't fill a day, an interval does."""
    hours = _number(item, "hoursInterval", 1, 1, 23)
    if 24 % hours:
        return _every(hours * _HOUR)
    return _cron(f"{_number(item, 'triggerAtMinute', 0, 0, 59)} */{hours} * * *")


def _by_days(item: Members) -> Pace:
    days = _number(item, "daysInterval", 1, 1, 31)
    return _cron(f"{_time_of_day(item)} * * *") if days == 1 else _every(days * _DAY)


def _by_weeks(item: Members) -> Pace:
    weeks, given = _number(item, "weeksInterval", 1, 1, 52), item.get("triggerAtDay", [0])
    if not isinstance(given, list):
        raise UnreadableError("Its weekdays are worked out by an expression of n8n's.")
    days = [_number({"triggerAtDay": each}, "triggerAtDay", 0, 0, 7) for each in given]
    if weeks == 1:
        return _cron(f"{_time_of_day(item)} * * {','.join(map(str, days)) or '*'}")
    if len(days) != 1:
        raise UnreadableError(f"Every {weeks} weeks on several days has no form here.")
    return _every(weeks * 7 * _DAY)


def _by_months(item: Members) -> Pace:
    months = _number(item, "monthsInterval", 1, 1, 1_000)
    day = _number(item, "triggerAtDayOfMonth", 1, 1, 31)
    if 12 % months:
        raise UnreadableError(f"Every {months} months has no form here.")
    return _cron(f"{_time_of_day(item)} {day} {'*' if months == 1 else f'*/{months}'} *")


_FIELDS: dict[str, Callable[[Members], Pace]] = {
    "seconds": lambda item: _every(_number(item, "secondsInterval", 30, 1, MOST_SECONDS)),
    "minutes": _by_minutes,
    "hours": _by_hours,
    "days": _by_days,
    "weeks": _by_weeks,
    "months": _by_months,
    "cronExpression": lambda item: _cron(item.get("expression", "")),
}


def _read_schedule_trigger(parameters: Members) -> Iterator[Pace]:
    for item in _list_members(parameters, "rule", "interval"):
        read = _FIELDS.get(str(item.get("field", "days")))
        if read is None:
            raise UnreadableError("Its interval is of a kind that is not known here.")
        yield read(item)


# --- Cron and Interval, as n8n had them before --------------------------------------------------


def _wall(item: Members) -> str:
    return f"{_number(item, 'minute', 0, 0, 59)} {_number(item, 'hour', 14, 0, 23)}"


def _every_x(item: Members) -> Pace:
    unit = {"minutes": _MINUTE, "hours": _HOUR}.get(str(item.get("unit", "hours")))
    if unit is None:
        raise UnreadableError("Its unit is not known here.")
    return _every(_number(item, "value", 2, 1, 1_000) * unit)


_MODES: dict[str, Callable[[Members], Pace]] = {
    "everyMinute": lambda item: _cron("* * * * *"),
    "everyHour": lambda item: _cron(f"{_number(item, 'minute', 0, 0, 59)} * * * *"),
    "everyDay": lambda item: _cron(f"{_wall(item)} * * *"),
    "everyWeek": lambda item: _cron(f"{_wall(item)} * * {_number(item, 'weekday', 1, 0, 7)}"),
    "everyMonth": lambda item: _cron(f"{_wall(item)} {_number(item, 'dayOfMonth', 1, 1, 31)} * *"),
    "everyX": _every_x,
    "custom": lambda item: _cron(item.get("cronExpression", "* * * * * *")),
}


def _read_cron_node(parameters: Members) -> Iterator[Pace]:
    if not parameters.get("triggerTimes"):
        return
    for item in _list_members(parameters, "triggerTimes", "item"):
        read = _MODES.get(str(item.get("mode", "everyDay")))
        if read is None:
            raise UnreadableError("Its mode is not known here.")
        yield read(item)


_UNITS = {"seconds": 1, "minutes": _MINUTE, "hours": _HOUR}


def _read_interval_node(parameters: Members) -> Iterator[Pace]:
    unit = _UNITS.get(str(parameters.get("unit", "seconds")))
    if unit is None:
        raise UnreadableError("Its unit is not known here.")
    yield _every(_number(parameters, "interval", 1, 1, MOST_SECONDS) * unit)


_NODES: dict[str, Callable[[Members], Iterator[Pace]]] = {
    "n8n-nodes-base.scheduleTrigger": _read_schedule_trigger,
    "n8n-nodes-base.cron": _read_cron_node,
    "n8n-nodes-base.interval": _read_interval_node,
}
"""The types of nodes that start a workflow by the clock."""
