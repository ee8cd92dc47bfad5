"""Percent-encoded text is read as the standard library reads it, only quicker."""

import random
from urllib.parse import parse_qsl
from urllib.parse import unquote as unquote_of_urllib
from urllib.parse import unquote_plus as unquote_plus_of_urllib

import pytest

from app.percent_encoding import read_pairs, unquote, unquote_plus

PIECES = ["%41", "%c3%a9", "%C3", "%a9", "%00", "%F0%9F%98%80", "%ED%A0%80", "%", "%4", "%zz"]
PIECES += ["a", "+", "é", "\ud800", "&", "=", "%25", "%2B", "25"]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_mixed_at_random_is_read_as_by_urllib(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        text = "".join(chance.choices(PIECES, k=chance.randrange(1, 12)))
        assert unquote_plus(text) == unquote_plus_of_urllib(text), text
        assert unquote(text, "latin-1") == unquote_of_urllib(text, "latin-1"), text


@pytest.mark.parametrize("seed", range(10))
def test_pairs_are_read_as_by_urllib(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        form = "".join(chance.choices([*PIECES, "&", "="], k=chance.randrange(1, 15)))
        assert read_pairs(form) == parse_qsl(form, keep_blank_values=True), form
