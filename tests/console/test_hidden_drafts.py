"""What is edited with its secrets hidden loses nothing, and tells nothing."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.console.hidden_drafts import hide_always
from app.secret_texts import MASK
from app.url_secrets import STARS
from app.workspaces.mistakes import RefusedError

NAMES = st.sampled_from(["password", "token", "note", "n", "api_key", "name", "value"])
ADDRESSES = st.sampled_from(
    [
        "https://u:pw1@host/a",
        "https://v:pw2@host/b?sig=def",
        "see /x?token=abc&a=1, ?token=abc",
        "/?next=https%3A%2F%2Fu%3Apw%40h%2F%3Ftoken%3Dabc&sig=ghi",
        "line 1\nhttps://w:pw3@host and password=hunter2",
        f"?token={STARS} {STARS}1 {MASK}2",
    ]
)
VALUES = (
    st.text(max_size=20)
    | st.integers()
    | st.just("token=abc1, 4111 1111 1111 1111")
    | st.none()
    | ADDRESSES
)
JSON = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
TEXTS = JSON.map(json.dumps) | JSON.map(lambda value: json.dumps(value, ensure_ascii=False)[:-1])


@given(
    TEXTS
    | st.lists(ADDRESSES, max_size=4).map(" ".join)
    | st.text(st.sampled_from("{}[]:,\"\\'= \npasswordtoken1") | st.characters(), max_size=60)
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


ADDRESSED = {
    "a": "https://u:pw1@host/x?token=abc and https://v:pw2@host2/?sig=def",
    "b": "/?next=https%3A%2F%2Fh%2F%3Ftoken%3Dghi%26a%3D1",
    "c": "two\nlines with token=jkl and ?token=mno",
}


@pytest.mark.parametrize("document", [ADDRESSED, ADDRESSED | {"password": "hunter2"}])
def test_each_hidden_part_of_an_address_is_sent_as_it_came(document: dict[str, str]) -> None:
    text = json.dumps(document | {"note": "kept"})
    draft = hide_always(text)
    assert (
        f"//{STARS}1@host/x?token={STARS}2 and https://{STARS}3@host2/?sig={STARS}4" in draft.shown
    )
    assert not [
        secret for secret in ("pw", "abc", "def", "ghi", "jkl", "mno") if secret in draft.shown
    ]
    sent = json.loads(draft.put_back(draft.shown.replace("kept", "other")))
    assert sent == document | {"note": "other"}


@pytest.mark.parametrize(("old", "new"), [("lines with", "words with"), ("a%3D1", "a%3D2")])
def test_what_was_typed_into_what_is_hidden_as_a_whole_is_refused(old: str, new: str) -> None:
    draft = hide_always(json.dumps(ADDRESSED))
    with pytest.raises(RefusedError, match=r"hidden value .* was changed"):
        draft.put_back(draft.shown.replace(old, new))


@pytest.mark.parametrize(
    "moved",
    [
        {"metadata": {"url": f"https://x.example/?token={MASK}1"}},
        {"external_execution_id": f"token={MASK}1"},
        {"metadata": {"password": f"{MASK}1"}},
        {"list": [{"token": "new"}, {"token": f"{STARS}2"}], "password": f"{MASK}1"},
        {"list": [{"token": "new"}, {"token": f"{MASK}2"}], "password": f"{MASK}1"},
        {"list": [{"token": f"{MASK}1"}], "password": f"{MASK}2"},
        {"token": f"{MASK}2"},
        {"password": {"password": f"{MASK}1"}},
    ],
)
def test_a_hidden_value_stays_in_the_member_it_came_in(moved: dict[str, Any]) -> None:
    draft = hide_always(json.dumps({"password": "hunter2", "list": [{"token": "abc"}]}))
    with pytest.raises(RefusedError, match="hidden value"):
        draft.put_back(json.dumps(moved, ensure_ascii=False))


def test_members_may_be_added_around_and_braces_mended() -> None:
    draft = hide_always('{"list": [{"token": "abc" "password": "hunter2", "n": 1')
    typed = '{"new": [1, {"a": [2]}], "list": [{"n": 1, "password": "%s2", "token": "%s1"}, 3]}'
    sent = json.loads(draft.put_back(typed % (MASK, MASK)))
    assert sent["list"] == [{"n": 1, "password": "hunter2", "token": "abc"}, 3]


def test_a_deep_body_takes_little_time() -> None:
    text = '{"a":[' * 2_000 + '"token=abc1",' * 2_000
    draft = hide_always(text)
    assert draft.put_back(draft.shown) == text
