"""What is shown of what was sent: all of it but passwords, tokens, keys and numbers of cards.

The stored request stays as it came. A text is masked where secrets have a known form or are
assigned to a name (`secret_texts`); JSON by the names of its members too (`secret_names`), in
pieces, so that broken JSON is masked alike and whole JSON stays whole.
"""

import json
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import quote, unquote_plus

from app.json_tokens import Token, read_name, scan
from app.secret_names import is_secret_name, is_secret_parameter, may_be_count
from app.secret_texts import MASK, Change, apply, find_secrets, join
from app.url_secrets import STARS

_OPENING, _CLOSING = frozenset("{["), frozenset("}]")
_NAMING = frozenset({"name", "key", "header", "field", "id", "param", "parameter"})
_NAMED = frozenset({"value", "values", "content", "val", "received"})
"""`{"name": "Authorization", "value": …}`, as tools write the headers of a request, and `received`,
as we write what is wrong with a field."""
_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_SHORT = 200
_NO_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})
"""What Python reads and writes as if it were JSON."""


class Redacted:
    """A text, what is shown of it, and where what stood in the one stands in the other."""

    def __init__(self, text: str, changes: Sequence[Change]) -> None:
        self.text, self.changes = text, changes

    @cached_property
    def shown(self) -> str:
        return apply(self.text, self.changes)

    @property
    def hides(self) -> bool:
        return bool(self.changes)

    def shift(self, at: int, *, is_end: bool = False) -> int:
        """The place in what is shown of a place in the text; one within what is hidden is where
        that begins, or ends."""
        index = bisect_right(self._starts, at) - 1
        if index < 0:
            return at
        change, shifted = self.changes[index], self._shifts[index]
        if at >= change.end:
            return at + shifted
        if at == change.start or not is_end:
            return change.start + shifted - (len(change.shown) - (change.end - change.start))
        return change.end + shifted

    def find(self, at: int) -> Change | None:
        """What hides this place."""
        index = bisect_right(self._starts, at) - 1
        return self.changes[index] if index >= 0 and at < self.changes[index].end else None

    @cached_property
    def _starts(self) -> list[int]:
        return [change.start for change in self.changes]

    @cached_property
    def _shifts(self) -> list[int]:
        """By how much all moves behind each change."""
        shifts, shifted = [], 0
        for change in self.changes:
            shifted += len(change.shown) - (change.end - change.start)
            shifts.append(shifted)
        return shifts


def mask_text(text: str) -> str:
    """A free text without its secrets."""
    return _mask_short(text) if len(text) <= _SHORT else apply(text, find_secrets(text))


@lru_cache(maxsize=2048)
def _mask_short(text: str) -> str:
    """A list says the same of many rows."""
    return apply(text, find_secrets(text))


def redact(text: str, *, is_form: bool = False) -> Redacted:
    """A body, as JSON or, as far as it is none, as free text; or as fields of a form."""
    if is_form:
        return Redacted(text, _find_in_form(text))
    changes = _find_in_json(text, scan(text))
    if not _is_json(text):
        changes = join([*changes, *find_secrets(text)])
    return Redacted(text, changes)


def mask_body(raw: bytes, *, is_form: bool = False) -> bytes:
    """The bytes of a body; those that are no UTF-8 stay as they came."""
    encoding = _ENCODINGS.get(raw[:2], "utf-8")
    try:
        text = raw.decode(encoding, "surrogateescape")
        redacted = redact(text, is_form=is_form)
        return redacted.shown.encode(encoding, "surrogateescape") if redacted.hides else raw
    except UnicodeError:  # UTF-16 that is none.
        return raw


def mask_value(value: Any) -> Any:
    """What JSON stands for, such as metadata, masked as its text would be."""
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False)
    changes = _find_in_json(text, scan(text))
    return json.loads(apply(text, changes)) if changes else value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _find_in_json(text: str, tokens: Sequence[Token]) -> list[Change]:
    reading = _Reading(text)
    for index, token in enumerate(tokens):
        if token.kind != "space":
            is_name = token.kind == "key" or (
                token.kind == "bad" and reading.is_inside and _has_colon(text, tokens, index + 1)
            )
            reading.read(token, is_name)
    reading.end()
    return join(reading.changes)


def _has_colon(text: str, tokens: Sequence[Token], index: int) -> bool:
    """Whether one follows, so that in broken JSON the word before is a name."""
    if index < len(tokens) and tokens[index].kind == "space":
        index += 1
    return index < len(tokens) and text[tokens[index].start] == ":"


