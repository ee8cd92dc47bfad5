"""Every field's rule: what it takes, what it tolerates with a warning, what it refuses."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from app.ingest.body import ReadBody, read_object
from app.ingest.fields import EventField
from app.ingest.schemas import EVENT_KINDS, WORKFLOW_REFERENCES, validate
from app.problems import PROBLEMS, FieldError, ProblemError, shorten

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
ENDED_AT = "2026-01-15T09:31:00Z"
SUCCESS: dict[str, Any] = {"workflow_slug": "lead-enrichment", "ended_at": ENDED_AT}
FAILURE: dict[str, Any] = {**SUCCESS, "error_message": "boom"}
IDENTIFIERS = ("external_execution_id", "source_workflow_id", "correlation_id", "source_platform")
SHORT_TEXTS = (*IDENTIFIERS, "error_type")


def read(document: dict[str, Any]) -> ReadBody:
    return read_object(json.dumps(document).encode(), "application/json")


def accept(document: dict[str, Any], kind: str = "run-failure") -> tuple[dict[str, Any], ReadBody]:
    body = read(document)
    return validate(EVENT_KINDS[kind], body, NOW), body


def accept_with(name: str, value: object) -> tuple[Any, list[tuple[str, str]]]:
    """The field's value (None: left out) and the (field, code) of each warning."""
    values, body = accept({**FAILURE, name: value})
    return values.get(name), [(warning.field, warning.code) for warning in body.warnings]


def refuse(document: dict[str, Any], kind: str = "run-failure") -> list[FieldError]:
    with pytest.raises(ProblemError) as caught:
        validate(EVENT_KINDS[kind], read(document), NOW)
    assert (caught.value.code, caught.value.status) == ("validation_failed", 400)
    assert all(error.message in caught.value.detail for error in caught.value.errors)
    return list(caught.value.errors)


def refuse_with(name: str, value: object) -> FieldError:
    (error,) = refuse({**FAILURE, name: value})
    assert error.field == name
    assert name in error.message
    assert error.fix
    return error


def test_the_smallest_events_are_accepted() -> None:
    stored = "2026-01-15T09:31:00.000000Z"
    assert accept(SUCCESS, "run-success")[0] == {**SUCCESS, "ended_at": stored}
    assert accept(FAILURE)[0] == {**FAILURE, "ended_at": stored}


def test_a_full_event_is_kept_in_the_order_of_the_schema() -> None:
    document = {
        "workflow_id": "k3v9x1m8q2c7t5b0z4n6w8ya",
        "workflow_slug": "lead-enrichment",
        "workflow_name": "Lead enrichment",
        "ended_at": "2026-01-15T09:31:00.5Z",
        "started_at": "2026-01-15T10:30:55+01:00",
        "duration_ms": 5500,
        "external_execution_id": "231",
        "source_platform": "N8N",
        "source_workflow_id": "8HkQ2mVx",
        "correlation_id": "order-7781",
        "metadata": {"customer": "acme", "nested": [1, {"a": None}]},
        "error_message": "boom",
        "error_type": "RateLimitError",
    }
    values, body = accept(dict(reversed(document.items())))
    assert values == {
        **document,
        "ended_at": "2026-01-15T09:31:00.500000Z",
        "started_at": "2026-01-15T09:30:55.000000Z",
        "source_platform": "n8n",
    }
    assert list(values) == list(document)
    assert body.warnings == []


def test_all_errors_are_told_at_once_in_the_order_of_the_schema() -> None:
    document = {
        "error_type": [],
        "metadata": "a=b",
        "duration_ms": -1,
        "correlation_id": True,
        "started_at": "2026-01-15",
        "ended_at": 1768469460,
    }
    errors = refuse(document)
    assert [(error.field, error.code) for error in errors] == [
        ("workflow_id", "missing"),
        ("ended_at", "epoch_number"),
        ("started_at", "date_only"),
        ("duration_ms", "out_of_range"),
        ("correlation_id", "invalid_type"),
        ("metadata", "invalid_type"),
        ("error_message", "missing"),
        ("error_type", "invalid_type"),
    ]


@pytest.mark.parametrize("kind", EVENT_KINDS.values(), ids=lambda kind: kind.name)
def test_every_field_explains_its_errors_and_is_documented(kind: Any) -> None:
    for field in kind.schema.load_fields.values():
        assert isinstance(field, EventField)
        assert field.metadata["description"]
        assert field.metadata["example"]


