"""Secrets in addresses, starred out in what is shown: `user:password@`, and `?token=`."""

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

from app.secret_names import is_secret_parameter

STARS = "******"
"""ASCII, so that an address with it can still be sent."""
_USERINFO = re.compile(r"""//[^/?#\s"'<>]*@""")
_CUT_USERINFO = re.compile(r"""//[^/?#\s"'<>@:]*+:[^/?#\s"'<>@]{80,}+\Z""")
"""Too long for a port: the @ behind it is not there because the text was cut before."""
_PARAMETER = re.compile(r"""([?&;])([^=&;?#\s]+)=([^&;#\s"'<>]+)""")
_DATABASE_PASSWORD = re.compile(r"^([^:/@?]*:/+|(?![^:/@?]*:/))([^:/@]*):(.*)@", re.DOTALL)
_NO_PORT = re.compile(r"^([^:/@?]*:/+)([^:/@\[\]?]+):(?!\d*(?:[/?,]|$)).*", re.DOTALL)
"""What stands after the colon where the @ was forgotten."""
_DATABASE_QUERY = re.compile(r"\?[^?=&@/]+=")
_DATABASE_NAME = re.compile(r"[^=?;\s]+(?=\s*=)")
_FILES = {"sslkey"}
"""Parameters that name a file, whatever their own names sound like."""
_ENCODED_MARK = re.compile("%(?:3d|40)", re.IGNORECASE)
"""What only an address within a parameter has: an encoded = or @."""


def mask_url_secrets(text: str) -> str:
    """A text with addresses, such as a header's value, without what opens something: what stands
    before an @, and the values of parameters whose names tell of a secret."""
    parts, at = [], 0
    for start, end, shown in sorted(find_url_secrets(text)):
        if start >= at:
            parts += [text[at:start], shown or STARS]
            at = end
    return "".join([*parts, text[at:]]) if parts else text


def find_url_secrets(text: str) -> Iterator[tuple[int, int, str]]:
    """Where in a text with addresses the secrets stand, and what is shown in their place; empty
    where nothing of it is."""
    if "@" in text:
        for found in _USERINFO.finditer(text):
            yield found.start() + 2, found.end() - 1, ""
    if "//" in text and (cut := _CUT_USERINFO.search(text)):
        yield cut.start() + 2, cut.end(), ""
    if "=" in text:
        yield from _find_parameters(text)


def _find_parameters(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _PARAMETER.finditer(text):
        _, name, value = found.groups()
        if is_secret_parameter(unquote(name)):
            yield *found.span(3), ""
        elif _ENCODED_MARK.search(value):
            plain = unquote(value)
            masked = mask_url_secrets(plain)
            if masked != plain:
                yield *found.span(3), quote(masked, safe="*")


def mask_database_url(text: str) -> str:
    """What is set as a database's URL, right or wrong, without its password and what else in its
    query is secret; the user stays."""
    query = _DATABASE_QUERY.search(text)
    end = query.start() if query and "@" in text[: query.start()] else len(text)
    head = _DATABASE_PASSWORD.sub(rf"\1\2:{STARS}@", text[:end])
    if "@" not in head:
        head = _NO_PORT.sub(rf"\1\2:{STARS}", head)
    return "&".join(map(_mask_value, (head + text[end:]).split("&")))


def _mask_value(parameter: str) -> str:
    for name in _DATABASE_NAME.finditer(parameter):
        if unquote(name[0]).lower() not in _FILES and is_secret_parameter(unquote(name[0])):
            return f"{parameter[: name.end()]}={STARS}"
    return parameter
