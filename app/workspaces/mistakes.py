"""What is wrong with what a person asks for: told by field, and all of it at once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

Errors = dict[str, list[str]]
"""Messages for a person, by field."""


class RefusedError(ValueError):
    """Something that can't be done; `field` is where, the message is for the person.

    `errors` has the messages by field, where more than one is refused.
    """

    def __init__(self, field: str, message: str, more: Iterable["RefusedError"] = ()) -> None:
        others = list(more)
        super().__init__(" ".join([message, *map(str, others)]))
        self.field = field
        self.errors: Errors = {field: [message]}
        for each in others:
            for name, messages in each.errors.items():
                self.errors.setdefault(name, []).extend(messages)


class GoneError(Exception):
    """A link opens nothing, or nothing any more."""


class Mistakes:
    """Gathers refusals, so that whoever made two mistakes sees both."""

    def __init__(self) -> None:
        self._found: list[RefusedError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Go on after a refusal in this block; what it was to set must not be used."""
        try:
            yield
        except RefusedError as error:
            self._found.append(error)

    def add(self, field: str, *messages: str) -> None:
        self._found += [RefusedError(field, message) for message in messages]

    @property
    def errors(self) -> Errors:
        """All of them; empty where there is none."""
        found: Errors = {}
        for error in self._found:
            for field, messages in error.errors.items():
                found.setdefault(field, []).extend(messages)
        return found

    def refuse(self) -> None:
        """Raises one RefusedError with all of them, if there is any; of their special kind."""
        if not self._found:
            return
        first, *others = sorted(self._found, key=lambda error: type(error) is RefusedError)
        raise type(first)(first.field, str(first.errors[first.field][0]), _rest(first, others))


def _rest(first: RefusedError, others: Iterable[RefusedError]) -> list[RefusedError]:
    """All but the first message of the first."""
    told = [(name, text) for name, texts in first.errors.items() for text in texts][1:]
    return [*(RefusedError(name, text) for name, text in told), *others]