@pytest.mark.parametrize("kind", EVENT_KINDS.values(), ids=lambda kind: kind.name)
def test_the_examples_of_the_fields_are_accepted_without_a_warning(kind: Any) -> None:
    fields = kind.schema.load_fields.items()
    body = read({name: field.metadata["example"] for name, field in fields})
    assert validate(kind, body, NOW).keys() == kind.schema.load_fields.keys()
    assert body.warnings == []


def test_openapi_is_drawn_from_the_schemas() -> None:
    spec = APISpec("t", "1", openapi_version="3.1.0", plugins=[MarshmallowPlugin()])
    for kind in EVENT_KINDS.values():
        spec.components.schema(kind.name, schema=kind.schema)
    schemas = spec.to_dict()["components"]["schemas"]
    assert schemas["run-success"]["required"] == ["ended_at"]
    assert schemas["run-failure"]["required"] == ["ended_at", "error_message"]
    fields = schemas["run-failure"]["properties"]
    assert fields["ended_at"]["format"] == "date-time"
    assert (fields["duration_ms"]["type"], fields["duration_ms"]["minimum"]) == ("number", 0)
    assert fields["external_execution_id"]["maxLength"] == 255
    assert fields["source_platform"]["maxLength"] == 64
    assert fields["metadata"]["type"] == "object"
    assert {fields[name]["type"] for name in (*WORKFLOW_REFERENCES, *SHORT_TEXTS)} == {"string"}


# ------------------------------------------------------------------ required fields


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("name", ["ended_at", "error_message"])
def test_null_and_empty_are_missing_in_a_required_field(name: str, value: object) -> None:
    error = refuse_with(name, value)
    assert (error.code, error.received) == ("missing", value)
    assert error.message == f"{name} is {'null' if value is None else 'empty'}."
    assert error.fix.startswith("Send ") and "spelt" not in error.fix


@pytest.mark.parametrize("name", ["ended_at", "workflow_slug", "duration_ms", "metadata"])
def test_an_expression_in_place_of_a_value_is_told_in_the_same_words(name: str) -> None:
    error = refuse_with(name, "{{ $json.value }}")
    words = f"{name}: An expression arrived in place of its value."
    assert (error.code, error.message) == ("unevaluated_expression", words)


@pytest.mark.parametrize("name", ["ended_at", "error_message"])
def test_a_required_field_has_to_be_there(name: str) -> None:
    document = {key: value for key, value in FAILURE.items() if key != name}
    (error,) = refuse(document)
    assert (error.field, error.code, error.message) == (name, "missing", f"{name} is missing.")


@pytest.mark.parametrize(
    "other", ["endedAt", "EndedAt", "ended-at", "ENDED_AT", "ended at", "end_time", "finished_at"]
)
def test_a_misnamed_required_field_is_told_to_be_renamed(other: str) -> None:
    (error,) = refuse({"workflow_slug": "x", other: ENDED_AT}, "run-success")
    assert (error.field, error.code) == ("ended_at", "missing")
    assert error.message == f"ended_at is missing. You sent {other}: rename it to ended_at."
    assert error.fix == "Spell it exactly ended_at."


@pytest.mark.parametrize("other", ["eror_message", "errorMessage", "message", "error"])
def test_a_misnamed_message_is_told_to_be_renamed(other: str) -> None:
    (error,) = refuse({**SUCCESS, other: "boom"})
    assert (error.field, error.code) == ("error_message", "missing")
    assert other in error.message


@pytest.mark.parametrize("wrapper", ["data", "body", "json", "event"])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_wrapped_event_is_told_to_be_unwrapped(wrapper: str, as_text: bool) -> None:
    errors = refuse({wrapper: json.dumps(FAILURE) if as_text else FAILURE})
    assert [error.field for error in errors] == ["workflow_id", "ended_at", "error_message"]
    assert {error.code for error in errors} == {"wrapped_in_envelope"}
    assert all(f"inside {wrapper}" in error.message for error in errors)


# -------------------------------------------------------------- workflow references


def test_one_reference_to_a_workflow_is_needed() -> None:
    (error,) = refuse({"ended_at": ENDED_AT}, "run-success")
    assert (error.field, error.code) == ("workflow_id", "missing")
    assert all(name in error.message for name in WORKFLOW_REFERENCES)


