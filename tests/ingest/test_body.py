"""Bodies are read liberally, and each slip in one is named at its place."""

import gzip
import json
import time
import zlib

import pytest

from app.ingest.body import read_object
from app.problems import PROBLEMS, ProblemError

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

SLIPS: dict[str, list[str | bytes]] = {
    "json_empty": ["", "  \n\t", "\ufeff"],
    "json_truncated": [
        '{"workflow_slug": "lead-enrichment"',
        '{"workflow_slug": "lead-enrichment", "e',
        '{"workflow_slug": "lead-enrichment", "ended_at":',
        '{"workflow_slug": "lead-enrichment",\n',
        '{"metadata": {"b": 1}',
        '{"metadata": [1, 2',
        '{"a": "b\\',
        '{"a": tru',
        "{",
    ],
    "json_unclosed_string": [
        '{\n"workflow_slug": "lead,\n"ended_at": "2026-01-15T09:31:00Z"\n}',
        '{"workflow_slug": "lead, "ended_at": "2026-01-15T09:31:00Z"}',
        '{"duration_ms": 1, "source_platform": "n8n}',
        '{"duration_ms: 1, "source_platform": 2}',
    ],
    "json_empty_value": [
        '{"duration_ms": , "ended_at": "2026-01-15T09:31:00Z"}',
        '{"duration_ms": }',
        '{\n  "duration_ms":\n}',
        '{"metadata": {"leads": , "x": 1}}',
    ],
    "json_unevaluated_expression": [
        '{"duration_ms": {{ $json.x }}}',
        '{"duration_ms": {{1.duration}}, "a": 1}',
        '{"duration_ms": ={{ $json.x }}, "a": 1}',
        '{"duration_ms": $json.x}',
        '{"duration_ms": ${ms}}',
        '{"metadata": {{ JSON.stringify($json) }}}',
        "{{ $json }}",
        '={ "workflow_slug": "lead-enrichment" }',
    ],
    "json_object_as_text": ['{"metadata": [object Object], "a": 1}', '{"a": [object Promise]}'],
    "json_line_break_in_string": [
        '{"error_message": "Request failed\nwith 500", "ended_at": "2026-01-15T09:31:00Z"}',
        '{"error_message": "TypeError\r\n    at main.js:1:2", "a": 1}',
        '{"error_message": "\n"}',
    ],
    "json_control_character": ['{"a": "x\ty"}', '{"error_message": "\x1b[31mfailed\x1b[0m"}'],
    "json_unescaped_quote": [
        '{"error_message": "Unknown column "email" in row 3", "a": "b"}',
        '{"error_message": ""timeout" while waiting", "a": 1}',
        '{"error_message": "he said "no""}',
        '{"error_message": "no file "/tmp/x" there"}',
        '{"error_message": "Unexpected token "<", "<!DOCTYPE "... is not valid JSON"}',
        '{"metadata": "{"leads": 12}"}',
    ],
    "json_bad_escape": ['{"a": "C:\\Users"}', '{"a": "\\u12"}', '{"a": "it\\\'s"}', '{"a": "\\d"}'],
    "json_over_escaped": ['{\\"workflow_slug\\": \\"x\\"}', '{\\n "workflow_slug": "x"}'],
    "json_single_quotes": ["{'a': 'b'}", "{\"a\": 'b'}", '{"a": `b`}'],
    "json_smart_quotes": [
        "{“a”: “b”}",
        '{"a": “b”}',
        '{"a": "b”, "c": 1}',
        '{"a”: "b"}',
        "{«a»: 1}",
        "{„a“: 1}",
    ],
    "json_trailing_comma": [
        '{"a": 1,}',
        '{"a": 1,\n }',
        '{"a": [1, 2,]}',
        '{"a": 1,, "b": 2}',
        '{, "a": 1}',
    ],
    "json_missing_comma": [
        '{"a": "x" "b": 1}',
        '{"a": 1 "b": 1}',
        '{\n"a": "x"\n"b": 1\n}',
        '{"a": {"x": 1}\n"b": 1}',
        '{"a": true\n"b": 1}',
        '{"a": [{"x": 1} {"y": 1}]}',
    ],
    "json_unquoted_value": [
        '{"ended_at": 2026-01-15T09:31:00Z}',
        '{"ended_at": 2026-01-15 09:31, "a": 1}',
        '{"workflow_slug": lead-enrichment}',
        '{"external_execution_id": 7f3a-11}',
        '{"error_message": Request failed with status code 500}',
        '{"a": 09:31:00}',
        '{"source_platform": n8n}',
        '{"a": trueish}',
        '{"a": 12 leads}',
    ],
    "json_unquoted_name": ['{workflow_slug: "x"}', '{"a": 1, b: 2}', "{nope"],
    "json_undefined": ['{"a": undefined}', '{"a": None}', '{"a": True, "b": 1}', "undefined"],
    "json_comment": [
        '/* run */{"a": 1}',
        '{"a": 1 // ms\n}',
        '{"a": 1} // end',
        '# run\n{"a": 1}',
        '{"a": 1, // ms\n"b": 2}',
    ],
    "json_number_format": [
        '{"duration_ms": 0x10}',
        '{"duration_ms": 012}',
        '{"duration_ms": .5}',
        '{"duration_ms": -.5}',
        '{"duration_ms": 5.}',
        '{"duration_ms": 1_000}',
        '{"duration_ms": +5}',
        '{"duration_ms": 1e}',
        '{"duration_ms": 1,5}',
        '{"duration_ms": 1,234.5, "a": 1}',
        '{"duration_ms": 5400ms}',
        '{"duration_ms": 5.4 s, "a": 1}',
    ],
    "json_number_too_long": ['{"a": ' + "1" * 5000 + "}", '{"a": -' + "9" * 200_000 + "}"],
    "json_not_finite": [
        '{"a": "NaN", "b": NaN}',
        '{"a": [1, -Infinity]}',
        '{"a": 1e400}',
        '{"a": -1e999}',
        '{"a": ' + "1" * 400 + ".0}",
        '{"a": nan}',
    ],
    "json_not_an_object": [
        "null",
        "true",
        "false",
        "4.2",
        '"hello"',
        '""',
        "[]",
        '[{"a": 1}, {"a": 2}]',
        '[{"a": 1}]',
        "hello world",
        '"[1, 2]"',
    ],
    "json_too_deep": [
        '{"a":' * 65 + "1" + "}" * 65,
        '{"metadata": ' + "[" * 64 + "]" * 64 + "}",
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        "[" * 100_000,
        "[" * 1_000_000,
    ],
    "json_invalid_utf8": [
        b'{"a": "caf\xe9"}',
        b'\xef\xbb\xbf{"a": "caf\xe9"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xc0\xaf"}',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        '{"a": 1}'.encode("utf-32"),
    ],
    "json_invisible_character": [
        '{\u00a0"a": 1}',
        '{"a":\u200b1}',
        '{"a": 1}\ufeff',
        '{"a": 1,\u3000"b": 2}',
        '{"a": 1}\0',
    ],
    "json_multipart": [
        '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
    ],
    "json_form_body": ["workflow_slug=x&ended_at=2026-01-15", "a=1"],
    "json_markup": ["<run/>", "<!DOCTYPE html><html></html>", '  <?xml version="1.0"?><a/>'],
    "json_code_fence": ['```json\n{"a": 1}\n```', '```\n{"a": 1}\n```'],
    # The time of packing is a part of gzip's form, and of the test's name in each process.
    "json_compressed": [
        gzip.compress(b'{"a": 1}', mtime=0),
        zlib.compress(b'{"a": 1}'),
        b"PK\x03\x04\xff",
    ],
    "json_two_values": ['{"a": 1}garbage', '{"a": 1}\n{"a": 2}', '{"a": 1}}', '{"a": 1},'],
    "json_syntax": [
        '{"a" = 1}',
        '{"a": 1; "b": 2}',
        '{"a": [1}',
        '{"a"}',
        '{{"a": 1}}',
        '{"a": "b": 1}',
        '{"a": "b"; "c": 1}',
        '{1: "a"}',
    ],
}


