"""Secrets in addresses, starred out in what is shown: `user:password@`, and `?token=`."""

import re
from urllib.parse import quote, unquote

STARS = "******"
"""ASCII, so that an address with it can still be sent."""
_USERINFO = re.compile(r"""//[^/?#\s"'<>]*@""")
_PARAMETER = re.compile(r"""([?&;])([^=&;?#\s]+)=([^&;#\s"'<>]+)""")
_SECRET_NAME = re.compile(
    r"token|secret|passw|pwd|passphrase|credential|signature|jwt|bearer|cookie|auth$|key$"
    r"|(?<![a-z])(?:auth|authorization|hmac|key|pass|pin|pw|session|sid|sig|otp)(?![a-z])",
    re.IGNORECASE,
)
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
    if "@" in text:
        text = _USERINFO.sub(f"//{STARS}@", text)
    return _PARAMETER.sub(_mask_parameter, text) if "=" in text else text


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
        if unquote(name[0]).lower() not in _FILES and _is_secret(unquote(name[0])):
            return f"{parameter[: name.end()]}={STARS}"
    return parameter


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(_split_words(name)))


def _mask_parameter(found: re.Match[str]) -> str:
    mark, name, value = found.groups()
    if _is_secret(unquote(name)):
        return f"{mark}{name}={STARS}"
    if _ENCODED_MARK.search(value):
        plain = unquote(value)
        masked = mask_url_secrets(plain)
        if masked != plain:
            return f"{mark}{name}={quote(masked, safe='*')}"
    return found[0]


def _split_words(name: str) -> str:
    """`accessKey` is two words, as `access_key` is."""
    return re.sub("([a-z0-9])([A-Z])", r"\1-\2", name)
