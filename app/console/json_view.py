"""The members of a body, with their places, for marks and repairs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.json_tokens import Token, read_name
from app.percent_encoding import unquote_plus

_OPENING, _CLOSING = frozenset("{["), frozenset("}]")


class Member(NamedTuple):
    """A member of the outermost object: its name, and where name and value stand."""

    name: str
    key: tuple[int, int]
    value: tuple[int, int]


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
