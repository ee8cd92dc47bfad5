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
_ENCODED_MARK = re.compile("%(?:3d|40)", re.IGNORECASE)
"""What only an address within a parameter has: an encoded = or @."""


def mask_url_secrets(text: str) -> str:
    """A text with addresses, such as a header's value, without what opens something: what stands
    before an @, and the values of parameters whose names tell of a secret."""
    if "@" in text:
        text = _USERINFO.sub(f"//{STARS}@", text)
    return _PARAMETER.sub(_mask_parameter, text) if "=" in text else text


def _mask_parameter(found: re.Match[str]) -> str:
    mark, name, value = found.groups()
    if _SECRET_NAME.search(_split_words(unquote(name))):
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