@pytest.mark.parametrize("name", WORKFLOW_REFERENCES)
def test_any_reference_will_do_and_is_kept_exactly(name: str) -> None:
    values, _ = accept({"ended_at": ENDED_AT, name: " Lead  Enrichment "}, "run-success")
    assert values[name] == " Lead  Enrichment "


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_reference_is_not_given(value: object) -> None:
    assert accept_with("workflow_id", value) == (None, [])


def test_a_misnamed_reference_is_told_to_be_renamed() -> None:
    (error,) = refuse({"ended_at": ENDED_AT, "workflowSlug": "x"}, "run-success")
    assert (error.field, error.code) == ("workflow_slug", "missing")
    assert "workflowSlug" in error.message


@pytest.mark.parametrize("name", WORKFLOW_REFERENCES)
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("   ", "blank"),
        (True, "invalid_type"),
        (["a"], "invalid_type"),
        ({"$ne": None}, "invalid_type"),
        ("a\0b", "invalid_characters"),
        ("\ud800", "invalid_characters"),
        ("{{ $json.slug }}", "unevaluated_expression"),
    ],
)
def test_a_bad_reference_is_refused(name: str, value: object, code: str) -> None:
    assert refuse_with(name, value).code == code


def test_a_numeric_reference_is_taken_as_its_text() -> None:
    value, warnings = accept_with("workflow_id", 7)
    assert (value, warnings) == ("7", [("workflow_id", "text_as_number")])


# --------------------------------------------------------------------------- times


@pytest.mark.parametrize("name", ["ended_at", "started_at"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1768469460, "epoch_number"),
        ("2026-01-15", "date_only"),
        ("01/15/2026 09:31", "local_format"),
        ("now", "not_a_datetime"),
        ("{{ $now }}", "unevaluated_expression"),
        ("   ", "blank"),
        (False, "invalid_type"),
        ({}, "invalid_type"),
        ([ENDED_AT], "invalid_type"),
    ],
)
def test_a_bad_time_is_refused(name: str, value: object, code: str) -> None:
    assert refuse_with(name, value).code == code


def test_a_time_without_an_offset_is_utc_with_a_warning() -> None:
    assert accept_with("ended_at", "2026-01-15 09:31") == (
        "2026-01-15T09:31:00.000000Z",
        [("ended_at", "offset_missing")],
    )


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_start_is_not_given(value: object) -> None:
    assert accept_with("started_at", value) == (None, [])


def test_a_start_after_the_end_is_refused_in_utc() -> None:
    document = {
        **SUCCESS,
        "ended_at": "2026-01-15T11:31:00+02:00",
        "started_at": "2026-01-15T09:31:30Z",
    }
    (error,) = refuse(document, "run-success")
    assert (error.field, error.code) == ("started_at", "after_ended_at")
    assert "2026-01-15T09:31:30Z" in error.message
    assert "2026-01-15T09:31:00Z" in error.message


def test_a_start_may_be_the_end() -> None:
    assert accept({**SUCCESS, "started_at": ENDED_AT}, "run-success")[0]["duration_ms"] == 0


def test_a_day_ahead_of_the_clock_is_accepted_and_not_a_moment_more() -> None:
    accept_with("ended_at", "2026-01-16T12:00:00Z")
    error = refuse_with("ended_at", "2026-01-16T12:00:00.000001Z")
    assert error.code == "in_the_future"
    assert "2026-01-15T12:00:00Z" in error.message
    assert "2026-01-16T12:00:00" in error.message


# ------------------------------------------------------------------------ duration


@pytest.mark.parametrize("value", [0, 1, 0.001, 1200.5, 2**53, 1e15])
def test_a_duration_is_kept(value: float) -> None:
    assert accept_with("duration_ms", value) == (value, [])


@pytest.mark.parametrize(
    ("text", "number"), [("5400", 5400), (" 5.5 ", 5.5), ("1e3", 1000), ("-0", 0)]
)
def test_a_numeric_text_is_read_with_a_warning(text: str, number: float) -> None:
    assert accept_with("duration_ms", text) == (number, [("duration_ms", "number_as_text")])


@pytest.mark.parametrize(
    "value", [True, False, [], {}, [5], "5.4s", "1,5", "00:01:30", "abc", "0x10", "1_000"]
)
def test_what_is_no_number_is_refused(value: object) -> None:
    assert refuse_with("duration_ms", value).code == "not_a_number"


def test_a_blank_number_is_ignored_and_an_expression_is_named() -> None:
    assert refuse_with("duration_ms", "{{ $json.d }}").code == "unevaluated_expression"
    assert accept_with("duration_ms", "  ") == (None, [("duration_ms", "blank_ignored")])


