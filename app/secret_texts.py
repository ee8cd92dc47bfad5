"""Where in a free text secrets stand: tokens of a known form, cards, and what is assigned to names.

Everything here takes time in proportion to the text: each repetition is bounded, or never tried
twice from the same place.
"""

import base64
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from app.address_secrets import KEPT, find_address_secrets
from app.card_numbers import find_cards
from app.keys import PREFIX_LENGTH, is_secret
from app.secret_names import is_secret_name, may_be_count
from app.url_secrets import STARS, find_url_secrets

MASK = "••••••"
"""Always as long, whatever it stands for."""


class Change(NamedTuple):
    """What is shown in the place of a part of a text."""

    start: int
    end: int
    shown: str = MASK


_TOKEN = re.compile(  # Forms that their makers document, so that scanners can find them.
    r"""
    fp_[0-9A-Za-z]{20,}+
    | gh[opsur]_[0-9A-Za-z]{20,}+ | github_pat_\w{20,}+ | glpat-[\w-]{16,}+
    | xox[a-z]-[\w-]{10,}+ | xapp-[\w-]{16,}+
    | sk-(?<![\w-]sk-)[\w-]{16,}+
    | sk_(?:live|test)_\w{10,}+ | rk_(?:live|test)_\w{10,}+ | pk_(?:live|test)_\w{10,}+
    | AKIA[0-9A-Z]{16} | ASIA[0-9A-Z]{16} | AIza[\w-]{30,}+ | ya29\.[\w.-]{20,}+
    | eyJ(?<![\w-]eyJ)[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+){0,3}
    | SG\.(?<![\w-]SG\.)[\w-]{16,}+\.[\w-]{16,}+
    | npm_\w{30,}+ | pypi-[\w-]{30,}+ | hf_\w{20,}+ | whsec_[\w+/=-]{16,}+
    | shp(?:at|ca|pa|ss)_\w{20,}+ | dop_v1_\w{20,}+ | key-(?<![\w-]key-)[0-9a-f]{32}
    | -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY-----(?s:.*?)(?:-----END\ [A-Z ]{0,45}-----|\Z)
    """,
    re.VERBOSE | re.ASCII,
)
_HOOK = re.compile(  # Addresses that open something by themselves.
    r"(?:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks"
    r"|api\.telegram\.org/bot)/?([^\s\"'<>]++)"
)
_NAME = re.compile(
    r"(?:access|account|api|auth|backup|bearer|card|cc|client|cookie|credential|csc|csrf|cvc|cvv"
    r"|encryption|hmac|jwt|licen|master|otp|pass|pin|private|pw|recovery|root|secret|service"
    r"|session|shared|signature|signing|ssh|storage|token|totp|webhook|xsrf|user_?p|db_?p|my_?p|admin_?p)"
)
"""How what `is_secret_name` knows begins; in small letters, a text is quickly searched for it."""
_ASSIGNED = re.compile(
    r"([\w.-]{0,40}+(?:[ ][Kk][Ee][Yy]|[ ][Nn]umber)?)"
    r"(?:\\{0,7}[\"'`])?\]?[ \t]{0,3}(=>|:=|==?|:)([ \t]{0,5})"
)
_QUOTED = re.compile(r"(\\{0,7}[\"'`])(?:(?!(?<!\\)\1)[^\n])*+")
"""Up to the same quote with as many backslashes: one with more stands within the text."""
_SCHEME = re.compile(r"(?:bearer|basic|token|digest|apikey|negotiate)[ ]{1,3}", re.IGNORECASE)
_BARE = re.compile(r"[^\s,;&\"'`<>(){}\[\]|\\]++")
_LINE = re.compile(r"[^\n\r\"'<>]++")
_WORD_BEFORE = re.compile(r"[\w.-]{0,40}\Z")
_CREDENTIALS = re.compile(r"(bearer|basic)[ ]{1,3}([\w.~+/=-]{8,}+)")
_NO_VALUE = frozenset({"none", "null", "true", "false", "undefined", "nil", "-", "..."})
_ALWAYS = re.compile(r"passw|pwd|cookie|authori[sz]ation", re.IGNORECASE)
_LONG_WORD = 20
_UNREAD = re.compile("(?:[^\0\ufffd][\0\ufffd]{1,3}){4,}+")
"""UTF-16 or UTF-32 that was read as UTF-8, in which nothing is found; a NUL that is kept is �."""
_ELEMENT = re.compile(  # Also one that is long and has no end, as a text that was cut has.
    r"<([\w:.-]{1,60}+)(?:\s[^<>]{0,200}+)?>([^<]++)(?:<\\?/|(?<=[^<]{300})\Z)"
)
_CDATA = re.compile(r"<([\w:.-]{1,60}+)(?:\s[^<>]{0,200}+)?>\s{0,20}+<!\[CDATA\[")
_OPTION = re.compile(
    r"(?<![\w-])--(?![\w-]*-(?:file|path|env)[ \t])([\w-]{1,60}+)[ \t]{1,3}"
    r"(\"(?:[^\"\\\n]|\\.){1,200}+\"|'[^'\n]{1,200}'|[^\s\"'`-]\S*+)"
)


