"""How a text is made literal for a service that finds markup and mentions in texts."""

import re
from collections.abc import Callable

from app.channels.wording import cut_lines

Look = Callable[[str, int], str]
"""Makes of a text what a service shows as that text, in so many characters at most."""
JOINER = "\u2060"
"""The word joiner: nobody sees it, and what it follows begins no mention, tag or name of a sign."""
FENCE = "```"
_ALIKE = str.maketrans(
    {
        "<": "‹",
        ">": "›",
        "*": "∗",
        "_": "ˍ",
        "`": "ˋ",
        "~": "∼",
        "|": "ǀ",
        "[": "［",
        "]": "］",
        "\\": "∖",
    }
)
_BEGINS_SOMETHING = re.compile(r"(?:[@#(](?=\S)|:(?=//|[\w+-]+:)|\{(?=[{%])|%(?=\w))")
_LINE_SIGN = re.compile(r"^(?=\s*[^\w\s]|\s*\d+[.)]|[ \t]{4})", re.MULTILINE)


def as_it_is(text: str, room: int) -> str:
    """For what shows each sign that it gets."""
    return cut_lines(text, room)


def as_code(text: str, room: int) -> str:
    """A block of code. Some services find mentions in there, too, so that those are parted."""
    parted = text.replace("`", "ˋ").replace("@", f"@{JOINER}")
    return f"{FENCE}\n{cut_lines(parted, room - 2 * len(FENCE) - 2)}\n{FENCE}"


def with_lookalikes(text: str, room: int) -> str:
    """Signs of markup are replaced by others that look like them; mentions, tags, names of signs,
    addresses, places of templates, lists and headings are parted by the joiner."""
    parted = _BEGINS_SOMETHING.sub(lambda found: found[0] + JOINER, text)
    return cut_lines(_LINE_SIGN.sub(JOINER, parted).translate(_ALIKE), room)
