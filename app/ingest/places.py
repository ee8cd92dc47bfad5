"""Places in a text: what stands around them, and how they are shown to people."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from app.problems import Position, presentable
from app.redaction import redact
from app.secret_texts import MASK, Redacted

WINDOW = 2000
LONGEST_QUOTED = 40
_AROUND = 36
_VISIBLE = {"\n": "↵", "\r": "", "\t": "⇥"}
_NAME = re.compile(r'"((?:[^"\\\n]|\\.){1,60})"\s*:')


@dataclass(frozen=True)
class Place:
    """Where the decoder stopped: `at` is the index of the character, `error` its complaint."""

    text: str
    at: int
    error: str

    def __post_init__(self) -> None:
        if self.error.startswith("Illegal trailing comma"):  # Python 3.13 points to the comma.
            after = self.text[self.at + 1 :]
            object.__setattr__(self, "at", len(self.text) - len(after.lstrip()))

    @property
    def here(self) -> str:
        """The character at the place; nothing at the end of the text."""
        return self.text[self.at : self.at + 1]

    @property
    def rest(self) -> str:
        return self.text[self.at : self.at + WINDOW]

    @cached_property
    def before(self) -> str:
        """What stands before the place, blanks left out at its end."""
        return self.text[max(0, self.at - WINDOW) : self.at].rstrip()

    @property
    def last(self) -> str:
        """The last character before the place that is no blank."""
        return self.before[-1:]

    @property
    def last_at(self) -> int:
        return max(0, max(0, self.at - WINDOW) + len(self.before) - 1)

    @property
    def is_start(self) -> bool:
        return self.at < WINDOW and not self.before

    @property
    def is_end(self) -> bool:
        return not self.text[self.at :].strip()

    @cached_property
    def name(self) -> str:
        """` for "field"`, where the field can be told."""
        names = _NAME.findall(self.before[-400:])
        return f' for "{names[-1]}"' if names else ""

    @cached_property
    def last_string(self) -> str:
        """The text within the quotes that end just before the place."""
        inside = self.before[:-1]
        return inside[inside.rfind('"') + 1 :]

    def wants(self, what: str) -> bool:
        return self.error.startswith(f"Expecting {what}")


def locate(text: str, at: int) -> tuple[int, int]:
    """Line and column (from 1) of the character `at`."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def make_position(text: str, at: int, shift: int, offset: int | None = None) -> Position:
    """The place in the body that begins `shift` bytes before `text`."""
    if offset is None:
        offset = shift + len(text[:at].encode("utf-8", "replace"))
    return Position(offset, *locate(text, at))


def show_place(text: str, at: int) -> str:
    """At most 80 characters around the character `at`, with ▸ before it."""
    if not text.strip():
        return ""
    around, start_at = _redact_around(text, at)
    middle, wide = around.shift(at - start_at), presentable(around.shown)
    before, after = wide[max(0, middle - _AROUND) : middle], wide[middle : middle + _AROUND]
    start = "…" if at > _AROUND else ""
    end = "…" if at + _AROUND < len(text) else ""
    return start + _visible(before) + "▸" + _visible(after) + end


def say_of(words: str, text: str, at: int) -> str:
    """What is said of a place in a text, without what is hidden there and is quoted."""
    around, start = _redact_around(text, at)
    hidden = around.find(at - start)
    quoted = around.text[at - start : hidden.end][:LONGEST_QUOTED].strip() if hidden else ""
    return words.replace(quoted, MASK) if quoted else words


def _redact_around(text: str, at: int) -> tuple[Redacted, int]:
    """What stands near the place, secrets hidden, and where that begins."""
    start = max(0, at - WINDOW)
    return redact(text[start : at + WINDOW]), start


def _visible(text: str) -> str:
    return "".join(
        _VISIBLE.get(sign, "·") if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") else sign
        for sign in text
    ).replace("\N{NO-BREAK SPACE}", "·")
