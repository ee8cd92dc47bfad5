"""The headers of a request as a page shows them: as many as are light, and long values cut."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from app.console.signs import show_signs

MOST_BYTES = 8_000
LONGEST_VALUE = 400
_BYTES_A_ROW = 120


class HeaderView(NamedTuple):
    """Names and values that are shown, how many more came, and whether anything was cut."""

    shown: list[tuple[str, str]]
    left_out: int
    is_cut: bool


def view_headers(headers: Sequence[Sequence[str]]) -> HeaderView:
    """The first of them, in their order."""
    shown: list[tuple[str, str]] = []
    weight = 0
    for name, value in headers:
        text = show_signs(value)
        text = text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
        weight += len(escape(name + text).encode()) + _BYTES_A_ROW
        if weight > MOST_BYTES:
            break
        shown.append((name, text))
    left_out = len(headers) - len(shown)
    is_cut = any(len(value) > LONGEST_VALUE for _, value in headers)
    return HeaderView(shown, left_out, is_cut or left_out > 0)


def write_headers(headers: Sequence[Sequence[str]]) -> str:
    """All of them as text, one a line."""
    return "".join(f"{name}: {value}\n" for name, value in headers)
