"""What a row says has to make sense to the worker and the pages, which count on what FlowPulse has
checked as it was written."""

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import ValidationError

from app.alerting.kinds import KINDS
from app.archives.values import WrongValueError
from app.channels.kinds import KINDS as CHANNEL_KINDS
from app.timetable import MOST_SECONDS, UNITS, UnreadableError, read_expression
from app.workspaces.badges import TOKEN_LENGTH

LEAST_SECONDS = UNITS["minute"]
_PUBLIC_ID, _SLUG = re.compile("[a-z0-9]{24}"), re.compile("[a-z0-9]+(?:-[a-z0-9]+)*")
_BADGE_TOKEN = re.compile(f"[0-9A-Za-z_-]{{{TOKEN_LENGTH}}}")
Values = dict[str, Any]


def _is_list_of(type_: type[Any]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(each, type_) for each in value)


def _are_headers(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(each, str) for each in pair)
        for pair in value
    )


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


SHAPES: dict[str, Callable[[Any], bool]] = {
    "headers": _are_headers,
    "errors": _is_list_of(dict),
    "warnings": _is_list_of(dict),
    "workflow_ids": _is_list_of(int),
    "payload": _is_object,
    "metadata": _is_object,
    "kept_from": _is_object,
    "numbers": _is_object,
    "detail": _is_object,
}
"""By column, what its JSON has to be; `detail` is text in events and an object in alerts."""


def check(table: str, values: Values) -> None:
    """Raises WrongValueError, which begins with the column's name."""
    public_id = values.get("public_id")
    if public_id is not None and not _PUBLIC_ID.fullmatch(public_id):
        raise WrongValueError("public_id is no id")
    for name, fits in SHAPES.items():
        value = values.get(name)
        is_text = table == "events" and name == "detail"
        if value is not None and not is_text and not fits(value):
            raise WrongValueError(f"{name} is not of the form that FlowPulse writes")
    further = _FURTHER.get(table)
    if further is not None:
        further(values)


def _check_workflow(values: Values) -> None:
    if not _SLUG.fullmatch(values["slug"]):
        raise WrongValueError("slug is none")
    token = values["badge_token"]
    if token is not None and not _BADGE_TOKEN.fullmatch(token):
        raise WrongValueError("badge_token is none")


def _check_channel(values: Values) -> None:
    if values["kind"] not in CHANNEL_KINDS:
        raise WrongValueError("kind is none that is known")


def _check_rule(values: Values) -> None:
    kind = KINDS.get(values["kind"])
    if kind is None:
        raise WrongValueError("kind is none that is known")
    try:
        kind.schema.load(values["numbers"])
    except ValidationError as error:
        raise WrongValueError("numbers are not those of its kind") from error


def _check_alert(values: Values) -> None:
    if values["kind"] not in KINDS:
        raise WrongValueError("kind is none that is known")


def _check_schedule(values: Values) -> None:
    try:
        ZoneInfo(values["time_zone"])
    except (KeyError, ValueError, OSError) as error:
        raise WrongValueError("time_zone is none") from error
    if not 0 <= values["grace_seconds"] <= MOST_SECONDS:
        raise WrongValueError("grace_seconds is out of bounds")
    if values["kind"] == "interval":
        if not LEAST_SECONDS <= (values["every_seconds"] or 0) <= MOST_SECONDS:
            raise WrongValueError("every_seconds is out of bounds")
        return
    try:
        read_expression(values["cron_expression"] or "")
    except UnreadableError as error:
        raise WrongValueError("cron_expression can't be read") from error


_FURTHER: dict[str, Callable[[Values], None]] = {
    "workflows": _check_workflow,
    "channels": _check_channel,
    "alert_rules": _check_rule,
    "alerts": _check_alert,
    "schedules": _check_schedule,
}
