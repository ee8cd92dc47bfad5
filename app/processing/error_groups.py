"""Which failures are alike: an error's type and message without what changes from run to run."""

import re
from hashlib import blake2b
from unicodedata import normalize

COMPARED = 1_000
"""How much of a message is compared; what follows is mostly a trace of its own."""

_QUOTES = (("'", "'"), ('"', '"'), ("`", "`"), ("“", "”"), ("‘", "’"), ("«", "»"))
_QUOTED = "|".join(
    # A quotation mark inside a word is an apostrophe.
    rf"(?<!\w){re.escape(start)}[^{re.escape(start + end)}\n]{{0,300}}{re.escape(end)}(?!\w)"
    for start, end in _QUOTES
)
_CHANGING = re.compile(
    rf"(?P<quoted>{_QUOTED})"
    r"|(?:[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+)"
    r"|(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.,]{0,16}(?:Z|[+-]\d\d:?\d\d)?)?)"
    r"|(?:(?<!\w)(?<!::)(?:[0-9a-fA-F]{1,4}:){7,8}(?:\d{1,5}|[0-9a-fA-F]{1,4})(?!\w|:[\w:]))"
    r"|(?:(?=[a-fA-F:]{0,40}\d)(?:(?<!\w)(?<!::)[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6}"
    r"|(?<![\w:]))::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6})?(?:(?:\.\d{1,3}){3})?"
    r"(?::\d{1,5})?(?!\w|:[\w:]))"
    r"|(?:\b[0-9a-fA-F]{2}(?:(?::[0-9a-fA-F]{2}){5,31}|(?:-[0-9a-fA-F]{2}){5,31})\b)"
    r"|(?:\b(?=[a-fA-F.]{0,14}\d)[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2}\b)"
    r"|(?:\b(?:(?=[a-fA-F-]{0,40}\d)[0-9a-fA-F]{4,32}|[0-9a-fA-F]{8})"
    r"(?:-[0-9a-fA-F]{4,32}){1,8}\b)"
    r"|(?:\b(?:0x[0-9a-fA-F]+|(?=\d*[a-f])[0-9a-f]{8,128}|(?=\d*[A-F])[0-9A-F]{8,128})\b)"
    r"|(?:\b(?=[A-Za-z_-]{0,60}\d)(?=[\d_-]{0,60}[A-Za-z])[A-Za-z\d][\w-]{5,127}\b)"
    r"|(?:\b(?=\w{4,5}\b)(?:[A-Za-z]+\d+[A-Za-z]+\d|\d+[A-Za-z]+\d+[A-Za-z])\w*\b)"
    r"|(?P<word>\b[A-Za-z]{10,128}\b)"
    r"|(?:[+-]?\d+(?:[.,:]\d+)*)"
)
"""What may change: quoted texts, mail addresses, moments, addresses of IPv6 and of devices, ids,
long words and numbers; of quoted texts and long words, `_stand_in` decides. An address of IPv6 has
a digit, which tells it from a name such as `a::b`. What is looked for ahead has an end each time:
the time grows with the length of the text alone."""
_NAME = re.compile(r"(?:[^\W\d]|[.-]){1,30}")
"""What a field, a column, a header or a module is called."""
_ODD_CASE = re.compile(r"(?<![a-z])[a-z](?![a-z])|[A-Z]{2,}")
_MOST_ODD = 3
"""Words that are written as one have few small letters by themselves and few groups of capitals:
`isDNSLookupOnAWS` has three. What was drawn at random has one in each four letters."""
STAND_IN = "…"


def find_pattern(message: str) -> str:
    """The message without its numbers, ids and quoted values; a quoted name stays.

    `Order 4711 of 'Ana Example' has no 'email'` becomes `Order … of … has no 'email'`.
    """
    start = " ".join(normalize("NFC", message[:COMPARED]).split())
    return _CHANGING.sub(_stand_in, start)


def _stand_in(found: re.Match[str]) -> str:
    text = found[0]
    if found["word"]:
        return STAND_IN if len(_ODD_CASE.findall(text)) > _MOST_ODD else text
    name = text[1:-1] if found["quoted"] else ""
    is_name = _NAME.fullmatch(name) and _CHANGING.sub(_stand_in, name) == name
    return text if is_name else STAND_IN


def find_error_group(error_type: str | None, error_message: str | None) -> str | None:
    """What all failures with this error have in common, as 16 digits; None without an error."""
    if not error_type and not error_message:
        return None
    parts = f"{find_pattern(error_type or '')}\0{find_pattern(error_message or '')}"
    return blake2b(parts.casefold().encode("utf-8", "replace"), digest_size=8).hexdigest()
