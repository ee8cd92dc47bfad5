"""What to look for where a secret must not be."""

import base64
from urllib.parse import quote

LONG = 20
"""Signs. Half of less, encoded and without its ends, is so short that it may stand anywhere."""


def forms_of(secret: str) -> set[bytes]:
    """How a secret, or most of it, could still be read: whole, its halves, and each encoded."""
    half = len(secret) // 2
    forms = set[bytes]()
    for part in (secret, secret[:half], secret[half:]) if len(secret) >= LONG else (secret,):
        raw = part.encode()
        forms |= {raw, raw.hex().encode(), raw.hex().upper().encode(), quote(part).encode()}
        forms |= {raw.decode().encode("utf-16-le"), raw[::-1]}
        for shift in range(3):  # Without its ends, which depend on what stands beside it.
            encoded = base64.b64encode(b"\0" * shift + raw)
            forms |= {encoded[4:-4], encoded[4:-4].replace(b"+", b"-").replace(b"/", b"_")}
    return forms