@pytest.mark.parametrize("value", [-1, -0.5, 2**53 + 1, 2**63, 1e300, "-5", "1e300", 10**4000])
def test_a_number_out_of_range_is_refused(value: object) -> None:
    assert refuse_with("duration_ms", value).code == "out_of_range"


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_duration_is_not_given(value: object) -> None:
    assert accept_with("duration_ms", value) == (None, [])


def test_minus_zero_is_zero() -> None:
    assert str(accept_with("duration_ms", -0.0)[0]) == "0"


@pytest.mark.parametrize(
    ("started_at", "duration_ms"),
    [
        ("2026-01-15T09:30:55Z", 5000),
        ("2026-01-15T09:30:59.9995Z", 0.5),
        ("2026-01-15T10:30:00+01:00", 60_000),
        ("2025-01-15T09:31:00Z", 31_536_000_000),
    ],
)
def test_a_missing_duration_is_derived(started_at: str, duration_ms: float) -> None:
    values, _ = accept({**SUCCESS, "started_at": started_at}, "run-success")
    assert values["duration_ms"] == duration_ms


@pytest.mark.parametrize(("duration_ms", "warned"), [(60_000, 0), (55_000, 0), (50_000, 1), (5, 1)])
def test_a_given_duration_is_kept_with_a_warning_if_it_is_far_off(
    duration_ms: int, warned: int
) -> None:
    document = {**SUCCESS, "started_at": "2026-01-15T09:30:00Z", "duration_ms": duration_ms}
    values, body = accept(document, "run-success")
    assert values["duration_ms"] == duration_ms
    assert [warning.code for warning in body.warnings] == ["duration_disagrees"] * warned


# --------------------------------------------------------------------- short texts


@pytest.mark.parametrize("name", SHORT_TEXTS)
@pytest.mark.parametrize("value", [None, ""])
def test_null_and_empty_are_not_given(name: str, value: object) -> None:
    assert accept_with(name, value) == (None, [])


@pytest.mark.parametrize("name", SHORT_TEXTS)
def test_blanks_are_not_given_with_a_warning(name: str) -> None:
    assert accept_with(name, " \n") == (None, [(name, "blank_ignored")])


@pytest.mark.parametrize("name", SHORT_TEXTS)
@pytest.mark.parametrize(
    ("value", "text"), [(231, "231"), (1.5, "1.5"), (0, "0"), (12345678901234567890, "1" * 0)]
)
def test_a_number_is_taken_as_its_text(name: str, value: float, text: str) -> None:
    assert accept_with(name, value) == (text or str(value), [(name, "text_as_number")])


@pytest.mark.parametrize("name", SHORT_TEXTS)
@pytest.mark.parametrize("value", [True, False, [], ["a"], {}, {"a": 1}])
def test_another_type_is_refused(name: str, value: object) -> None:
    assert refuse_with(name, value).code == "invalid_type"


@pytest.mark.parametrize("name", SHORT_TEXTS)
def test_a_text_of_the_longest_length_is_kept_and_a_longer_one_refused(name: str) -> None:
    longest = 64 if name == "source_platform" else 255
    assert accept_with(name, "x" * longest) == ("x" * longest, [])
    error = refuse_with(name, "x" * (longest + 1))
    assert error.code == "too_long"
    assert f"more than {longest} characters" in error.message
    assert refuse_with(name, 10**300).code == "too_long"


def test_marks_on_letters_do_not_count_in_a_platform_up_to_a_bound() -> None:
    assert accept_with("source_platform", "z\u0351\u036b\u0343" * 30)[1] == []
    assert accept_with("source_platform", "z\u0351\u036b\u0343" * 64)[1] == []
    assert refuse_with("source_platform", "z\u0351\u036b\u0343" * 65).code == "too_long"
    assert refuse_with("source_platform", "z" + "\u0351" * 256).code == "too_long"


def test_a_platform_is_measured_in_lower_case() -> None:
    assert accept_with("source_platform", "MAKE")[0] == "make"
    assert accept_with("source_platform", "İ" * 64)[0] == "i̇" * 64


@pytest.mark.parametrize("name", IDENTIFIERS)
@pytest.mark.parametrize("value", ["a\0b", "\udc80", "\ud83d"])
def test_odd_characters_are_refused_in_identifiers(name: str, value: str) -> None:
    error = refuse_with(name, value)
    assert error.code == "invalid_characters"
    json.dumps(error.as_dict(), ensure_ascii=False).encode()


