"""Addresses that open something by themselves, found in texts: those that report runs, as other
monitors have them too (docs/moving.md), invitations, and links to a new password."""

import re
from collections.abc import Iterator

KEPT = 8
"""Characters of such a secret that are kept and shown."""
UUID_FORM = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_CUT_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){2}[0-9A-Fa-f-]{0,17}+"
"""One that lost its end: what is missing could be tried out."""
_TOKEN = r"[0-9A-Za-z_-]{20,128}+"  # noqa: S105 (a pattern)
_PUSHED = r"[0-9A-Za-z_-]{10,128}+"
_LENGTH = 22
"""Characters of a ping key, at the root of a host."""


def _compile(first: str, slash: str) -> re.Pattern[str]:
    """`first`: what each match begins with, so that most of a text is passed over quickly."""
    return re.compile(
        rf"""
        {first} (?=[0-9A-Za-z_-])
        (?: (?: ping | invitation | sign-in{slash}new-password ) {slash}
            (?: (?P<uuid>{UUID_FORM}|{_CUT_UUID}) | (?P<token>{_TOKEN}) )
          | api{slash}push{slash} (?P<pushed>{_PUSHED})
          | p{slash} (?P<named>{UUID_FORM}|{_TOKEN}) (?={slash}[0-9A-Za-z])
          | (?P<root>{UUID_FORM}) (?![0-9A-Za-z_-])
          | (?P<keyed>[0-9A-Za-z_-]{{{_LENGTH}}}) (?={slash}[0-9A-Za-z])
        )
        """,
        re.VERBOSE,
    )


_PLAIN = _compile("/", r"\\{0,7}/")
"""Also as JSON within JSON may write it: `\\/ping\\/…`."""
_ENCODED = _compile("%2[Ff]", "%2[Ff]")
_BOUNDS = frozenset("\"'`(=:<>,;")
_NO_HOST = re.compile(r"""[\s"'<>?\#]""")
_BEFORE = 300
"""Characters in which a host is looked for."""
_SURE, _BY_PLACE = {"uuid", "root", "pushed"}, {"root", "keyed"}
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_WORD = re.compile(r"[0-9A-Za-z]+")
_WITHIN = re.compile(r"(?<=[A-Za-z])[0-9]+(?=[A-Za-z])")
_HEX = re.compile(r"[0-9a-f]{32,}")


def looks_random(text: str) -> bool:
    """Whether it can't be a slug, however many numbers that has in it: within its words, small and
    capital letters and digits change too often."""
    changes = len(_PIECE.findall(text)) - len(_WORD.findall(text))
    is_mixed = 5 * changes >= len(text) or len(_WITHIN.findall(text)) > 1
    return is_mixed or _HEX.fullmatch(text) is not None


def find_address_secrets(text: str, *, named_alone: bool = False) -> Iterator[tuple[int, int]]:
    """Where the secret parts of such addresses stand; takes time in proportion to the text.

    `named_alone`: not behind a host, where other addresses have UUIDs too.
    """
    if "/" in text:
        yield from _find(_PLAIN, text, named_alone)
    if "%2" in text:
        yield from _find(_ENCODED, text, named_alone)


def _find(pattern: re.Pattern[str], text: str, named_alone: bool) -> Iterator[tuple[int, int]]:
    for found in pattern.finditer(text):
        name = found.lastgroup or ""
        start, end = found.span(name)
        if name in _BY_PLACE and (named_alone or not _is_at_root(text, found.start())):
            continue
        if name in _SURE or looks_random(text[start:end]):
            yield start, end


def _is_at_root(text: str, at: int) -> bool:
    """Whether the path that begins here has nothing before it but, at most, a host."""
    before = text[max(0, at - _BEFORE) : at].rstrip("\\")
    if not before or before[-1] in _BOUNDS or before[-1].isspace():
        return True
    for slash in ("/", "%2F", "%2f"):
        head, found, host = before.rpartition(slash)
        if found and head.rstrip("\\").endswith(slash) and host:
            return not _NO_HOST.search(host)
    return False


def mask_addresses(text: str, *, named_alone: bool = False) -> str:
    """The text with each of them starred out but for its beginning, the length unchanged."""
    if "/" not in text and "%2" not in text:
        return text
    parts, at = [], 0
    for start, end in sorted(find_address_secrets(text, named_alone=named_alone)):
        if start >= at:
            parts += [text[at : start + KEPT], "*" * (end - start - KEPT)]
            at = end
    return "".join([*parts, text[at:]]) if parts else text
