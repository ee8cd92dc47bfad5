"""Passwords that are guessed first: common ones, ways over the keyboard, one's own names."""

import gzip
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

FILE = Path(__file__).with_name("common_passwords.txt.gz")
"""One a line, as `core_of` makes them; docs/signing-in.md says where they are from."""
PRODUCT = "FlowPulse"
LEAST_OWN = 4
"""Letters that a password needs beside the names that everybody knows of its person."""
_LINES = (
    *("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop"),
    *("qsdfghjklm", "wxcvbn", "abcdefghijklmnopqrstuvwxyz", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p"),
    *("qazwsxedcrfvtgbyhnujmikolp", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0"),
    *("a1b2c3d4e5f6g7h8i9", "1a2b3c4d5e6f7g8h9i", "112233445566778899", "!@#$%^&*()"),
)
"""Rows and columns of keyboards, the alphabet, and how both are woven together."""
_WAYS = tuple(way for line in _LINES for way in (line, line[::-1]))
_STEP = 3
"""Signs in a row that make a way."""
_FEW = 4
"""With so few different signs, or repeating so few, a password is none."""
_DIGITS = str.maketrans("0134578@$!", "oleastbasi")
"""Digits and signs that stand for the letters that they look like."""
_EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_SIGNS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\W_]{3,}")


def find_weakness(password: str, names: Iterable[str] = ()) -> str | None:
    """Why it would be guessed soon, in words for its owner; None where nothing speaks against it.

    `names`: what is known of its owner, such as address, name and workspace.
    """
    folded = _fold(password)
    if _is_few(folded) or _is_way(folded):
        return "This repeats a few signs or follows the keyboard: it is guessed soon."
    if _is_listed({word for form in _forms(folded) for word in (form, core_of(form))}):
        return "This is a common password, or one with a little added: it is guessed soon."
    if _is_of_names(folded, (PRODUCT, *names)):
        return "This holds little more than a name that others know: it is guessed soon."
    return None


def core_of(word: str) -> str:
    """What is left without digits and signs around it, if that is more than a few letters."""
    core = _EDGES.sub("", word)
    return core if len(core) >= LEAST_OWN else word


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _forms(folded: str) -> Iterator[str]:
    """The password itself, and what it repeats; each also with letters in place of digits."""
    texts = {folded, _EDGES.sub("", folded), _SIGNS.sub("", folded)}
    for form in {*texts, *map(_unit, texts)} - {""}:
        yield form
        yield core_of(form).translate(_DIGITS)
        yield form.translate(_DIGITS)


def _unit(text: str) -> str:
    """The shortest beginning that makes the whole text when it is repeated."""
    length = (text + text).find(text, 1)
    return text[:length] if text else text


def _is_few(folded: str) -> bool:
    return len(set(folded)) < _FEW or len(_unit(folded)) <= _FEW


def _is_way(folded: str) -> bool:
    """Whether it goes along the keyboard or the alphabet, but for a sign or two."""
    position = off = 0
    while position < len(folded):
        length = max(_follow(folded[position:], way) for way in _WAYS)
        if length >= _STEP:
            position += length
        else:
            position, off = position + 1, off + 1
    return off < _STEP


def _follow(text: str, way: str) -> int:
    """How many signs at the text's beginning stand in a row somewhere on the way."""
    length = 0
    while length < len(text) and text[: length + 1] in way:
        length += 1
    return length


def _is_listed(words: Iterable[str]) -> bool:
    """The list is read anew each time, in a millisecond: no process keeps it in memory."""
    lines = gzip.decompress(FILE.read_bytes())
    return any(
        f"\n{word}\n".encode("utf-8", "replace") in lines for word in words if "\n" not in word
    )


def _is_of_names(folded: str, names: Iterable[str]) -> bool:
    known = {_fold(name) for name in names}
    known |= {_fold(word) for name in names for word in _WORD.findall(name)}
    left = folded
    for name in sorted((name for name in known if len(name) >= _STEP), key=len, reverse=True):
        left = left.replace(name, " ")
    return left != folded and sum(sign.isalpha() for sign in left) < LEAST_OWN