def encode(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()


def refuse(body: str | bytes, content_type: str | None = JSON) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        read_object(encode(body), content_type)
    return caught.value


def codes_of_warnings(body: str | bytes, content_type: str | None = JSON) -> list[str]:
    return [warning.code for warning in read_object(encode(body), content_type).warnings]


@pytest.mark.parametrize(
    ("code", "body"), [(code, body) for code, bodies in SLIPS.items() for body in bodies]
)
def test_a_slip_is_named(code: str, body: str | bytes) -> None:
    started = time.perf_counter()
    problem = refuse(body)
    assert time.perf_counter() - started < 0.2
    (error,) = problem.errors
    assert (problem.code, problem.status, error.field) == ("invalid_json", 400, "body")
    assert error.code == code
    assert error.message in problem.detail or error.message[:-1] in problem.detail
    assert problem.detail.endswith(error.fix)
    assert error.received is not None
    assert len(error.received) <= 80


def test_every_slip_of_the_table_has_cases() -> None:
    assert set(SLIPS) == {code for code, row in PROBLEMS.items() if row.kind == "body"}


def test_the_detail_names_line_and_column_and_shows_the_text_around() -> None:
    problem = refuse('{\n  "workflow_slug": "lead-enrichment",\n  "duration_ms": ,\n  "a": 1\n}')
    assert "(line 3, column 18: " in problem.detail
    assert '"duration_ms": ▸,' in problem.detail
    assert 'no value for "duration_ms"' in problem.detail


@pytest.mark.parametrize(
    ("body", "offset", "line", "column"),
    [
        ('{"a": }', 6, 1, 7),
        ('{"ä": }', 7, 1, 7),
        ('\ufeff{"a": }', 9, 1, 7),
        ('{\r\n"a": }', 8, 2, 6),
        (b'{"a": "\xe9"}', 7, 1, 8),
        (b'{"\xc3\xa4": "\xe9"}', 8, 1, 8),
        ('{"error_message": "say "no" now"}', 23, 1, 24),
        ("", 0, 1, 1),
    ],
)
def test_the_position_counts_bytes_and_characters(
    body: str | bytes, offset: int, line: int, column: int
) -> None:
    assert refuse(body).position == (offset, line, column)


def test_a_place_in_a_large_body_is_shown_without_the_rest() -> None:
    problem = refuse('{"a": "' + "x" * 500_000 + '", "b": , "c": "' + "y" * 500_000 + '"}')
    assert problem.errors[0].code == "json_empty_value"
    assert problem.position is not None
    assert problem.position.offset == 500_015
    assert len(problem.detail) < 400


def test_an_api_key_near_the_place_is_not_shown() -> None:
    key = "fp_" + "a1B2c3" * 6
    for body in (f'{{"api_key": "{key}", "a": }}', f'{{"api_key": "{key}" "a": 1}}'):
        problem = refuse(body)
        assert "a1B2" not in problem.detail + str(problem.errors)


@pytest.mark.parametrize(
    "content_type",
    [
        JSON,
        "application/json;charset=utf-8",
        "application/json;",
        "Application/JSON; charset=iso-8859-1",
        "application/vnd.acme.run+json",
    ],
)
def test_json_by_its_name_needs_no_warning(content_type: str) -> None:
    assert codes_of_warnings('{"a": 1}', content_type) == []


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "text/html", "application/octet-stream", FORM, ";;"]
)
def test_json_under_another_name_is_read_with_a_warning(content_type: str | None) -> None:
    body = read_object(b' {"a": 1}\n', content_type)
    assert body == {"a": 1}
    assert [warning.code for warning in body.warnings] == ["content_type"]


