"""A long text as a page shows it: its beginning, as much of it as is light."""

from html import escape
from itertools import accumulate
from typing import NamedTuple

from app.signs import show_signs


class LongText(NamedTuple):
    """The beginning of a text, and how many characters of it were left out."""

    shown: str
    left_out: int


def cut_text(text: str, most_bytes: int) -> LongText:
    """So much of the text that the HTML that shows it weighs no more than `most_bytes`."""
    start = text[:most_bytes]  # Each sign weighs a byte or more.
    weights = accumulate(len(escape(show_signs(sign)).encode()) for sign in start)
    length = sum(weight <= most_bytes for weight in weights)
    return LongText(text[:length], len(text) - length)
