"""The beginning of a long text, masked before it is cut: no part of a secret is known for one."""

from collections.abc import Callable

_LONGEST = 200
"""Characters of a word that may be a part of a secret."""
_WORD = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "\"'`")
_CARD = "0123456789 .-\N{NO-BREAK SPACE}"


def most_read(most: int) -> int:
    """So much of a text to read that `most` characters of it can be shown."""
    return 2 * most + 2 * _LONGEST


def mask_beginning(text: str, most: int, mask: Callable[[str], str]) -> str:
    """What is shown of a text, or of its first `most_read(most)` characters."""
    read = most_read(most)
    return mask(without_last_word(text[:read], read))[:most]


def without_last_word(text: str, read: int) -> str:
    """Where it was cut off after `read` characters, a text without the word or the digits that the
    cut may have gone through: what was masked before them is shorter, and brings them into view."""
    if len(text) < read:
        return text
    rest = text[-_LONGEST:].rstrip(_WORD).rstrip(_CARD)
    return text[:-_LONGEST] + rest
