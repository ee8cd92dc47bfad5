"""The corpus's bodies, read and validated without a server."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.ingest.body import read_object
from app.ingest.schemas import EVENT_KINDS, validate
from app.problems import ProblemError

CORPUS = Path(__file__).parents[1] / "corpus" / "cases.jsonl"
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
PLACE_HOLDERS = {b"__SLUG__": b"lead-enrichment", b"__ID__": b"k3v9x1m8", b"__NAME__": b"Lead"}
# Refused before the body is read, or for the sake of a header.
ELSEWHERE = ("auth-", "idem-", "method-", "path-")


def read_cases() -> Iterator[Any]:
    for line in CORPUS.read_text("utf-8").splitlines():
        case = json.loads(line)
        if case["expect"] in (202, 400, 404) and not case["name"].startswith(ELSEWHERE):
            kind = "run-failure" if "run-failure" in case["path"] else "run-success"
            yield pytest.param(case, kind, id=f"{case['name']}-{kind}")


@pytest.mark.parametrize(("case", "kind"), list(read_cases()))
def test_a_body_of_the_corpus_is_answered_as_it_asks(case: dict[str, Any], kind: str) -> None:
    raw = base64.b64decode(case["body_base64"])
    for place_holder, value in PLACE_HOLDERS.items():
        raw = raw.replace(place_holder, value)
    headers = {name.lower(): value for name, value in case["headers"]}
    wanted = {case["expect"], *case["also"]}
    try:
        body = read_object(raw, headers.get("content-type"))
        validate(EVENT_KINDS[kind], body, NOW)
    except ProblemError as problem:
        assert problem.status in wanted
        if case["field"]:
            assert case["field"] in [error.field for error in problem.errors]
    else:
        # Whether the workflow exists is found out later.
        assert wanted & {202, 404}