def test_json_announced_as_multipart_is_read_but_a_multipart_body_is_not() -> None:
    assert read_object(b'{"a": 1}', "multipart/form-data; boundary=x") == {"a": 1}
    problem = refuse("--x\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x")
    assert problem.errors[0].code == "json_multipart"


def test_a_bom_is_ignored() -> None:
    assert read_object('\ufeff{"a": 1}'.encode(), JSON) == {"a": 1}


def test_form_fields_are_read_as_flat_fields_with_a_warning() -> None:
    raw = b"workflow_slug=lead&ended_at=2026-01-15T09%3A31%3A00Z&error_message=a+b%26c&started_at="
    body = read_object(raw, FORM + "; charset=utf-8")
    assert body == {
        "workflow_slug": "lead",
        "ended_at": "2026-01-15T09:31:00Z",
        "error_message": "a b&c",
        "started_at": "",
    }
    assert [warning.code for warning in body.warnings] == ["form_encoded"]


def test_the_lost_plus_of_a_time_in_a_form_is_put_back_with_a_warning() -> None:
    body = read_object(b"ended_at=2026-01-15T09:31:00+02:00&error_message=1+02:00", FORM)
    assert body == {"ended_at": "2026-01-15T09:31:00+02:00", "error_message": "1 02:00"}
    assert [warning.code for warning in body.warnings] == ["form_encoded", "plus_not_escaped"]


