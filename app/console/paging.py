"""Lists in pages: which one the address asks for, and where the ones beside it are."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from flask import request, url_for


def read_page(name: str = "page") -> int:
    """The number of the page, from 1."""
    text = request.args.get(name, "")
    is_number = text.isascii() and text.isdigit() and len(text) < 6
    return max(1, int(text)) if is_number else 1


def page_argument(name: str) -> dict[str, Any]:
    """What leads back to the page that the address asks for: nothing for the first."""
    return {name: read_page(name)} if read_page(name) > 1 else {}


@dataclass(frozen=True)
class Paged:
    """The page that is shown of a list: what lies beyond the end leads to the last one.

    `endpoint` shows the list; `name` is the parameter of its address that holds the number, and
    `kept` are those that its other pages keep. `anchor`: where on the page the list stands.
    """

    count: int
    size: int
    endpoint: str
    name: str = "page"
    kept: Collection[str] = ()
    anchor: str | None = None

    @property
    def number(self) -> int:
        return min(read_page(self.name), self.last)

    @property
    def start(self) -> int:
        return (self.number - 1) * self.size

    @property
    def part(self) -> slice:
        return slice(self.start, self.start + self.size)

    @property
    def last(self) -> int:
        return max(1, -(-self.count // self.size))

    @property
    def argument(self) -> dict[str, Any]:
        """What leads back to this page: nothing for the first."""
        return {self.name: self.number} if self.number > 1 else {}

    @property
    def previous(self) -> str | None:
        return self._address(self.number - 1) if self.number > 1 else None

    @property
    def next(self) -> str | None:
        return self._address(self.number + 1) if self.number < self.last else None

    def _address(self, number: int) -> str:
        kept: dict[str, Any] = {name: request.args.get(name) for name in self.kept}
        kept |= request.view_args or {}
        anchor = self.anchor or (None if self.name == "page" else self.name)
        return url_for(self.endpoint, **{**kept, self.name: number}, _anchor=anchor)
