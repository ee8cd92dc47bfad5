"""Which failures are alike: an error's type and message without what changes from run to run."""

import re
from hashlib import blake2b

COMPARED = 1_000
"""How much of a message is compared; what follows is mostly a trace of its own."""

_QUOTES = (("'", "'"), ('"', '"'), ("`", "`"), ("“", "”"), ("‘", "’"), ("«", "»"))
_QUOTED = "|".join(
    # A quotation mark inside a word is an apostrophe.
    rf"(?<!\w){re.escape(start)}[^{re.escape(start + end)}\n]{{0,300}}{re.escape(end)}(?!\w)"
    for start, end in _QUOTES
)
_CHANGING = re.compile(
    rf"(?:{_QUOTED})"
    r"|(?:[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+)"
    r"|(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.,]{0,16}(?:Z|[+-]\d\d:?\d\d)?)?)"
    r"|(?:\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)"
    r"|(?:\b(?:0x[0-9a-fA-F]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,128}|"
    r"(?=[A-F]*\d)(?=\d*[A-F])[0-9A-F]{8,128})\b)"
    r"|(?:\b(?=[A-Za-z_-]{0,60}\d)(?=[\d_-]{0,60}[A-Za-z])[A-Za-z\d][\w-]{5,127}\b)"
    r"|(?:[+-]?\d+(?:[.,:]\d+)*)",
    re.ASCII,
)
STAND_IN = "…"


def find_pattern(message: str) -> str:
    """The message without its numbers, ids and quoted values.

    `Order 4711 has no 'email'` becomes `Order … has no …`.
    """
    start = " ".join(message[:COMPARED].split())
    return _CHANGING.sub(STAND_IN, start)


def find_error_group(error_type: str | None, error_message: str | None) -> str | None:
    """What all failures with this error have in common, as 16 digits; None without an error."""
    if not error_type and not error_message:
        return None
    parts = f"{find_pattern(error_type or '')}\0{find_pattern(error_message or '')}"
    return blake2b(parts.casefold().encode("utf-8", "replace"), digest_size=8).hexdigest()
