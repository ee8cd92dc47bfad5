"""What is shown of what was sent: all of it but passwords, tokens, keys and numbers of cards.

The stored request stays as it came. A text is masked where secrets have a known form or are
assigned to a name (`secret_texts`); JSON by the names of its members too (`secret_names`), in
pieces, so that broken JSON is masked alike and whole JSON stays whole.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from app.encodings import decode
from app.json_tokens import Token, read_name, scan
from app.percent_encoding import unquote_plus
from app.secret_names import is_secret_name, is_secret_parameter, may_be_count
from app.secret_texts import MASK, Change, Redacted, apply, find_secrets, join
from app.url_secrets import STARS

_OPENING, _CLOSING = frozenset("{["), frozenset("}]")
_OPENS = re.compile(r"[{\[]")
_QUOTED = frozenset({"key", "string", "open"})
_NAMING = frozenset({"name", "key", "header", "field", "id", "param", "parameter"})
_NAMED = frozenset({"value", "values", "content", "val", "received"})
"""`{"name": "Authorization", "value": …}`, as tools write the headers of a request, and `received`,
as we write what is wrong with a field."""
_SHORT = 200
_APART = 40
"""Characters between words that are one value."""
_NO_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})
"""What Python reads and writes as if it were JSON."""


def mask_text(text: str) -> str:
    """A free text without its secrets; JSON in it is masked as JSON."""
    return _mask_short(text) if len(text) <= _SHORT else _mask(text)


@lru_cache(maxsize=2048)
def _mask_short(text: str) -> str:
    """A list says the same of many rows."""
    return _mask(text)


def _mask(text: str) -> str:
    return apply(text, _find_in_text(text))


def redact(text: str, *, is_form: bool = False) -> Redacted:
    """A body, as JSON or, as far as it is none, as free text; or as fields of a form."""
    return Redacted(text, _find_in_form(text) if is_form else _find_in_body(text))


def redact_all(text: str) -> Redacted:
    """A text of which nothing tells what it says."""
    return Redacted(text, [Change(0, len(text))] if text else [])


def mask_body(raw: bytes, *, is_form: bool = False) -> bytes:
    """The bytes of a body, in its encoding; those that mean nothing in it stay as they came."""
    body = decode(raw)
    redacted = redact(body.text, is_form=is_form) if body.is_readable else redact_all(body.text)
    return body.encode(redacted.shown) if redacted.hides else raw


def mask_value(value: Any) -> Any:
    """What JSON stands for, such as metadata, masked as its text would be."""
    if value is None:
        return None
    try:
        text = json.dumps(value, ensure_ascii=False)
        changes = _find_in_json(text, scan(text))
        return json.loads(apply(text, changes)) if changes else value
    except (ValueError, RecursionError):  # One row must not break the list that it is in.
        return _hide_leaves(value)


def _hide_leaves(value: Any, most: int = 4) -> Any:
    """The outline alone of what can't be masked as JSON: at `most` as many levels."""
    if most and isinstance(value, dict):
        return {mask_text(name): _hide_leaves(each, most - 1) for name, each in value.items()}
    if most and isinstance(value, list):
        return [_hide_leaves(each, most - 1) for each in value]
    return value if value is None or isinstance(value, bool) else MASK


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _find_in_text(text: str) -> list[Change]:
    """Most texts, of which lists show many, hold no JSON."""
    return _find_in_body(text) if _OPENS.search(text) else find_secrets(text)


def _find_in_body(text: str) -> list[Change]:
    """JSON, or a text that is broken JSON or holds some among words."""
    tokens = scan(text)
    changes = _find_in_json(text, tokens)
    if _is_json(text):
        return changes
    changes += find_secrets(text)
    turned = [*_find_turned(text, tokens), len(text)]
    for start, end in pairwise(turned):
        changes += _find_in_json(text, scan(text, start, end), is_deep=False)
    return join(changes)


def _find_turned(text: str, tokens: Sequence[Token]) -> Iterator[int]:
    """Where JSON may begin that an odd quote among the words before it turned round, so that it
    seems to be within a text; a line's end turns all back."""
    depth, is_turned = 0, False
    for token in tokens:
        if token.kind == "punctuation":
            sign = text[token.start]
            depth = max(0, depth + (sign in _OPENING) - (sign in _CLOSING))
        elif token.kind in _QUOTED and not depth and not is_turned:
            opens = _OPENS.search(text, token.start, token.end)
            if opens:
                yield opens.start()
                is_turned = token.kind != "open"
        elif token.kind == "open" or "\n" in text[token.start : token.end]:
            is_turned = False


def _find_in_json(text: str, tokens: Sequence[Token], *, is_deep: bool = True) -> list[Change]:
    """`is_deep`: texts in it may hold JSON again. Of two readings of a text only one may be, or
    time would double with each level."""
    reading = _Reading(text, _find_in_text if is_deep else find_secrets)
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

    def __init__(self, text: str, find: Callable[[str], list[Change]]) -> None:
        self.changes: list[Change] = []
        self._text, self._find_within = text, find
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
            if self.changes and self._is_beside(self.changes[-1].end, start):
                start = self.changes.pop().start  # Several words are one value.
            self.changes.append(Change(start, end))

    def _is_beside(self, end: int, start: int) -> bool:
        """What was held back is hidden after what stands behind it, which it is not beside."""
        return 0 <= start - end <= _APART and not self._text[end:start].strip()

    def _note_forms(self, token: Token) -> None:
        """Secrets that show by themselves, in a text or a number."""
        start, end = token.start, token.end
        piece = self._text[start:end]
        if token.kind == "number":
            if find_secrets(piece):
                self.changes.append(Change(start, end, f'"{MASK}"'))
        elif token.kind in ("string", "key"):
            self._note_in_string(piece[1:-1], start + 1)
        elif token.kind == "open" and _OPENS.search(piece):  # Others are read as free text.
            self._note_in_string(piece[1:], start + 1)

    def _note_in_string(self, written: str, start: int) -> None:
        """`written`: what stands within the quotes."""
        try:
            plain = json.loads(f'"{written}"', strict=False) if "\\" in written else written
        except ValueError:
            return
        changes = self._find_within(plain)
        if "\\" not in written and not any('"' in change.shown for change in changes):
            self.changes += [
                change._replace(start=start + change.start, end=start + change.end)
                for change in changes
            ]
        elif changes:
            shown = _write_within_quotes(apply(plain, changes))
            self.changes.append(Change(start, start + len(written), shown))


def _write_within_quotes(plain: str) -> str:
    """As JSON, readable; halves of signs, which no encoding can write, stay escaped."""
    return json.dumps(plain, ensure_ascii=False)[1:-1].encode("utf-8", "backslashreplace").decode()


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
