"""The headers of a request as a page shows them: as many as are light, and long values cut."""

from collections.abc import Sequence
from html import escape
from itertools import accumulate
from typing import NamedTuple

from app.console.hidden import without_secrets
from app.signs import show_signs

MOST_BYTES = 8_000
LONGEST_VALUE = 200
_BYTES_A_ROW = 120


class HeaderView(NamedTuple):
    """Names and values that are shown, how many more came, and whether anything was cut."""

    shown: list[tuple[str, str]]
    left_out: int
    is_cut: bool


def view_headers(headers: Sequence[Sequence[str]]) -> HeaderView:
    """The shortest of them, in the order in which they came, without secrets."""
    values = [without_secrets(value) for _, value in headers]
    rows = [(pair[0], _cut(show_signs(value))) for pair, value in zip(headers, values, strict=True)]
    weights = sorted((_weigh(*row), index) for index, row in enumerate(rows))
    sums = accumulate(weight for weight, _ in weights)
    chosen = sorted(
        index for (_, index), sum_ in zip(weights, sums, strict=True) if sum_ <= MOST_BYTES
    )
    shown = [rows[index] for index in chosen]
    is_cut = any(len(value) > LONGEST_VALUE for value in values)
    return HeaderView(shown, len(rows) - len(shown), is_cut or len(shown) < len(rows))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _weigh(name: str, text: str) -> int:
    return len(escape(name + text).encode()) + _BYTES_A_ROW


def write_headers(headers: Sequence[Sequence[str]]) -> str:
    """The same of all of them, as text, one a line."""
    return "".join(f"{name}: {without_secrets(value)}\n" for name, value in headers)
