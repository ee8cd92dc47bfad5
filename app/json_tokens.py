"""JSON and forms cut into pieces with their places; broken JSON too, in linear time."""

import json
import re
import sys
from typing import NamedTuple

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


class Token(NamedTuple):
    """A piece of a text: key, string, number, literal, punctuation, space, or what JSON does not
    know: bad, and open for a text that has no end on its line.
    """

    kind: str
    start: int
    end: int


def scan(text: str, start: int = 0, end: int = sys.maxsize) -> list[Token]:
    """All pieces of a text or of a part of it, without gaps, in linear time; it never fails."""
    found = _TOKEN.finditer(text, start, end)
    return [Token(match.lastgroup or "", *match.span()) for match in found]


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


def read_name(text: str, key: Token) -> str | None:
    """The name that a key stands for; None if it is no JSON text."""
    try:
        name = json.loads(text[key.start : key.end], strict=False)
    except ValueError:
        return None
    return name if isinstance(name, str) else None