UNRESOLVED = ["{{ $execution.id }}", "={{ $json.id }}", "undefined", "[object Object]", "null"]


@pytest.mark.parametrize("name", IDENTIFIERS)
@pytest.mark.parametrize("value", UNRESOLVED)
def test_an_unresolved_value_is_told_and_links_nothing(name: str, value: str) -> None:
    kept, warnings = accept_with(name, value)
    is_link = name in ("external_execution_id", "correlation_id")
    assert kept == (None if is_link else value.lower() if "platform" in name else value)
    assert warnings == [(name, "unresolved_value")]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        *zip(UNRESOLVED, ["unevaluated_expression"] * 2 + ["missing"] * 3, strict=True),
        (" ", "blank"),
    ],
)
def test_a_start_that_no_end_could_close_is_refused(value: str, code: str) -> None:
    start = {"workflow_slug": "lead-enrichment", "started_at": ENDED_AT}
    (error,) = refuse({**start, "external_execution_id": value}, "run-start")
    assert (error.field, error.code) == ("external_execution_id", code)
    assert error.fix


# ------------------------------------------------------------- messages and metadata


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (500, "500"),
        (0, "0"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        ([], "[]"),
        ({}, "{}"),
        ({"message": "übel", "code": 504}, '{"message": "übel", "code": 504}'),
    ],
)
def test_a_message_of_any_type_is_kept_as_text(value: object, text: str) -> None:
    assert accept_with("error_message", value) == (text, [("error_message", "message_not_text")])


@pytest.mark.parametrize("value", ["  line 1\r\n\tline 2  ", "x" * 500_000, "<script>\x1b[2J"])
def test_a_message_is_kept_whole(value: str) -> None:
    assert accept_with("error_message", value) == (value, [])


def test_a_blank_message_is_refused() -> None:
    assert refuse_with("error_message", " \n").code == "blank"


@pytest.mark.parametrize("name", ["error_message", "error_type"])
@pytest.mark.parametrize(
    ("value", "kept"), [("a\0b", "a�b"), ("E\ud800", "E�"), ("\ud83d\ude80\0", "🚀�")]
)
def test_odd_characters_are_replaced_in_free_text(name: str, value: str, kept: str) -> None:
    assert accept_with(name, value) == (kept, [(name, "characters_replaced")])


def test_odd_characters_are_replaced_in_metadata_names_and_values() -> None:
    value = {"out": "a\0b", "k\0": 1, "deep": [{"x": "\ud83d"}]}
    kept = {"out": "a�b", "k�": 1, "deep": [{"x": "�"}]}
    assert accept_with("metadata", value) == (kept, [("metadata", "characters_replaced")])


@pytest.mark.parametrize("value", [None, ""])
def test_empty_metadata_is_not_given(value: object) -> None:
    assert accept_with("metadata", value) == (None, [])


def test_metadata_without_members_is_kept() -> None:
    assert accept_with("metadata", {}) == ({}, [])


def test_metadata_as_text_is_read_with_a_warning() -> None:
    text = json.dumps({"leads": 12})
    assert accept_with("metadata", text) == ({"leads": 12}, [("metadata", "metadata_as_text")])


def test_odd_characters_are_replaced_in_metadata_as_text() -> None:
    value, warnings = accept_with("metadata", '{"a": "\\u0000"}')
    assert value == {"a": "�"}
    assert warnings == [("metadata", "metadata_as_text"), ("metadata", "characters_replaced")]


@pytest.mark.parametrize(
    "value", ["a=b", "  ", "[object Object]", '{"a": }', '{"a": NaN}', "[1]", True, 5, [], ["a"]]
)
def test_metadata_that_is_no_object_is_refused(value: object) -> None:
    assert refuse_with("metadata", value).code == "invalid_type"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("zzz", "It begins with the word zzz"),
        ("{'a': 1}", "metadata is a text that holds no JSON object:"),
        ("[1]", "metadata has to be an object"),
        ('{"a": 1', "It ends before its object is closed"),
        ("a=b", "It has form fields"),
        ('{"a":' * 64 + "1" + "}" * 64, "It is nested deeper than 63 levels"),
    ],
)
def test_of_metadata_as_text_nothing_is_said_about_the_body(value: str, said: str) -> None:
    message = refuse_with("metadata", value).message
    assert said in message
    assert "body" not in message


