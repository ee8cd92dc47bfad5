"""What is edited with its secrets hidden loses nothing, and tells nothing."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.console.hidden_drafts import hide_always
from app.secret_texts import MASK
from app.workspaces.mistakes import RefusedError

NAMES = st.sampled_from(["password", "token", "note", "n", "api_key", "name", "value"])
VALUES = (
    st.text(max_size=20) | st.integers() | st.just("token=abc1, 4111 1111 1111 1111") | st.none()
)
JSON = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
TEXTS = JSON.map(json.dumps) | JSON.map(lambda value: json.dumps(value, ensure_ascii=False)[:-1])


@given(
    TEXTS | st.text(st.sampled_from("{}[]:,\"\\'= \npasswordtoken1") | st.characters(), max_size=60)
)
@settings(max_examples=300, deadline=None)
def test_what_is_left_as_it_was_shown_is_what_came(text: str) -> None:
    draft = hide_always(text)
    assert draft.put_back(draft.shown) == text
    assert hide_always(text) == draft


DOCUMENT = {"password": "hunter2", "pin": 1234, "note": "kept", "raw": 'token="a\\"b"'}
TEXT = json.dumps(DOCUMENT, indent=2)


def edit(**changes: Any) -> str:
    """The text as it is shown, with other words in it."""
    shown = hide_always(TEXT).shown
    for old, new in changes.items():
        shown = shown.replace(old, new)
    return shown


def test_each_hidden_value_has_a_number() -> None:
    shown = json.loads(hide_always(TEXT).shown)
    assert (shown["password"], shown["pin"]) == (f"{MASK}1", f"{MASK}2")
    assert "hunter2" not in str(shown) and "1234" not in str(shown) and shown["note"] == "kept"


def test_what_else_is_changed_is_changed() -> None:
    text = hide_always(TEXT).put_back(edit(kept="other"))
    assert json.loads(text) == DOCUMENT | {"note": "other"}
    text = hide_always(TEXT).put_back(edit(**{f"{MASK}1": "another"}))
    assert json.loads(text) == DOCUMENT | {"password": "another"}


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "motto"},
        {"kept": f"{MASK}1"},
        {'"kept"': f'"{MASK}2"'},
        {"pin": "answer"},
        {"{": "", "password": "word"},
    ],
)
def test_no_value_is_moved_to_where_it_would_be_seen(changes: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="hidden value"):
        hide_always(TEXT).put_back(edit(**changes))
