"""Where in a list its page begins: parameters of the address that choose no row, and what of them
can't be read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from flask import request

from app.console.url_filter import list_texts
from app.signs import show_signs

Read = TypeVar("Read")
_MOST_REPEATED = 80
"""Characters of what can't be read that are said again."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_DIGITS = 18


class Place(NamedTuple):
    """Where something stands in a list that goes by time: by its moment, then by its id."""

    at: datetime
    id: int

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // _MICROSECOND}-{self.id}"

    @classmethod
    def read(cls, text: str | None) -> "Place | None":
        """The place in an address; None for what is none."""
        at, _, run_id = (text or "").rpartition("-")
        numbers = (at.removeprefix("-"), run_id)
        if not all(each.isascii() and each.isdigit() for each in numbers):
            return None
        if max(map(len, numbers)) > _MAX_DIGITS:
            return None
        try:
            return cls(_EPOCH + int(at) * _MICROSECOND, int(run_id))
        except OverflowError:
            return None


class PlaceReader:
    """Reads the parameters of this request's address; `mistakes` has a sentence for each that
    can't be read, by its name."""

    def __init__(self) -> None:
        self.mistakes: dict[str, str] = {}

    def read(self, name: str, read: Callable[[str], Read | None], what: str) -> Read | None:
        """What the address gives for the parameter, which has to be `what`; None where it gives
        nothing, or what `read` can't read."""
        texts = list_texts(request.args, name)
        if not texts:
            return None
        if len(texts) > 1:
            self.mistakes[name] = f"{name} is given more than once. Choose one."
            return None
        found = read(texts[0])
        if found is None:
            text = show_signs(texts[0][:_MOST_REPEATED])
            self.mistakes[name] = f"{name} has to be {what}, and is “{text}”."
        return found


def read_id(text: str) -> int | None:
    """The number of a row, as an address says it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None