def find_secrets(text: str) -> list[Change]:
    """All of a text, in their order, none within another."""
    changes = [*_find_tokens(text), *(Change(*span) for span in find_cards(text))]
    if not text.isascii() or "\0" in text:
        changes += [Change(*found.span()) for found in _UNREAD.finditer(text)]
    if any(sign in text for sign in ":= /<%"):
        small = _in_small_letters(text)
        changes += _find_assigned(text, small)
        changes += _find_in_addresses(text)
        changes += _find_named(text)
        changes += _find_credentials(text, small)
    return join(changes) if changes else changes


def join(changes: Iterable[Change]) -> list[Change]:
    """In their order; those that overlap become one."""
    joined: list[Change] = []
    for each in sorted(set(changes)):
        if not joined or each.start >= joined[-1].end:
            joined.append(each)
        elif each.end > joined[-1].end or joined[-1].shown not in (MASK, STARS):
            last = joined.pop()
            joined.append(Change(last.start, max(last.end, each.end)))
    return joined


def apply(text: str, changes: Iterable[Change]) -> str:
    """The text after the changes, which are in their order."""
    parts, at = [], 0
    for change in changes:
        parts += [text[at : change.start], change.shown]
        at = change.end
    return "".join([*parts, text[at:]]) if parts else text


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


def _find_named(text: str) -> Iterator[Change]:
    for pattern, sign in ((_ELEMENT, "<"), (_OPTION, "--")):
        for found in pattern.finditer(text) if sign in text else ():
            is_sure = sign == "<" or _ALWAYS.search(found[1]) or _is_random(found[2])
            if is_sure and is_secret_name(found[1]) and not _is_masked(found[2]):
                yield Change(*found.span(2))
    yield from _find_cdata(text)


def _find_cdata(text: str) -> Iterator[Change]:
    """XML's own kind of quotes, in which `<` may stand; without an end where the text was cut."""
    begins = _CDATA.finditer(text) if "<![CDATA[" in text else ()
    end = 0
    for found in begins:
        if found.end() >= end and is_secret_name(found[1]):
            end = text.find("]]>", found.end())
            end = len(text) if end < 0 else end
            if not _is_masked(text[found.end() : end]):
                yield Change(found.end(), end)


def _find_tokens(text: str) -> Iterator[Change]:
    for found in _TOKEN.finditer(text):
        if not found[0].startswith("fp_"):
            yield Change(*found.span())
        elif is_secret(found[0]):
            yield Change(*found.span(), found[0][:PREFIX_LENGTH] + MASK)


def _find_in_addresses(text: str) -> Iterator[Change]:
    for start, end, shown in find_url_secrets(text):
        if not _is_masked(text[start:end]):
            yield Change(start, end, shown or STARS)
    for found in _HOOK.finditer(text) if "/" in text else ():
        yield Change(*found.span(1))
    for start, end in find_address_secrets(text):
        yield Change(start, end, text[start : start + KEPT] + MASK)


def _find_credentials(text: str, small: str) -> Iterator[Change]:
    """`Bearer` and `Basic` as HTTP writes them (RFC 7617, RFC 6750), with no name before them."""
    for found in _CREDENTIALS.finditer(small):
        value = text[slice(*found.span(2))]
        if _has_user(value) if found[1] == "basic" else _is_random(value):
            yield Change(*found.span(2))


def _has_user(value: str) -> bool:
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except ValueError:
        return False


def _find_assigned(text: str, small: str) -> Iterator[Change]:
    """What stands behind a name and a colon or an equals sign."""
    at = 0
    while found := _NAME.search(small, at):
        at = found.end()
        assigned = _ASSIGNED.match(text, at)
        if not assigned:
            continue
        before = _WORD_BEFORE.search(text, max(0, found.start() - 40), found.start())
        name = text[before.start() if before else found.start() : assigned.end(1)]
        if not is_secret_name(name):
            continue
        span = _find_value(text, assigned, name)
        if span:
            yield Change(*span)
            at = span[1]


def _find_value(text: str, assigned: re.Match[str], name: str) -> tuple[int, int] | None:
    at = assigned.end()
    quoted = _QUOTED.match(text, at)
    if quoted:
        start, end = quoted.end(1), quoted.end()
        return (start, end) if end > start and not _is_masked(text[start:end]) else None
    if "ookie" in name or "OOKIE" in name:
        line = _LINE.match(text, at)
        return line.span() if line else None
    scheme = _SCHEME.match(text, at)
    value = _BARE.match(text, scheme.end() if scheme else at)
    if not value or value[0].lower() in _NO_VALUE or _is_masked(value[0]):
        return None
    if value[0].isdigit() and may_be_count(name):
        return None
    is_prose = assigned[2] == ":" and assigned[3] != ""
    if is_prose and not scheme and not _ALWAYS.search(name) and not _is_random(value[0]):
        return None
    return value.span()


def _is_masked(value: str) -> bool:
    return not value.strip("*•")


def _is_random(value: str) -> bool:
    """Whether it can't be a word of a sentence, such as what is wrong with a token."""
    return len(value) >= _LONG_WORD or any("0" <= sign <= "9" for sign in value)


def _in_small_letters(text: str) -> str:
    """As long as the text: some signs have small letters of more than one."""
    if len(small := text.lower()) == len(text):
        return small
    return "".join(sign.lower() if sign.isascii() else sign for sign in text)
