"""A long text is masked before it is cut, and no cut brings a part of a secret into view."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.alerting.reasons import _describe, _Group
from app.alerting.verdicts import SeenRun, detail_of
from app.beginnings import mask_beginning, most_read, without_last_word
from app.channels.outbox import _plain
from app.clock import now
from app.console.event_summary import _shorten
from app.problems import FieldError, shorten
from app.redaction import mask_text
from app.secret_texts import MASK

LONG = "password=" + "x" * 3_000 + " "
"""What shrinks to a few signs, so that what stands behind it comes into view."""
CUT = {
    "an address": "https://somebody:hunter2hunter2@example.org/a",
    "a card": "4111 1111 1111 1111",
    "a card with dashes": "4111-1111-1111-1111",
    "a token": "ghp_hunter2hunter2hunter2hunter2",
    "a value": "api_key=hunter2hunter2",
}
PIECES = ("hunter2", "4111 1111", "4111-1111", "ghp_hun")


def list_shown(text: str) -> list[str]:
    return [piece for piece in PIECES if piece in text]


def front(size: int) -> str:
    """So many characters of which a few are shown."""
    return ("password=" + "x" * (size - 10)) + " "


@pytest.mark.once
@pytest.mark.parametrize("most", [80, 200, 300])
@pytest.mark.parametrize(
    "secret",
    ["<password>" + "hunter2 is mine " * 80 + "</password>", f"https://u:{'hunter2' * 100}@h/x"],
)
def test_of_a_secret_longer_than_what_is_read_nothing_is_shown(secret: str, most: int) -> None:
    for text in (secret, "x " * 20 + secret):
        assert not list_shown(mask_beginning(text, most, mask_text))
        assert not list_shown(mask_text(shorten(text, most)))


@pytest.mark.parametrize("secret", CUT.values(), ids=CUT)
def test_wherever_it_is_read_to_no_part_of_a_secret_is_shown(secret: str) -> None:
    for most in (80, 160, 500):
        read = most_read(most)
        for into in range(1, len(secret) + 1):
            text = front(read - into) + secret
            for each in (text, text[:read], text + " and more"):
                assert not list_shown(mask_beginning(each, most, mask_text)), into


@pytest.mark.parametrize("secret", CUT.values(), ids=CUT)
@pytest.mark.parametrize(
    "show",
    [
        _shorten,
        lambda text: _plain(text, 300),
        lambda text: str(
            detail_of(SeenRun(1, 1, "failure", now(), None, error_message=text))["error"]
        ),
    ],
    ids=["a row", "a message", "an alert"],
)
def test_no_list_or_message_shows_one(show: Callable[[str], str], secret: str) -> None:
    for size in range(300, 1_450, 7):
        text = front(size) + secret + " more words" * 200
        assert not list_shown(show(text)), size


def test_what_is_no_secret_is_shown_as_far_as_it_fits() -> None:
    words = "so many words " * 200
    assert mask_beginning(words, 160, mask_text) == words[:160]
    one = "語" * 3_000
    assert mask_beginning(one, 160, mask_text) == one[:160]
    blob = "a" * 3_000
    assert mask_beginning(blob, 160, mask_text) == blob[:160]
    assert without_last_word("short", 100) == "short"


@pytest.mark.parametrize("secret", CUT.values(), ids=CUT)
def test_a_value_that_was_received_is_not_cut_through_a_secret(secret: str) -> None:
    for size in range(80):
        text = "a" * size + " " + secret + " and more" * 20
        error = FieldError("ended_at", "not_a_datetime", "x", "y", received=text)
        assert len(error.received or "") <= 80
        assert not list_shown(mask_text(error.received or "")), size
    plain = "b" * 200
    assert shorten(plain) == "b" * 79 + "…"
    assert MASK not in shorten(f"{secret} " + plain)  # The sender is answered what came.


@pytest.mark.parametrize("secret", CUT.values(), ids=CUT)
@pytest.mark.parametrize("place", ["key", "reference", "path"])
def test_no_reason_of_an_alert_holds_a_part_of_one(place: str, secret: str) -> None:
    for size in range(40, 82):
        held: dict[str, Any] = {"key": None, "reference": None, "path": "/api"}
        held[place] = "/" + "a" * size + " " + secret + " and more"
        group = _Group(
            times=1, id=1, public_id="e", code="invalid_json", errors=None, kind=None,
            workflow=None, workflow_id="w", **held,
        )  # fmt: skip
        assert not list_shown(_describe(group)), size


def test_titles_of_problems_are_masked_on_each_page(app: Flask) -> None:
    folder = app.jinja_env.loader
    assert folder is not None
    for name in app.jinja_env.list_templates(extensions=["html"]):
        source, _, _ = folder.get_source(app.jinja_env, name)
        assert source.count("| problem_title") == source.count("| problem_title | visible"), name
        assert not re.search(r"(?:truncate\([^)]*\)|\[:\d+\]) \| visible", source), name
