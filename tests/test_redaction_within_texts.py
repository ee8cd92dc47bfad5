"""What is hidden in JSON that texts hold, whole, broken or behind words, and what it stays."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.redaction import mask_body, mask_text, mask_value, redact
from app.secret_texts import MASK
from tests.test_redaction import JSON, SECRET_NAMES

HEADERS = '{"headers": [{"name": "Authorization", "value": "hunter2"}]}'
HIDDEN = HEADERS.replace("hunter2", MASK)

DOCUMENTS: tuple[tuple[Any, Any], ...] = (
    ({"a": "[4111111111111111]"}, {"a": f'["{MASK}"]'}),
    ({"a": "{4111111111111111}"}, {"a": f"{{{MASK}}}"}),
    ({"[4111111111111111]": 1}, {f'["{MASK}"]': 1}),
    ({"name": "password", "value": 4111111111111111}, {"name": "password", "value": MASK}),
    ({"error": f"Request failed: {HEADERS}"}, {"error": f"Request failed: {HIDDEN}"}),
    ({"error": json.dumps(HEADERS)}, {"error": json.dumps(HIDDEN, ensure_ascii=False)}),
)


@pytest.mark.parametrize(("document", "shown"), DOCUMENTS)
def test_a_value_that_holds_json_is_hidden_and_stays_json(document: Any, shown: Any) -> None:
    assert mask_value(document) == shown
    for is_ascii in (True, False):
        assert json.loads(redact(json.dumps(document, ensure_ascii=is_ascii)).shown) == shown


TEXTS = {
    HEADERS: HIDDEN,
    f"  {HEADERS} ": f"  {HIDDEN} ",
    f"Request failed: {HEADERS}": f"Request failed: {HIDDEN}",
    f'The node "HTTP" said: {HEADERS}, stopped': f'The node "HTTP" said: {HIDDEN}, stopped',
    f'A 5" pipe: {HEADERS}': f'A 5" pipe: {HIDDEN}',
    f'5" pipe [a] \n5" pipe {HEADERS}': f'5" pipe [a] \n5" pipe {HIDDEN}',
    f'5" pipe [a] 5" pipe \n5" pipe {HEADERS}': f'5" pipe [a] 5" pipe \n5" pipe {HIDDEN}',
    f"400 - {json.dumps(HEADERS)}": f"400 - {json.dumps(HIDDEN, ensure_ascii=False)}",
    'failed {"secret": {"a": ["hunter2"]}}': f'failed {{"secret": {{"a": ["{MASK}"]}}}}',
    'failed {"secret": {"a": ["hunt': f'failed {{"secret": {{"a": ["{MASK}',
    f"failed {json.dumps(HEADERS)[:-6]}": f"failed {json.dumps(HIDDEN, ensure_ascii=False)[:-6]}",
    "password=hunter2 [1, 2]": f"password={MASK} [1, 2]",
    "[4111111111111111]": f'["{MASK}"]',
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_holds_json_is_hidden_as_json(text: str) -> None:
    assert mask_text(text) == TEXTS[text]
    assert mask_text(TEXTS[text]) == TEXTS[text]
    assert redact(text).shown == TEXTS[text]


@pytest.mark.parametrize(
    "text",
    [
        "[2026-11-30 13:00] ERROR: no such order {4711}",
        'Cannot read properties of undefined (reading "items[0].token")',
        'got {"name": "limit", "value": "abc"}',
        "{{ $json.token }} of [object Object]",
        '{"max_tokens": 12, "note": "kept"}',
    ],
)
def test_all_else_of_such_a_text_stays(text: str) -> None:
    assert mask_text(text) == text


def test_broken_json_hides_what_was_held_back_and_doubles_nothing() -> None:
    text = '{"value": foo, "name":"password", "secret":{"a":["hunter2"]}}'
    shown = f'{{"value": {MASK}, "name":"password", "secret":{{"a":["{MASK}"]}}}}'
    assert redact(text).shown == mask_text(text) == shown


def test_half_a_sign_lets_no_secret_through() -> None:
    shown = mask_body(rb'{"a": "\ud800 password=hunter2"}')
    assert json.loads(shown) == {"a": f"\ud800 password={MASK}"}


@pytest.mark.parametrize("value", [{"a": 10**5000, "b": ["x7q9"]}, [10**5000, None]])
def test_what_cannot_be_written_as_json_is_hidden_whole(value: Any) -> None:
    assert mask_value(value) in ({"a": MASK, "b": [MASK]}, [MASK, None])


def test_a_value_too_deep_to_be_read_is_hidden() -> None:
    value: Any = "x7q9"
    for _ in range(100_000):
        value = [value]
    assert "x7q9" not in repr(mask_value(value))


NUMBERS = st.sampled_from([4111111111111111, -4111111111111111, 5500000000000004, 1.5])
PIECES = st.sampled_from(
    ["[4111111111111111]", "Request failed: ", "{", "}", "[", "]", ",", ":", '"', "\\", "\n", "foo",
     '"value": ', '"name":"password"', '"secret":', '{"a":"b"}', "password=x ", "\ud800", "é",
     "https://u:p@h/?token=a"]
)  # fmt: skip
BROKEN = st.lists(PIECES, max_size=12).map("".join)
NESTED = st.recursive(
    JSON | NUMBERS | BROKEN,
    lambda inner: (
        inner.map(json.dumps)
        | inner.map(lambda value: json.dumps(value, ensure_ascii=False))
        | inner.map(lambda value: f"Request failed: {json.dumps(value)}")
        | st.lists(inner, max_size=3)
        | st.fixed_dictionaries({"name": st.sampled_from(["password", "limit"]), "value": inner})
        | st.dictionaries(BROKEN | st.sampled_from(SECRET_NAMES.split()), inner, max_size=3)
    ),
    max_leaves=6,
)
"""JSON whose texts hold JSON again, broken JSON, or either behind words."""


@given(NESTED, st.booleans())
@settings(max_examples=300, deadline=None)
def test_json_stays_json_whatever_its_texts_hold(value: Any, is_ascii: bool) -> None:
    mask_value(value)
    text = json.dumps(value, ensure_ascii=is_ascii)
    shown = redact(text).shown
    assert type(json.loads(shown)) is type(value) or isinstance(value, int | float)
    if "{" in text or "[" in text:
        assert mask_text(text) == shown


@given(BROKEN, st.booleans())
@settings(max_examples=300, deadline=None)
def test_changes_of_any_text_follow_each_other(text: str, is_form: bool) -> None:
    redacted = redact(text, is_form=is_form)
    ends = [0, *(change.end for change in redacted.changes)]
    starts = [*(change.start for change in redacted.changes), len(text)]
    assert all(end <= start for end, start in zip(ends, starts, strict=True))
    assert all(change.start < change.end for change in redacted.changes)
    assert mask_value({"text": text}).keys() == {"text"}


@given(
    st.lists(st.sampled_from(["Request failed: ", "400 - ", '5" pipe ', "[a] ", "\n"])).map(
        "".join
    ),
    st.sampled_from([HEADERS, '{"secret": {"a": ["hunter2"]}}', '{"n": 1, "tokens": ["hunter2"]}']),
    st.integers(0, 3),
    BROKEN.filter(lambda text: text[:1] not in ('"', "\\")),
)
@settings(max_examples=200, deadline=None)
def test_no_secret_of_json_behind_words_is_shown(
    before: str, document: str, times: int, after: str
) -> None:
    for _ in range(times):
        document = json.dumps(document)
    before = before.replace('"', "") if times else before
    assert "hunter2" not in mask_text(f"{before}{document} {after}")
    assert "hunter2" not in json.dumps(mask_value({"error": f"{before}{document}"}))


def test_json_within_json_takes_no_time_of_its_own() -> None:
    """Each level doubles the backslashes, and is read once."""
    text = "[4111111111111111] " * 2_000
    for _ in range(10):
        text = json.dumps(f'" {{" {{ {text}', ensure_ascii=False)
    began = time.process_time()
    assert "4111111111111111" not in redact(f"\n{text}").shown
    assert time.process_time() - began < 10
