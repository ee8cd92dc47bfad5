"""Where a corrected body is shown, it is accepted, or what is still wrong is named."""

import json
from typing import Any

import pytest
from flask import Flask

from app.console.corrections import Correction, correct
from tests.factories import Team

DATE = "2026-01-15T09:31:00Z"
HEAD = '{"workflow_slug": "lead-enrichment", "ended_at": "2026-01-15T09:31:00Z"'

BROKEN = {
    "trailing comma": (HEAD + ",}", "The comma too many is gone."),
    "missing comma": (HEAD + ' "duration_ms": 5}', "The missing comma is there."),
    "single quotes": (HEAD.replace('"', "'") + "}", "Single quotes became double quotes."),
    "smart quotes": (HEAD + ", “source_platform”: “n8n”}", "Typographic quotes became plain ones."),
    "unquoted name": (HEAD + ", duration_ms: 5}", "The name duration_ms has its quotes."),
    "unquoted value": (HEAD + ', "source_platform": n8n}', "n8n has its quotes."),
    "undefined": (HEAD + ', "duration_ms": undefined}', "undefined became null."),
    "NaN": (HEAD + ', "duration_ms": NaN}', "NaN became null."),
    "empty value": (HEAD + ', "duration_ms": }', "The value that is missing became null."),
    "line break": (HEAD + ', "correlation_id": "a\nb\tc"}', "Raw line breaks"),
    "control character": (HEAD + ', "correlation_id": "a\x01b"}', "Raw line breaks"),
    "comment": (HEAD + "} // done", "The comment is gone."),
    "block comment": ("/* run */ " + HEAD + "}", "The comment is gone."),
    "code fence": ("```json\n" + HEAD + "}\n```", "The Markdown fence"),
    "two values": (HEAD + "}" + HEAD + "}", "Only the first object is kept."),
    "cut off": (HEAD + ', "metadata": {"a": [1, 2', "The body was cut off"),
    "unescaped quote": (HEAD + ', "correlation_id": "say "hi" now"}', "A quote within a text"),
    "unclosed text": (HEAD + ', "correlation_id": "a}', "The missing quote"),
    "bad escape": (HEAD + ', "correlation_id": "C:\\\\x\\q"}', "is written with two backslashes"),
    "list of one": ("[" + HEAD + "}]", "The object stands by itself"),
    "hex": (HEAD + ', "duration_ms": 0x10}', "0x10 became 16."),
    "over-escaped": (HEAD.replace('"', '\\"') + "}", "The backslashes before the quotes are gone."),
    "expression": (HEAD + ', "duration_ms": {{ $json.x }}}', "had no value: it became null"),
}

FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "misspelt": ({"endedAt": DATE}, {"ended_at": DATE}, "endedAt is called ended_at."),
    "epoch": ({"ended_at": 1768469460}, {"ended_at": DATE}, f"ended_at is {DATE}."),
    "local": ({"ended_at": "01/15/2026 09:31:00"}, {"ended_at": DATE}, "put its offset in place"),
    "number": ({"ended_at": DATE, "duration_ms": "5 s"}, {"duration_ms": 5000}, "5000, in"),
    "comma": ({"ended_at": DATE, "duration_ms": "1,5 s"}, {"duration_ms": 1500}, "1500, in"),
    "thousands": ({"ended_at": DATE, "duration_ms": "1,500"}, {"duration_ms": 1500}, "1500, in"),
    "commas": ({"ended_at": DATE, "duration_ms": "1,5,0"}, {"duration_ms": None}, "is left out"),
    "type": ({"ended_at": DATE, "correlation_id": ["a"]}, {"correlation_id": None}, "is left out"),
    "long": ({"ended_at": DATE, "correlation_id": "x" * 300}, {"correlation_id": "x" * 255}, "cut"),
    "slug": (
        {"ended_at": DATE, "workflow_slug": "lead-enrichmnt"},
        {"workflow_slug": "lead-enrichment"},
        "closest",
    ),
    "name": (
        {"ended_at": DATE, "workflow_slug": None, "workflow_name": "lead enrichmen"},
        {"workflow_slug": "lead-enrichment", "workflow_name": None},
        "closest",
    ),
    "start": (
        {"ended_at": DATE, "started_at": "2026-01-15T10:00:00Z"},
        {"started_at": None},
        "out",
    ),
}


@pytest.fixture
def mend(app: Flask, team: Team) -> Any:
    def run(raw: bytes | str, media: str | None = "application/json") -> Correction | None:
        raw = raw.encode() if isinstance(raw, str) else raw
        return correct(raw, media, "run-success", team.workspace_id)

    return run


