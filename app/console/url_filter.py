"""A filter in the URL of a list: its parameters, how each is read, and its condition for SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Self

from sqlalchemy import ColumnElement, select

from app.clock import now
from app.extensions import db
from app.models import Workflow

Condition = ColumnElement[bool]

OUTCOMES = {"success": "Succeeded", "failure": "Failed"}
MAX_TEXT = 500
MAX_PLATFORM = 64
_MAX_REFERENCE = 120
_DATE_LENGTH = len("2026-11-24")


class BadValue(Exception):
    """What can't be read; the message says what could be."""


class Value(NamedTuple):
    """What a parameter stands for in SQL, and in the words of a person."""

    value: Any
    shown: str


class Part(NamedTuple):
    """One parameter of the filter, as given and as understood."""

    name: str
    text: str
    value: Any
    shown: str


Read = Callable[[str, int], Value]
"""From the text of a parameter, and the workspace's id."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one parameter is called, read, and turned into a condition."""

    label: str
    read: Read
    condition: Callable[[Any], Condition]
    may_come_true: Callable[[Any], bool] = field(default=lambda value: False)
    """Whether what does not fit yet may fit once it is processed."""


@dataclass(frozen=True)
class UrlFilter:
    """What the reader asks for, and what of it can't be read, by parameter. Hashable."""

    PARAMETERS: ClassVar[Mapping[str, Parameter]] = {}

    parts: tuple[Part, ...] = ()
    given: tuple[tuple[str, str], ...] = ()
    mistakes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, arguments: Mapping[str, str], workspace_id: int) -> Self:
        """The filter in a URL's parameters; empty ones count as not given."""
        given, parts, mistakes = [], [], []
        for name, parameter in cls.PARAMETERS.items():
            text = arguments.get(name, "").strip()
            if not text:
                continue
            given.append((name, text))
            try:
                value, shown = parameter.read(text, workspace_id)
                parts.append(Part(name, text, value, shown))
            except BadValue as error:
                mistakes.append((name, str(error)))
        return cls(tuple(parts), tuple(given), tuple(mistakes))

    def __bool__(self) -> bool:
        return bool(self.given)

    @property
    def texts(self) -> dict[str, str]:
        """The parameters as they were given, also those that can't be read."""
        return dict(self.given)

    @property
    def errors(self) -> dict[str, str]:
        return dict(self.mistakes)

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """Name, label and value of each part, in words."""
        return [(part.name, self.PARAMETERS[part.name].label, part.shown) for part in self.parts]

    def value(self, name: str) -> Any:
        return next((part.value for part in self.parts if part.name == name), None)

    def conditions(self) -> list[Condition]:
        return [self.PARAMETERS[part.name].condition(part.value) for part in self.parts]


# --- how parameters are read --------------------------------------------------------------------


def choice(choices: Mapping[str, str]) -> Read:
    def read(text: str, workspace_id: int) -> Value:
        if text not in choices:
            raise BadValue(f"Choose one of: {', '.join(choices)}.")
        return Value(text, choices[text])

    return read


def period(periods: Mapping[str, tuple[str, timedelta]]) -> Read:
    def read(text: str, workspace_id: int) -> Value:
        if text not in periods:
            raise BadValue(f"Choose one of: {', '.join(periods)}.")
        label, length = periods[text]
        return Value(now() - length, label)

    return read


def read_workflow(text: str, workspace_id: int) -> Value:
    workflow = db.session.execute(
        select(Workflow.id, Workflow.name)
        .where(Workflow.workspace_id == workspace_id)
        .where((Workflow.public_id == storable(text)) | (Workflow.slug == storable(text)))
        .limit(1)
    ).first()
    if workflow is None:
        raise BadValue("There is no workflow with this id or slug.")
    return Value(workflow.id, workflow.name)


def storable(text: str) -> str:
    """PostgreSQL takes no NUL, and no name is that long."""
    return text[:_MAX_REFERENCE].replace("\0", "\ufffd")


def read_platform(text: str, workspace_id: int) -> Value:
    if len(text) > MAX_PLATFORM or "\0" in text:
        raise BadValue(f"A platform has at most {MAX_PLATFORM} characters, such as n8n.")
    return Value(text.lower(), text.lower())


def read_since(text: str, workspace_id: int) -> Value:
    moment = _read_moment(text)
    return Value(moment, f"{moment:%Y-%m-%d %H:%M} UTC")


def read_until(text: str, workspace_id: int) -> Value:
    """A date alone means up to its end."""
    moment = _read_moment(text)
    is_day = len(text) <= _DATE_LENGTH
    shown = f"{moment:%Y-%m-%d}" if is_day else f"{moment:%Y-%m-%d %H:%M} UTC"
    return Value(moment + timedelta(days=1) if is_day else moment, shown)


def _read_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not 1900 < zoned.year < 9000:
            raise BadValue("This year is too far away.")
        return zoned.astimezone(UTC)
    except ValueError as error:
        raise BadValue("Write a date and time such as 2026-11-24T09:30 (in UTC).") from error


def read_fingerprint(text: str, workspace_id: int) -> Value:
    if len(text) != 16 or not set(text) <= set("0123456789abcdef"):
        raise BadValue("This is no number of a group: 16 digits from 0 to f.")
    return Value(text, text)


def read_text(text: str, workspace_id: int) -> Value:
    if len(text) > MAX_TEXT:
        raise BadValue(f"Search for at most {MAX_TEXT} characters; these are {len(text):,}.")
    return Value(text, f"“{text}”")
