"""Where in a list its page begins: parameters of the address that choose no row, and what of them
can't be read."""

from collections.abc import Callable
from typing import TypeVar

from flask import request

from app.console.url_filter import list_texts
from app.signs import show_signs

Read = TypeVar("Read")
_MOST_REPEATED = 80
"""Characters of what can't be read that are said again."""


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
