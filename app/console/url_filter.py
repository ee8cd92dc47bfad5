"""A filter in the URL of a list: its parameters, how each is read, and its condition for SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Self
from urllib.parse import urlencode

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, select, true
from werkzeug.datastructures import MultiDict

from app.clock import now
from app.console.moments import read_moment
from app.console.reader import current_reader
from app.extensions import db
from app.models import Workflow
from app.problems import PROBLEMS

Condition = ColumnElement[bool]

OUTCOMES = {"success": "Succeeded", "failure": "Failed"}
MAX_TEXT = 500
MAX_PLATFORM = 64
_MAX_REFERENCE = 120
LIMITS = ("since", "until")
"""Parameters that are moments."""


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


Read = Callable[[str, int], Value]
"""From the text of a parameter, and the workspace's id."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one parameter is called, read, and turned into a condition."""

    label: str
    read: Read
    condition: Callable[[Any], Condition] = field(default=lambda value: true())
    may_come_true: Callable[[Any], bool] = field(default=lambda value: False)
    """Whether what does not fit yet may fit once it is processed."""


@dataclass(frozen=True)
class UrlFilter:
    """What the reader asks for, and what of it can't be read, by parameter. Hashable.

    `is_sifted`: nothing is found by what is hidden from the reader.
    """

    PARAMETERS: ClassVar[Mapping[str, Parameter]] = {}
    max_text: ClassVar[int] = MAX_TEXT
    max_platform: ClassVar[int] = MAX_PLATFORM

    parts: tuple[Part, ...] = ()
    given: tuple[tuple[str, str], ...] = ()
    mistakes: tuple[tuple[str, str], ...] = ()
    is_sifted: bool = False

    @classmethod
    def read(cls, arguments: Mapping[str, str], workspace_id: int) -> Self:
        """The filter in a URL's parameters; empty ones count as not given."""
        given, parts, mistakes = [], [], []
        for name, parameter in cls.PARAMETERS.items():
            texts = list_texts(arguments, name)
            if not texts:
                continue
            text = texts[0]
            try:
                if len(texts) > 1:
                    raise BadValue("This is given more than once. Choose one.")
                value, shown, said = parameter.read(text, workspace_id)
                text = said or text
                parts.append(Part(name, text, value, shown))
            except BadValue as error:
                mistakes.append((name, str(error)))
            given.append((name, text))
        return cls(tuple(parts), tuple(given), tuple(mistakes))

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
            Chip(name, self.PARAMETERS[name].label, shown, value if name in LIMITS else None)
            for name, _, value, shown in self.parts
        ]

    @property
    def sifted_text(self) -> str | None:
        """What must stand in what the reader sees, where that is not all that is stored."""
        text: str | None = self.value("q") if self.is_sifted else None
        return text

    def value(self, name: str) -> Any:
        return next((part.value for part in self.parts if part.name == name), None)

    def conditions(self) -> list[Condition]:
        return [self.PARAMETERS[part.name].condition(part.value) for part in self.parts]


def list_texts(arguments: Mapping[str, str], name: str) -> list[str]:
    """All that an address gives for the parameter; what is empty says nothing."""
    many = arguments.getlist(name) if isinstance(arguments, MultiDict) else [arguments.get(name)]
    return list(dict.fromkeys(text.strip() for text in many if text and text.strip()))


def lead_to_short_address() -> ResponseReturnValue | None:
    """To the address without empty parameters, which a form sends along where no script runs."""
    given = list(request.args.items(multi=True))
    kept = [(name, text) for name, text in given if text.strip()]
    if kept == given:
        return None
    address = url_for(str(request.endpoint))
    return redirect(f"{address}?{urlencode(kept)}" if kept else address)


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


def read_code(text: str, workspace_id: int) -> Value:
    if text not in PROBLEMS:
        raise BadValue("There is no such code. The troubleshooting page lists all of them.")
    return Value(text, text)


def read_platform(text: str, workspace_id: int) -> Value:
    if len(text) > MAX_PLATFORM or "\0" in text:
        raise BadValue(f"A platform has at most {MAX_PLATFORM} characters, such as n8n.")
    return Value(text.lower(), text.lower())


def _limit(*, is_end: bool) -> Read:
    def read(text: str, workspace_id: int) -> Value:
        try:
            moment = read_moment(text, current_reader().zone, is_end=is_end)
        except ValueError as error:
            raise BadValue(str(error)) from error
        return Value(moment.at, f"{moment.at:%Y-%m-%d %H:%M} UTC", moment.text)

    return read


read_since, read_until = _limit(is_end=False), _limit(is_end=True)


def read_fingerprint(text: str, workspace_id: int) -> Value:
    if len(text) != 16 or not set(text) <= set("0123456789abcdef"):
        raise BadValue("This is no number of a group: 16 digits from 0 to f.")
    return Value(text, text)


def read_text(text: str, workspace_id: int) -> Value:
    if len(text) > MAX_TEXT:
        raise BadValue(f"Search for at most {MAX_TEXT} characters; these are {len(text):,}.")
    return Value(text, f"“{text}”")
