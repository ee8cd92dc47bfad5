"""Which events a reader wants to see: read from the URL, and turned into conditions for SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from app.clock import now
from app.console.event_text import contains_code, contains_text
from app.console.moments import read_moment
from app.console.reader import current_reader
from app.extensions import db
from app.models import ApiKey, Event, Workflow
from app.problems import PROBLEMS

Condition = ColumnElement[bool]

STATE_LABELS = {
    "accepted": "Accepted",
    "processed": "Processed",
    "failed": "Not processed",
    "rejected": "Rejected",
}
OUTCOMES = {"success": "Succeeded", "failure": "Failed"}
PERIODS = {
    "15m": ("Last 15 minutes", timedelta(minutes=15)),
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
}
MAX_TEXT = 500
MAX_PLATFORM = 64
_MAX_REFERENCE = 120


class BadValue(Exception):
    """What can't be read; the message says what could be."""


class Value(NamedTuple):
    """What a parameter stands for in SQL, and in the words of a person; `text` is how an address
    says it to everybody alike, where the reader may say it otherwise."""

    value: Any
    shown: str
    text: str | None = None


class Part(NamedTuple):
    """One parameter of the filter, as addresses carry it and as understood."""

    name: str
    text: str
    value: Any
    shown: str


class Chip(NamedTuple):
    """A part in words; a moment is told in the reader's zone."""

    name: str
    label: str
    shown: str
    moment: datetime | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one parameter is called, read, and turned into a condition."""

    label: str
    read: Callable[[str, int], Value]
    condition: Callable[[Any], Condition]
    may_come_true: Callable[[Any], bool] = field(default=lambda value: False)
    """Whether an event that does not fit yet may fit once it is processed."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What the reader asks for, and what of it can't be read, by parameter. Hashable."""

    parts: tuple[Part, ...] = ()
    given: tuple[tuple[str, str], ...] = ()
    mistakes: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.given)

    @property
    def texts(self) -> dict[str, str]:
        """The parameters as addresses carry them, also those that can't be read."""
        return dict(self.given)

    @property
    def errors(self) -> dict[str, str]:
        return dict(self.mistakes)

    @property
    def chips(self) -> list[Chip]:
        return [
            Chip(name, PARAMETERS[name].label, shown, value if name in LIMITS else None)
            for name, _, value, shown in self.parts
        ]

    @property
    def may_come_true(self) -> bool:
        """Whether events may enter the list when they are processed."""
        return any(PARAMETERS[part.name].may_come_true(part.value) for part in self.parts)

    def value(self, name: str) -> Any:
        return next((part.value for part in self.parts if part.name == name), None)

    def conditions(self) -> list[Condition]:
        return [PARAMETERS[part.name].condition(part.value) for part in self.parts]

    def lasting_conditions(self) -> list[Condition]:
        """Those that an event fits for good or never, whatever the worker makes of it."""
        return [
            PARAMETERS[part.name].condition(part.value)
            for part in self.parts
            if part.name not in CHANGING
        ]

    def reaches(self, moment: datetime) -> bool:
        """Whether events that come from this moment on can fit."""
        until = self.value("until")
        return until is None or until > moment

    @property
    def since(self) -> datetime | None:
        """The later of the two limits in the past."""
        limits = [each for each in (self.value("period"), self.value("since")) if each]
        return max(limits, default=None)

    @property
    def small_state(self) -> str | None:
        """The state of all that fits, where it is one that few events are in."""
        if self.value("problem") or _is_of_request(self.value("code")):
            return "rejected"
        state: str | None = self.value("state")
        return None if state == "processed" else state

    @property
    def is_of_warning(self) -> bool:
        """Whether all that fits was accepted with a warning."""
        code: str | None = self.value("code")
        return code is not None and PROBLEMS[code].kind == "warning"


def read_filter(arguments: Mapping[str, str], workspace_id: int) -> EventFilter:
    """The filter in a URL's parameters; empty ones count as not given."""
    given, parts, mistakes = [], [], []
    for name, parameter in PARAMETERS.items():
        text = arguments.get(name, "").strip()
        if not text:
            continue
        try:
            value, shown, said = parameter.read(text, workspace_id)
            text = said or text
            parts.append(Part(name, text, value, shown))
        except BadValue as error:
            mistakes.append((name, str(error)))
        given.append((name, text))
    return EventFilter(tuple(parts), tuple(given), tuple(mistakes))


# --- how each parameter is read -----------------------------------------------------------------


def _choice(choices: Mapping[str, str]) -> Callable[[str, int], Value]:
    def read(text: str, workspace_id: int) -> Value:
        if text not in choices:
            raise BadValue(f"Choose one of: {', '.join(choices)}.")
        return Value(text, choices[text])

    return read


