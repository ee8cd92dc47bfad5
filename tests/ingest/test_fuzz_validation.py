"""Whatever is sent, reading and validating it ends with an event or an explained refusal.

The changes are drawn from a seed with `random`, many times as fast as from strategies; a failing
example is repeated by its seed.
"""

import json
import os
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ingest.body import read_object
from app.ingest.schemas import EVENT_KINDS, validate
from app.problems import PROBLEMS, ProblemError

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2000"))
SEEDS = st.integers(0, 2**63)
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
EVENT: dict[str, Any] = {
    "workflow_slug": "lead-enrichment",
    "ended_at": "2026-01-15T09:31:00.123Z",
    "started_at": "2026-01-15T10:30:55+01:00",
    "duration_ms": 5123,
    "external_execution_id": "231",
    "source_platform": "n8n",
    "metadata": {"customer": "acme", "deep": [{"a": None}, 1.5]},
    "error_message": 'said "no"\n',
    "error_type": "RateLimitError",
}
NAMES = [*EVENT, "workflow_id", "workflow_name", "correlation_id", "endedAt", "data", "x", ""]
MEDIA = [
    None,
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    ";",
]
PIECES = [
    *[bytes([byte]) for byte in b"{}[]:,\"\\'`/#<=-+.0159eE$ \n\t\r\0\x1b"],
    *[piece.encode() for piece in ("{{ $json.x }}", "NaN", "-Infinity", "undefined", "null")],
    *[piece.encode() for piece in ("“", "”", "\u00a0", "\ufeff", "1e400", "[object Object]")],
    *[piece.encode() for piece in ("\\ud83d", "\\u0000", "//", "/*", "&a=b", "%00", "```")],
    b"\xff",
    b"\xe9",
    b"\xed\xa0\x80",
    b"\x1f\x8b",
    b"[" * 70,
    b"9" * 4400,
]
DATES = [
    "2026-01-15T09:31:00.123456789Z",
    "20260115T093100+0200",
    "2016-12-31T23:59:60Z",
    "0001-01-01T00:00:00+02:00",
    "9999-12-31T23:59:59-02:00",
    "2026-W03-4T09:31:00Z",
    "2026-01-15",
    "1768469460000",
    "20260115093100",
    "Thu, 15 Jan 2026 09:31:00 +0100",
    "Thu Jan 15 2026 10:31:00 GMT+0100 (CET)",
    "Jan 15, 2026 at 9:31 PM",
    "01/15/2026 12:31 AM",
    "15.01.2026 09:31",
    "2026-01-15T09:31:00+01:00[Europe/Berlin]",
]
TEXTS = ["{{ $json.x }}", "undefined", "   ", '{"a": "\\u0000"}', '{"a": ', "{" * 80, "İ" * 65, ""]
SIGNS = "ab1 \0\n\"'\\{}[]:äß\u0351\u0661\ud83d\udc80\U0001f680\u202e"
NUMBERS = [0, -1, -0.0, 0.5, 2**53, 2**63, 10**30, -(10**400), 1e300, 1768469460, float("nan")]


def change_bytes(seed: int) -> bytes:
    draw = random.Random(seed)
    raw = json.dumps(EVENT, indent=draw.choice([None, 1]), ensure_ascii=False).encode()
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(raw) + 1)
        piece = draw.choice(PIECES) if draw.random() < 0.9 else draw.randbytes(3)
        raw = raw[:at] + piece + raw[at + draw.randrange(7) :]
        if draw.random() < 0.05:
            raw = raw[: draw.randrange(len(raw) + 1)]
    return raw


def change_date(draw: random.Random) -> str:
    text = draw.choice(DATES)
    for _ in range(draw.randrange(4)):
        at = draw.randrange(len(text) + 1)
        sign = draw.choice("0123456789-+:./TZ ,PAMt\u0661\0")
        text = text[:at] + sign * draw.randrange(3) + text[at + draw.randrange(3) :]
    return text


def make_text(draw: random.Random) -> str:
    kind = draw.randrange(4)
    if kind == 0:
        return change_date(draw)
    if kind == 1:
        return draw.choice(TEXTS)
    return "".join(draw.choices(SIGNS, k=draw.randrange(12))) * (300 if kind == 2 else 1)


def make_value(draw: random.Random, depth: int = 0) -> Any:
    kind = draw.randrange(8 if depth < 3 else 6)
    if kind < 3:
        return make_text(draw)
    if kind < 5:
        return draw.choice(NUMBERS) if draw.random() < 0.7 else draw.randint(-(10**20), 10**20)
    if kind == 5:
        return draw.choice([None, True, False])
    if kind == 6:
        return [make_value(draw, depth + 1) for _ in range(draw.randrange(3))]
    return {make_name(draw): make_value(draw, depth + 1) for _ in range(draw.randrange(4))}


def make_name(draw: random.Random) -> str:
    return draw.choice(NAMES) if draw.random() < 0.8 else make_text(draw)


def change_values(seed: int) -> bytes:
    draw = random.Random(seed)
    document = dict(EVENT)
    for _ in range(draw.randint(1, 4)):
        document[make_name(draw)] = make_value(draw)
    if draw.random() < 0.2:
        document.pop(draw.choice(list(document)))
    encoded = json.dumps(document, ensure_ascii=True)
    for _ in range(draw.choice([0, 0, 0, 1, 2])):
        encoded = json.dumps(encoded)
    return encoded.encode()


def has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_nul(name) or has_nul(item) for name, item in value.items())
    if isinstance(value, list):
        return any(has_nul(item) for item in value)
    return isinstance(value, str) and "\0" in value


def check(raw: bytes, content_type: str | None, kind: str) -> bool:
    """Whether it is accepted, and then can be stored; else it is explained and can be answered."""
    try:
        body = read_object(raw, content_type)
        values = validate(EVENT_KINDS[kind], body, NOW)
    except ProblemError as problem:
        assert problem.status == 400
        assert problem.errors
        for error in problem.errors:
            assert PROBLEMS[error.code].kind in ("body", "field")
            assert error.message
            assert error.fix
            assert len(error.received or "") <= 80
        "".join([problem.detail, *map(str, problem.errors)]).encode()
        if problem.position:
            assert 0 <= problem.position.offset <= len(raw)
        return False
    json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    assert not has_nul(values)
    assert {"ended_at"} <= values.keys() <= EVENT_KINDS[kind].schema.load_fields.keys()
    json.dumps([warning.as_warning() for warning in body.warnings], ensure_ascii=False).encode()
    return True


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES, deadline=None)
@given(SEEDS)
def test_changed_bytes_never_break_it(seed: int) -> None:
    check(change_bytes(seed), MEDIA[seed % 6], "run-failure" if seed % 2 else "run-success")


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES, deadline=None)
@given(SEEDS)
def test_changed_values_never_break_it(seed: int) -> None:
    check(change_values(seed), MEDIA[seed % 6], "run-failure" if seed % 2 else "run-success")


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES, deadline=None)
@given(SEEDS)
def test_a_changed_date_never_breaks_it(seed: int) -> None:
    document = {**EVENT, ("ended_at", "started_at")[seed % 2]: change_date(random.Random(seed))}
    check(json.dumps(document).encode(), "application/json", "run-failure")


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.sampled_from(MEDIA))
def test_any_bytes_never_break_it(raw: bytes, media: str | None) -> None:
    check(raw, media, "run-success")


def test_the_changes_reach_both_ends() -> None:
    for change in (change_bytes, change_values):
        accepted = [check(change(seed), "application/json", "run-failure") for seed in range(500)]
        assert 10 < sum(accepted) < 490