def test_metadata_as_text_may_not_be_nested_deeper_than_a_body() -> None:
    accept_with("metadata", '{"a":' * 63 + "1" + "}" * 63)
    assert refuse_with("metadata", '{"a":' * 64 + "1" + "}" * 64).code == "invalid_type"
    assert refuse_with("metadata", "[" * 100_000).code == "invalid_type"


def test_metadata_as_an_expression_is_told() -> None:
    assert refuse_with("metadata", "{{ $json }}").code == "unevaluated_expression"


# ------------------------------------------------------------------- unknown fields


def test_an_unknown_field_is_ignored_with_a_warning() -> None:
    assert accept_with("flavour", "vanilla") == (None, [("flavour", "unknown_field")])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("startedAt", "started_at"),
        ("duration", "duration_ms"),
        ("executionId", "external_execution_id"),
        ("correlationID", "correlation_id"),
        ("meta_data", "metadata"),
        ("platform", "source_platform"),
        ("eror_type", "error_type"),
        ("endedAt", "ended_at"),
    ],
)
def test_a_misspelt_field_is_warned_of_by_its_right_name(name: str, meant: str) -> None:
    _, body = accept({**FAILURE, name: "x"})
    (warning,) = body.warnings
    assert (warning.field, warning.code) == (name, "misspelt_field")
    assert meant in warning.message


@pytest.mark.parametrize("name", ["error_message", "error_type"])
def test_a_success_with_an_error_is_told_about_run_failure(name: str) -> None:
    values, body = accept({**SUCCESS, name: "boom"}, "run-success")
    assert name not in values
    (warning,) = body.warnings
    assert (warning.field, warning.code) == (name, "unknown_field")
    assert "run-failure" in warning.message


def test_many_unknown_fields_make_few_warnings() -> None:
    _, body = accept({**FAILURE, **{f"field {number}": 1 for number in range(5000)}})
    assert len(body.warnings) == 21
    assert "4980 more" in body.warnings[-1].message


def test_names_of_unknown_fields_are_made_safe_to_show() -> None:
    _, body = accept({**FAILURE, "a\ud800" + "x" * 10_000: 1, "fp_" + "a1B2c3" * 6: 2})
    shown = json.dumps([warning.as_warning() for warning in body.warnings], ensure_ascii=False)
    shown.encode()
    assert len(shown) < 1000
    assert "a1B2" not in shown


def test_what_was_received_is_cut_to_80_characters() -> None:
    error = refuse_with("ended_at", "x" * 5000)
    assert error.received is not None
    assert len(error.received) == 80


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ended_at": "2026-01-18T12:00:00+0100"}, "in_the_future"),
        ({"started_at": " 2026-01-15 11:31:30.5+02 "}, "after_ended_at"),
        ({"ended_at": "2026-01-15t14:53:30+01:00"}, "ended_in_the_future"),
        ({"started_at": "2026-01-15T09:30:00Z", "duration_ms": " 9e6 "}, "duration_disagrees"),
        ({"duration_ms": "-5.50"}, "out_of_range"),
        ({"source_platform": "N8N" * 30}, "too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_received_is_what_came(fields: dict[str, Any], code: str) -> None:
    body = read({**FAILURE, **fields})
    found = body.warnings
    try:
        validate(EVENT_KINDS["run-failure"], body, NOW)
    except ProblemError as problem:
        found = list(problem.errors)
    entry = next(each for each in found if each.code == code)
    assert entry.received == shorten(str(fields[entry.field]))


def test_form_fields_are_validated_like_json() -> None:
    raw = (
        b"workflow_slug=lead&ended_at=2026-01-15T09%3A31%3A00Z&duration_ms=5400"
        b"&metadata=%7B%22leads%22%3A12%7D&error_message=a%00b&correlation_id="
    )
    body = read_object(raw, "application/x-www-form-urlencoded")
    assert validate(EVENT_KINDS["run-failure"], body, NOW) == {
        "workflow_slug": "lead",
        "ended_at": "2026-01-15T09:31:00.000000Z",
        "duration_ms": 5400,
        "metadata": {"leads": 12},
        "error_message": "a�b",
    }


def test_every_warning_has_its_row() -> None:
    document = {**FAILURE, "x": 1, "endedAt": 1, "duration_ms": "5", "correlation_id": 5}
    _, body = accept(document)
    assert {PROBLEMS[warning.code].kind for warning in body.warnings} == {"warning"}
