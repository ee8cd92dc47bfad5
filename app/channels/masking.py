"""Keeps secrets out of what is logged and shown: errors and answers of the other side."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from app.channels.kinds import KINDS
from app.channels.settings import list_secrets
from app.problems import presentable

STARS = "•••"
SHORTEST = 5
"""A shorter part of a secret would star out words that have nothing to do with it."""


def secrets_of(kind: str, settings: Mapping[str, Any]) -> list[str]:
    """What must not be shown of a channel's settings: its secrets, and the parts of their URLs."""
    names = list_secrets(KINDS[kind].Config) if kind in KINDS else list(settings)
    values = [str(settings[name]) for name in (*names, "secret") if settings.get(name)]
    return [part for value in values for part in (value, *_parts(value))]


def _parts(value: str) -> Iterable[str]:
    if "://" not in value:
        return
    try:
        address = urlsplit(value)
    except ValueError:
        return
    rest = value.partition("://")[2].partition("/")[2]
    yield rest
    if address.scheme not in ("http", "https"):
        yield address.netloc  # Some of Apprise's URLs have the token there.
    yield from address.path.split("/")
    yield from (pair.partition("=")[2] for pair in address.query.split("&"))
    yield from (part for part in (address.username, address.password) if part)


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret starred out, also where it is percent-encoded, and storable."""
    forms = {form for each in secrets for form in (each, quote(each, safe=""), unquote(each))}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= SHORTEST:
            text = text.replace(form, STARS)
    return presentable(text)
