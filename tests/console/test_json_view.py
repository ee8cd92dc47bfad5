"""JSON is cut into pieces without gaps, however broken it is, and quickly."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.console.body_places import BodyText, find_places
from app.console.body_view import MOST_BYTES, view_body
from app.console.json_view import list_form_members, list_members
from app.json_tokens import scan, scan_form

SLOW = ["[", '"', '"\\', "1", "[,", "-", "1.", '"\n', "true", '"a":', "\\", "{ ", "é"]


@given(st.text(alphabet="{}[]:,\"\\ \n\t-+.eE019truefalsn'“é\0", max_size=200))
def test_the_pieces_make_the_whole_again(text: str) -> None:
    for tokens in (scan(text), scan_form(text)):
        assert "".join(text[token.start : token.end] for token in tokens) == text


@pytest.mark.parametrize("piece", SLOW)
def test_a_text_four_times_as_long_takes_about_four_times_as_long(piece: str) -> None:
    """What goes over the text again and again would take sixteen times as long."""
    short, long = (piece * (size // len(piece)) for size in (16_384, 65_536))
    assert min(seconds(long) for _ in range(3)) < 10 * min(seconds(short) for _ in range(5)) + 0.01


def seconds(text: str) -> float:
    started = time.process_time()
    scan(text)
    return time.process_time() - started


def test_names_values_and_what_is_bad_are_told_apart() -> None:
    text = '{"a" : "b", "c": [1.5e3, true, nope, "open\n]}'
    kinds = {text[token.start : token.end]: token.kind for token in scan(text)}
    assert kinds['"a"'] == "key" and kinds['"b"'] == "string"
    assert kinds["1.5e3"] == "number" and kinds["true"] == "literal"
    assert kinds["nope"] == "bad" and kinds['"open'] == "open"


VALUES = st.recursive(st.text(max_size=9) | st.integers(), st.lists, max_leaves=5)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5))
def test_the_members_of_an_object_are_found(value: dict[str, object]) -> None:
    text = json.dumps(value, indent=1)
    members = list_members(text, scan(text))
    assert [(m.name, json.loads(text[slice(*m.value)])) for m in members] == list(value.items())


def test_the_fields_of_a_form_are_found() -> None:
    text = "ended_at=2026&na%20me=a+b&flag"
    assert [member.name for member in list_form_members(text)] == ["ended_at", "na me", "flag"]
    assert text[slice(*list_form_members(text)[1].value)] == "a+b"


def marked(raw: bytes, *errors: dict[str, str], media: str = "application/json") -> list[str]:
    body = BodyText(raw, media, False)
    places, _ = find_places(body, errors, [])
    return [body.text[place.start : place.end] for place in places]


def error(field: str, code: str, received: str | None = None) -> dict[str, str]:
    return {"field": field, "code": code, "message": "m", "received": received or ""}


@pytest.mark.usefixtures("app")
def test_each_finding_has_its_place() -> None:
    raw = b'{"a": 1, "endedAt": "x", "a": "two"}'
    assert marked(raw, error("a", "not_a_number")) == ['"a": "two"']
    assert marked(raw, error("ended_at", "missing", "endedAt")) == ['"endedAt"']
    assert marked(raw, error("ended_at", "missing")) == []
    assert marked(b'{"a": 1,\n "b": nope}', error("body", "json_unquoted_value")) == ["nope"]
    assert marked(b'\xef\xbb\xbf{"\xc3\xa9": nope}', error("body", "json_unquoted_value")) == [
        "nope"
    ]
    assert marked(b'{"a": 1, }', error("body", "json_trailing_comma")) == [","]
    assert marked(b'{"a": ', error("body", "json_truncated")) == [" "]
    form = "application/x-www-form-urlencoded"
    assert marked(b"a=1&ended_at=x", error("ended_at", "local_format"), media=form) == [
        "ended_at=x"
    ]


@pytest.mark.usefixtures("app")
def test_a_long_body_is_folded_around_its_marks_and_can_be_read_on_from_anywhere() -> None:
    fields = {"started_at": 1} | {f"key{i}": "value" for i in range(3_000)} | {"ended_at": 1}
    body = BodyText(json.dumps(fields, indent=1).encode(), "application/json", False)
    wrong = [error(name, "not_a_datetime") for name in ("started_at", "ended_at")]
    places, _ = find_places(body, wrong, [])
    view = view_body(body, places)
    assert view.is_folded and all(view.shows(place) for place in places)
    first, last = view.parts
    assert sum(line.weight for part in view.parts for line in part.lines) <= MOST_BYTES
    assert (first.lines[0].number, last.lines[-1].number) == (1, 3_004)
    assert (first.left_out, last.left_out) == (0, last.start - first.end)
    (further,) = view_body(body, places, begin=first.end).parts
    assert further.lines[0].number == first.lines[-1].number


@given(st.text(alphabet="<>&\"'{}:,\n\ra\0\u202e", max_size=60), st.integers(0, 60))
def test_lines_show_the_text_and_nothing_else_is_markup(text: str, cut: int) -> None:
    body = BodyText(text.encode(), None, False)
    html = "\n".join(line.html for line in view_body(body, []).parts[0].lines)
    for ours in ('<span class="jk">', '<span class="js">', '<span class="jb">', "</span>"):
        html = html.replace(ours, "")
    assert "<" not in html.replace("&lt;", "") and ">" not in html
