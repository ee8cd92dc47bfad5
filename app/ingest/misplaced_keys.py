"""A key that came where none is looked for: it opens nothing, but the sender can be told so.

Only its form is looked at, so that what is told is the same for a good key and for any other.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from app.keys import KEY_PATTERN, has_key_form
from app.problems import shorten

_WHOLE = re.compile(rf"(?<![0-9A-Za-z_]){KEY_PATTERN.pattern}(?![0-9A-Za-z_])")
_GLUED = re.compile(rf"(?i:bearer){KEY_PATTERN.pattern}(?![0-9A-Za-z_])")
_RIGHT = "HTTP_X_API_KEY"
_BEARER = "HTTP_AUTHORIZATION"
_LONGEST_NAME = 60
_SEND = "send it as X-API-Key"
_ALONE = "with something around it; send the key alone, as X-API-Key"


class Misplaced(NamedTuple):
    """A text in the form of a key, and what the sender is told of its place."""

    key: str
    words: str


def find_misplaced_key(environ: Mapping[str, Any]) -> Misplaced | None:
    """The first key in a request's headers and query that is not the one which is looked at."""
    right = str(environ.get(_RIGHT, "")).strip()
    if has_key_form(right):
        return None
    return next(_find_all(environ), None)


def _find_all(environ: Mapping[str, Any]) -> Iterator[Misplaced]:
    others = (name for name in environ if name.startswith("HTTP_"))
    for name in dict.fromkeys((_RIGHT, _BEARER, *others)):
        value = str(environ.get(name, ""))
        found = _WHOLE.search(value) or (_GLUED.search(value) if name == _BEARER else None)
        if found:
            yield Misplaced(KEY_PATTERN.findall(found[0])[-1], _describe_header(name, value))
        elif name == _BEARER and (key := _find_in_basic(value)):
            yield Misplaced(key, _describe_header(name, value))
    for name, value in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True):
        if found := _WHOLE.search(value) or _WHOLE.search(name):
            yield Misplaced(found[0], _describe_query(name))


def _find_in_basic(value: str) -> str | None:
    """The key as user or password (RFC 7617)."""
    scheme, _, credentials = value.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(credentials, validate=True).decode("latin-1")
    except ValueError:
        return None
    found = _WHOLE.search(pair)
    return found[0] if found else None


def _describe_header(variable: str, value: str) -> str:
    """In the letter case that WSGI leaves (RFC 3875, section 4.1.18)."""
    name = "X-API-Key"
    if variable != _RIGHT:
        name = shorten(variable.removeprefix("HTTP_").replace("_", "-").title(), _LONGEST_NAME)
    where = f"You sent a key in the header {name}"
    if variable == _RIGHT:
        return f"{where} {_ALONE}."
    if variable != _BEARER:
        return f"{where}; {_SEND}."
    if value.strip().lower().startswith("bearer"):
        return f"{where} {_ALONE}."
    return f"{where} without Bearer before it; {_SEND}."


def _describe_query(name: str) -> str:
    as_name = f", as {shorten(name, _LONGEST_NAME)}" if name and not _WHOLE.search(name) else ""
    return (
        f"You sent a key in the URL{as_name}; {_SEND}, in a header. Addresses are kept in many "
        "logs: better make a new key for it."
    )