@pytest.mark.parametrize("name", BROKEN)
def test_a_slip_in_the_json_is_mended_and_told(mend: Any, name: str) -> None:
    raw, words = BROKEN[name]
    correction = mend(raw)
    assert correction is not None, raw
    assert correction.problem is None, correction
    assert any(words in change for change in correction.changes), correction.changes
    assert json.loads(correction.text)["ended_at"] == DATE


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_mended_and_told(mend: Any, name: str) -> None:
    given, wanted, words = FIELDS[name]
    fields = {"workflow_slug": "lead-enrichment", **given}
    body = {key: value for key, value in fields.items() if value is not None}
    correction = mend(json.dumps(body, indent=2))
    assert correction is not None and correction.problem is None
    mended = json.loads(correction.text)
    assert {key: mended.get(key) for key in wanted} == wanted
    assert any(words in change for change in correction.changes), correction.changes


def test_an_envelope_is_unwrapped(mend: Any) -> None:
    correction = mend('{"data": ' + HEAD + "}}")
    assert correction.text == HEAD + "}" and correction.problem is None


def correct_failure(team: Team, body: dict[str, Any]) -> Correction:
    correction = correct(
        json.dumps(body).encode(), "application/json", "run-failure", team.workspace_id
    )
    assert correction is not None
    return correction


@pytest.mark.usefixtures("app")
def test_a_name_that_is_gone_costs_no_field_its_value(team: Team) -> None:
    """Where what holds the right one has become the body itself, with it the wrong name went."""
    inner = {"workflow_slug": team.slug, "ended_at": DATE, "error_message": "HTTP 500"}
    correction = correct_failure(team, {"err": "boom", "data": inner})
    assert json.loads(correction.text) == inner and correction.problem is None


@pytest.mark.usefixtures("app")
def test_a_value_that_is_a_name_too_is_not_taken_for_it(team: Team) -> None:
    body = {"workflow_slug": team.slug, "external_execution_id": "null", "startedAt": DATE}
    raw = json.dumps({**body, "null": 7}).encode()
    correction = correct(raw, "application/json", "run-start", team.workspace_id)
    assert correction is not None
    mended = json.loads(correction.text)
    assert (mended["external_execution_id"], mended["null"]) == ("null", 7)
    assert mended["started_at"] == DATE


@pytest.mark.usefixtures("app")
def test_known_fields_beside_an_envelope_are_kept(team: Team) -> None:
    inner = {"ended_at": DATE, "error_message": "HTTP 500", "source_platform": None}
    outer = {"workflow_slug": team.slug, "error_message": "x", "event": "failed", "data": inner}
    correction = correct_failure(team, outer)
    assert json.loads(correction.text) == {**inner, "workflow_slug": team.slug}
    words = "What data holds is the body itself, with workflow_slug from beside it."
    assert correction.changes == (words,) and correction.problem is None


def test_what_stands_elsewhere_stays_as_it_was_typed(mend: Any) -> None:
    text = '{ "workflow_slug":"lead-enrichment",\n\n  "metadata": {"n": 1.50},  "endedAt" : "x"}'
    mended = mend(text.replace('"x"', f'"{DATE}"')).text
    assert mended == text.replace('"x"', f'"{DATE}"').replace("endedAt", "ended_at")


def test_a_body_that_is_nearer_names_what_is_still_wrong(mend: Any) -> None:
    correction = mend('{"workflow_slug": "lead-enrichment", "duration_ms": "x",}')
    assert correction.problem is not None
    assert [each.field for each in correction.problem.errors] == ["ended_at"]


def test_windows_1252_is_read(mend: Any) -> None:
    correction = mend(HEAD.encode() + b', "correlation_id": "M\xfcller"}')
    assert json.loads(correction.text)["correlation_id"] == "Müller"
    assert "Windows-1252" in correction.changes[0]


def test_a_form_becomes_json(mend: Any) -> None:
    form = "application/x-www-form-urlencoded"
    correction = mend("workflow_slug=lead-enrichment&endedAt=2026-01-15T09:31:00Z", form)
    assert json.loads(correction.text)["ended_at"] == DATE and correction.problem is None


@pytest.mark.parametrize("raw", ["", "<run/>", "hello", "[]", HEAD + "}", "{", '"\\', "[" * 3000])
def test_where_nothing_can_be_derived_nothing_is_shown(mend: Any, raw: str) -> None:
    correction = mend(raw)
    assert correction is None or correction.problem is not None


def test_new_parts_are_marked(mend: Any) -> None:
    correction = mend(HEAD + ', "duration_ms": undefined}')
    assert "<ins>" in correction.view.parts[0].lines[0].html
