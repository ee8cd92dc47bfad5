"""What is printed can't steer the terminal."""

import json
from datetime import UTC, datetime

import pytest

from app.cli.text import dump, escape, show

HOSTILE = "\x00\x07\x1b[2J\x7f\x9b\r\n\t\u202e\u2028\ud800"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 東京 🎉", "Grüße, 東京 🎉"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("two\r\nlines\t", r"two\r\nlines\t"),
        ("c1 \x9b del \x7f", r"c1 \x9b del \x7f"),
        ("\u202eright to left", r"\u202eright to left"),
        ("half \ud800", r"half \ud800"),
        (r"no \x1b at all", r"no \\x1b at all"),
    ],
)
def test_what_is_not_printable_is_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown
    assert escape(text).isprintable()


def test_json_holds_no_control_characters_and_loses_nothing() -> None:
    text = dump({"detail": HOSTILE})
    assert text.isascii() and text.isprintable()
    assert json.loads(text) == {"detail": HOSTILE}


def test_values_are_shown_to_people_as_text() -> None:
    moment = datetime(2026, 1, 15, 9, 31, 5, 999_000, UTC)
    assert show(moment) == "2026-01-15 09:31:05Z"
    assert dump(moment) == '"2026-01-15T09:31:05.999Z"'
    assert [show(value) for value in (None, "", 0, ("a", "b"), ())] == ["-", "-", "0", "a b", "-"]
