"""A body to be edited with its secrets hidden, and what stood there put back once it is sent."""

import re
from collections.abc import Mapping
from itertools import count
from typing import NamedTuple

from app.console.hidden import is_revealed
from app.console.member_paths import Paths
from app.redaction import redact
from app.secret_texts import MASK
from app.url_secrets import STARS
from app.workspaces.mistakes import RefusedError

_MOVED = (
    "A hidden value stands where it did not stand before, or where it would be seen. Leave hidden "
    "values where they were, or type others in their place."
)
_CHANGED = (
    "A text with the hidden value {} was changed, and is hidden as a whole. Leave it as it was "
    "shown, or type all of it anew."
)
_NUMBERED = re.compile(rf"(?:{MASK}|{re.escape(STARS)})([0-9]{{1,7}})")


class Hidden(NamedTuple):
    """A part of a text, and what is shown in its place; in that, `mask_at` is where a mask is."""

    start: int
    end: int
    shown: str
    mask_at: int


class HiddenDraft(NamedTuple):
    """A text, and what of it is shown for editing: each hidden value by the number it has there."""

    text: str
    shown: str
    values: Mapping[str, Hidden]

    def put_back(self, typed: str) -> str:
        """What was typed, with what its masks stand for.

        Raises RefusedError for a mask that stands in another member than before, or where its
        value would not be hidden: to send a request again must not be a way to read it. What a
        body hides may be shown elsewhere, such as an address that a run links to.
        """
        parts, moves, at, length = list[str](), list[tuple[int, int, int]](), 0, 0
        for found in _NUMBERED.finditer(typed):
            value = self._find(typed, found, at) if found.start() >= at else None
            if value is None:
                continue
            start, original = found.start() - value.mask_at, self.text[value.start : value.end]
            parts += [typed[at:start], original]
            length += start - at
            moves.append((value.start, length, length + len(original)))
            length += len(original)
            at = start + len(value.shown)
        text = "".join([*parts, typed[at:]])
        if moves and not self._are_in_place(text, moves):
            raise RefusedError("body", _MOVED)
        return text

    def _find(self, typed: str, found: re.Match[str], at: int) -> Hidden | None:
        """What a mask stands for; its number may have another digit behind it. None: no mask of
        ours."""
        digits = found[1]
        numbers = [digits[:size] for size in range(len(digits), 0, -1)]
        values = [self.values[number] for number in numbers if number in self.values]
        for value in values:
            start = found.start() - value.mask_at
            if start >= at and typed.startswith(value.shown, start):
                return value
        if values:
            raise RefusedError("body", _CHANGED.format(found[0]))
        return None

    def _are_in_place(self, text: str, moves: list[tuple[int, int, int]]) -> bool:
        known: dict[tuple[int, str | int], int] = {}
        before, behind, redacted = Paths(self.text, known), Paths(text, known), redact(text)
        for was, start, end in moves:
            change = redacted.find(start)
            if change is None or end > change.end or before.find(was) != behind.find(start):
                return False
        return True


def hide_for_editing(text: str) -> HiddenDraft:
    """All of it as it is where it is shown already."""
    return HiddenDraft(text, text, {}) if is_revealed() else hide_always(text)


def hide_always(text: str) -> HiddenDraft:
    """The same text has the same masks each time; none has a number that stands there already."""
    taken = {found[:size] for found in _NUMBERED.findall(text) for size in range(1, 8)}
    numbers = (number for each in count(1) if (number := str(each)) not in taken)
    values, parts, at = dict[str, Hidden](), list[str](), 0
    for change, number in zip(redact(text).changes, numbers, strict=False):
        shown = change.shown
        for mask in (MASK, STARS):
            shown = shown.replace(mask, mask + number)
        mask_at = next((found.start() for found in _NUMBERED.finditer(shown)), 0)
        values[number] = Hidden(change.start, change.end, shown, mask_at)
        parts += [text[at : change.start], shown]
        at = change.end
    return HiddenDraft(text, "".join([*parts, text[at:]]), values)