def test_a_form_field_given_twice_counts_the_last_time() -> None:
    body = read_object(b"a=1&a=2", FORM)
    assert body == {"a": "2"}
    assert [warning.code for warning in body.warnings] == ["form_encoded", "duplicate_member"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("a=%E9", "json_invalid_utf8"),
        ("&".join(f"a{i}=1" for i in range(1001)), "json_form_body"),
        ("a=%%%%", "json_form_body"),
        ('{"a": }', "json_empty_value"),
        ("", "json_empty"),
    ],
)
def test_a_form_that_can_not_be_read_is_refused(body: str, code: str) -> None:
    assert refuse(body, FORM).errors[0].code == code


def test_json_inside_a_text_is_unwrapped_with_a_warning() -> None:
    body = read_object(json.dumps(json.dumps({"a": {"b": 1}})).encode(), JSON)
    assert body == {"a": {"b": 1}}
    assert [warning.code for warning in body.warnings] == ["double_encoded"]


def test_a_slip_inside_a_text_is_named_without_a_position_in_the_body() -> None:
    problem = refuse(json.dumps('{"a": }'))
    assert problem.errors[0].code == "json_empty_value"
    assert problem.position is None


def test_the_last_of_two_members_counts_and_each_name_is_warned_of_once() -> None:
    body = read_object(b'{"a": 1, "a": 2, "a": 3, "m": {"x": 1, "x": 2}}', JSON)
    assert body == {"a": 3, "m": {"x": 2}}
    assert [(w.code, w.field) for w in body.warnings] == [
        ("duplicate_member", "x"),
        ("duplicate_member", "a"),
    ]


def test_64_levels_are_read() -> None:
    assert read_object(b'{"a":' * 64 + b"1" + b"}" * 64, JSON)


def test_brackets_inside_texts_do_not_count_as_levels() -> None:
    assert read_object(json.dumps({"a": "[" * 500, "b": [[]] * 500}).encode(), JSON)


@pytest.mark.parametrize(
    ("raw", "odd"),
    [
        (b'{"a": "b"}', False),
        ('{"a": "\U0001f680"}'.encode(), False),
        (b'{"a": "\\u00e9"}', False),
        (b'{"a": "\\u0000"}', True),
        (b'{"a": "\\ud83d"}', True),
    ],
)
def test_odd_characters_are_looked_for_only_where_they_can_be(raw: bytes, odd: bool) -> None:
    assert read_object(raw, JSON).odd_characters is odd