class _Level:
    """An object or a list that is open: of which member, whether all in it is secret, and whether
    numbers in it are."""

    __slots__ = ("counts", "held", "is_secret", "name", "names_secret")

    def __init__(self, name: str, *, is_secret: bool, counts: bool = False) -> None:
        self.name, self.is_secret, self.counts = name, is_secret, counts
        self.names_secret = False
        self.held: list[Token] = []


class _Reading:
    """Goes through the pieces of JSON, and notes what must not be shown."""

    def __init__(self, text: str) -> None:
        self.changes: list[Change] = []
        self._text = text
        self._levels = [_Level("", is_secret=False)]
        self._name = ""
        self._is_secret = False

    @property
    def is_inside(self) -> bool:
        """Whether an object or a list is open."""
        return len(self._levels) > 1

    def read(self, token: Token, is_name: bool) -> None:
        text, level = self._text, self._levels[-1]
        if is_name:
            self._name = self._read_name(token)
            self._is_secret = level.is_secret or is_secret_name(self._name)
            self._note_forms(token)
        elif token.kind != "punctuation":
            self._read_value(token, level)
        elif (sign := text[token.start]) in _OPENING:
            counts = level.counts or (self._is_secret and may_be_count(self._name))
            self._levels.append(_Level(self._name, is_secret=self._is_secret, counts=counts))
        elif sign in _CLOSING:
            self._close()
        elif sign == ",":
            self._name, self._is_secret = level.name, level.is_secret

    def end(self) -> None:
        """What was cut off has no end."""
        while len(self._levels) > 1:
            self._close()
        self._settle(self._levels[0])

    def _close(self) -> None:
        if len(self._levels) > 1:
            self._settle(self._levels.pop())
        level = self._levels[-1]
        self._name, self._is_secret = level.name, level.is_secret

    def _settle(self, level: _Level) -> None:
        for token in level.held if level.names_secret else ():
            self._hide(token)

    def _read_name(self, token: Token) -> str:
        name = read_name(self._text, token) if token.kind == "key" else None
        return self._text[token.start : token.end].strip("\"'`") if name is None else name

    def _read_value(self, token: Token, level: _Level) -> None:
        if self._is_secret:
            self._hide(token)
            return
        self._note_forms(token)
        name = self._name.lower()
        if name in _NAMED:
            level.held.append(token)
        elif name in _NAMING and token.kind == "string":
            said = read_name(self._text, token)
            level.names_secret = level.names_secret or (said is not None and is_secret_name(said))

    def _hide(self, token: Token) -> None:
        start, end = token.start, token.end
        if token.kind in ("string", "open"):
            end -= token.kind == "string"
            if end > start + 1:
                self.changes.append(Change(start + 1, end))
        elif token.kind == "number":
            if not (self._levels[-1].counts or may_be_count(self._name)):
                self.changes.append(Change(start, end, f'"{MASK}"'))
        elif token.kind == "bad" and self._text[start:end] not in _NO_NUMBERS:
            last = self.changes[-1] if self.changes else None
            if last and not self._text[last.end : start].strip():
                start = self.changes.pop().start  # Several words are one value.
            self.changes.append(Change(start, end))

    def _note_forms(self, token: Token) -> None:
        """Secrets that show by themselves, in a text or a number."""
        start, end = token.start, token.end
        piece = self._text[start:end]
        if token.kind == "number":
            if find_secrets(piece):
                self.changes.append(Change(start, end, f'"{MASK}"'))
        elif token.kind in ("string", "key"):
            self._note_in_string(piece, start)

    def _note_in_string(self, piece: str, start: int) -> None:
        if "\\" not in piece:
            for change in _find_in_string(piece[1:-1]):
                self.changes.append(
                    change._replace(start=start + 1 + change.start, end=start + 1 + change.end)
                )
            return
        try:
            plain = json.loads(piece, strict=False)
        except ValueError:
            return
        changes = _find_in_string(plain)
        if changes:
            shown = json.dumps(apply(plain, changes), ensure_ascii=False)[1:-1]
            self.changes.append(Change(start + 1, start + len(piece) - 1, shown))


def _find_in_string(plain: str) -> list[Change]:
    """A text of JSON may hold JSON again, as it is often sent."""
    if plain[:1] in _OPENING and _is_json(plain):
        return _find_in_json(plain, scan(plain))
    return find_secrets(plain)


def _find_in_form(text: str) -> list[Change]:
    """The fields of a form; what is masked can still be sent."""
    changes, at = [], 0
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        start, end = at + len(name) + 1, at + len(pair)
        if value and is_secret_parameter(unquote_plus(name)):
            changes.append(Change(start, end, STARS))
        elif value and (masked := redact(plain := unquote_plus(value)).shown) != plain:
            changes.append(Change(start, end, quote(masked.replace(MASK, STARS), safe="*")))
        at = end + 1
    return changes
