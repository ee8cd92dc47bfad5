"""A body to be edited with its secrets hidden, and what stood there put back once it is sent."""

import re
from typing import NamedTuple

from app.console.hidden import is_revealed
from app.redaction import redact
from app.secret_texts import MASK
from app.workspaces.mistakes import RefusedError

_MOVED = (
    "A hidden value stands where it would be seen, such as under another name. Leave hidden values "
    "where they were, or type others in their place."
)


class HiddenDraft(NamedTuple):
    """A text as it is shown for editing, each hidden value with a number of its own, and what
    stands for which."""

    shown: str
    originals: dict[str, str]

    def put_back(self, typed: str) -> str:
        """What was typed, with what its masks stand for.

        Raises RefusedError for a mask that was moved to where its value would no longer be hidden:
        to send a request again must not be a way to read it.
        """
        if MASK not in typed or not self.originals:
            return typed
        longest_first = sorted(self.originals, key=len, reverse=True)
        parts, spans, at, length = list[str](), list[tuple[int, int]](), 0, 0
        for found in re.finditer("|".join(map(re.escape, longest_first)), typed):
            original = self.originals[found[0]]
            parts += [typed[at : found.start()], original]
            start = length + found.start() - at
            length = start + len(original)
            spans.append((start, length))
            at = found.end()
        text = "".join([*parts, typed[at:]])
        hidden = redact(text)
        changes = [(hidden.find(start), end) for start, end in spans]
        if not all(change and end <= change.end for change, end in changes):
            raise RefusedError("body", _MOVED)
        return text


def hide_for_editing(text: str) -> HiddenDraft:
    """All of it as it is where it is shown already."""
    return HiddenDraft(text, {}) if is_revealed() else hide_always(text)


def hide_always(text: str) -> HiddenDraft:
    """The same text has the same masks each time."""
    redacted, originals, parts, at = redact(text), dict[str, str](), list[str](), 0
    for number, change in enumerate(redacted.changes, 1):
        shown = change.shown.replace(MASK, f"{MASK}{number}")
        originals[shown] = text[change.start : change.end]
        parts += [text[at : change.start], shown]
        at = change.end
    return HiddenDraft("".join([*parts, text[at:]]), originals)