def _read_code(text: str, workspace_id: int) -> Value:
    if text not in PROBLEMS:
        raise BadValue("There is no such code. The troubleshooting page lists all of them.")
    return Value(text, text)


def _read_workflow(text: str, workspace_id: int) -> Value:
    workflow = db.session.execute(
        select(Workflow.id, Workflow.name)
        .where(Workflow.workspace_id == workspace_id)
        .where((Workflow.public_id == _storable(text)) | (Workflow.slug == _storable(text)))
        .limit(1)
    ).first()
    if workflow is None:
        raise BadValue("There is no workflow with this id or slug.")
    return Value(workflow.id, workflow.name)


def _read_key(text: str, workspace_id: int) -> Value:
    key = db.session.execute(
        select(ApiKey.id, ApiKey.name).where(
            ApiKey.workspace_id == workspace_id, ApiKey.public_id == _storable(text)
        )
    ).first()
    if key is None:
        raise BadValue("There is no API key with this id.")
    return Value(key.id, key.name)


def _storable(text: str) -> str:
    """PostgreSQL takes no NUL, and no name is that long."""
    return text[:_MAX_REFERENCE].replace("\0", "\ufffd")


def _read_platform(text: str, workspace_id: int) -> Value:
    if len(text) > MAX_PLATFORM or "\0" in text:
        raise BadValue(f"A platform has at most {MAX_PLATFORM} characters, such as n8n.")
    return Value(text.lower(), text.lower())


def _read_period(text: str, workspace_id: int) -> Value:
    if text not in PERIODS:
        raise BadValue(f"Choose one of: {', '.join(PERIODS)}.")
    label, length = PERIODS[text]
    return Value(now() - length, label)


def _limit(*, is_end: bool) -> Callable[[str, int], Value]:
    def read(text: str, workspace_id: int) -> Value:
        try:
            moment = read_moment(text, current_reader().zone, is_end=is_end)
        except ValueError as error:
            raise BadValue(str(error)) from error
        return Value(moment.at, f"{moment.at:%Y-%m-%d %H:%M} UTC", moment.text)

    return read


def _read_problem(text: str, workspace_id: int) -> Value:
    if len(text) != 16 or not set(text) <= set("0123456789abcdef"):
        raise BadValue("This is no problem's number: 16 digits from 0 to f.")
    return Value(text, text)


def _read_text(text: str, workspace_id: int) -> Value:
    if len(text) > MAX_TEXT:
        raise BadValue(f"Search for at most {MAX_TEXT} characters; these are {len(text):,}.")
    return Value(text, f"“{text}”")


# --- how each becomes a condition ---------------------------------------------------------------


_OF_PROCESSING: dict[str, Callable[[], Condition]] = {
    "processing_failed": lambda: Event.state == "failed",
    "processing_retrying": lambda: (Event.state == "accepted") & Event.failure.is_not(None),
}


def _of_code(code: str) -> Condition:
    if code in _OF_PROCESSING:
        return _OF_PROCESSING[code]()
    return Event.code == code if _is_of_request(code) else contains_code(code)


def _is_of_request(code: str | None) -> bool:
    return code is not None and PROBLEMS[code].kind == "request"


def _of_outcome(outcome: str) -> Condition:
    return Event.kind == f"run-{outcome}"


PARAMETERS: dict[str, Parameter] = {
    "state": Parameter(
        "State", _choice(STATE_LABELS), Event.state.__eq__, ("processed", "failed").__contains__
    ),
    "q": Parameter("Text", _read_text, contains_text, lambda text: True),
    "outcome": Parameter("Outcome", _choice(OUTCOMES), _of_outcome),
    "code": Parameter("Code", _read_code, _of_code, _OF_PROCESSING.__contains__),
    "workflow": Parameter("Workflow", _read_workflow, Event.workflow_id.__eq__),
    "key": Parameter("Key", _read_key, Event.api_key_id.__eq__),
    "platform": Parameter("From", _read_platform, Event.platform.__eq__),
    "period": Parameter("Time", _read_period, Event.received_at.__ge__),
    "since": Parameter("Since", _limit(is_end=False), Event.received_at.__ge__),
    "until": Parameter("Until", _limit(is_end=True), Event.received_at.__lt__),
    "problem": Parameter("Problem", _read_problem, Event.fingerprint.__eq__),
}
"""All parameters of the log's URL that choose events; the rest tell where the page begins."""
LIMITS = ("since", "until")
"""Parameters that are moments."""
CHANGING = frozenset({"state", "q", "code"})
"""Parameters that an event may fit at one time and not at another."""
