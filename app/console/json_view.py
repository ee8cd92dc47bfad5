"""JSON cut into pieces with their places, for colours, marks and repairs; broken JSON too."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote_plus

_STRING = r'"(?:[^"\\\n]++|\\[^\n])*+'
_TOKEN = re.compile(
    rf'(?P<key>{_STRING}"(?=\s*+:))|(?P<string>{_STRING}")|(?P<open>{_STRING})'
    r"|(?P<punctuation>[{}\[\]:,])"
    r"|(?P<space>\s++)"
    r"|(?P<number>-?(?:0|[1-9]\d*+)(?:\.\d++)?(?:[eE][+-]?\d++)?(?![\w.+-]))"
    r"|(?P<literal>(?:true|false|null)(?![\w.+-]))"
    r'|(?P<bad>[^\s"{}\[\]:,]++)',
    re.ASCII,
)
_FORM_TOKEN = re.compile(r"(?P<key>[^&=]++)|(?P<punctuation>&)|(?P<value>=[^&]*+)")
_OPENING, _CLOSING = frozenset("{["), frozenset("}]")


class Token(NamedTuple):
    """A piece of a text: key, string, number, literal, punctuation, space, or what JSON does not
    know: bad, and open for a text that has no end on its line.
    """

    kind: str
    start: int
    end: int


class Member(NamedTuple):
    """A member of the outermost object: its name, and where name and value stand."""

    name: str
    key: tuple[int, int]
    value: tuple[int, int]


def scan(text: str) -> list[Token]:
    """All pieces of a text, without gaps, in linear time; it never fails."""
    return [Token(match.lastgroup or "", *match.span()) for match in _TOKEN.finditer(text)]


def scan_form(text: str) -> list[Token]:
    """The pieces of a form-encoded text; a value is a string."""
    tokens = []
    for match in _FORM_TOKEN.finditer(text):
        start, end = match.span()
        if match.lastgroup == "value":
            tokens += [Token("punctuation", start, start + 1), Token("string", start + 1, end)]
        else:
            tokens.append(Token(match.lastgroup or "bad", start, end))
    return tokens


def list_members(text: str, tokens: Sequence[Token]) -> list[Member]:
    """The members of the outermost object of a valid JSON text, in their order."""
    return [
        Member(name, (key.start, key.end), (value[0].start, value[-1].end))
        for key, value in _split_members(text, tokens)
        if value and (name := read_name(text, key)) is not None
    ]


def list_form_members(text: str) -> list[Member]:
    """The fields of a form-encoded text, in their order."""
    members, at = [], 0
    for pair in text.split("&"):
        name, _, _ = pair.partition("=")
        split, end = at + len(name), at + len(pair)
        members.append(Member(unquote_plus(name), (at, split), (min(split + 1, end), end)))
        at = end + 1
    return members


def read_name(text: str, key: Token) -> str | None:
    """The name that a key stands for; None if it is no JSON text."""
    try:
        name = json.loads(text[key.start : key.end], strict=False)
    except ValueError:
        return None
    return name if isinstance(name, str) else None


def _split_members(text: str, tokens: Sequence[Token]) -> Iterator[tuple[Token, list[Token]]]:
    """Each key of depth one, with the pieces of its value."""
    depth, key, value = 0, None, list[Token]()
    for token in tokens:
        sign = text[token.start] if token.kind == "punctuation" else ""
        if sign in _CLOSING:
            depth -= 1
        if depth == 1 and token.kind == "key":
            key, value = token, []
        elif key and (depth == 0 or (depth == 1 and sign == ",")):
            yield key, value
            key = None
        elif key and token.kind != "space" and (depth > 1 or sign != ":"):
            value.append(token)
        if sign in _OPENING:
            depth += 1
