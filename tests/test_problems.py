"""The one troubleshooting table is complete, and says what the code raises."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from app.problems import (
    KINDS,
    PROBLEMS,
    FieldError,
    Problem,
    ProblemError,
    exact_codes,
    presentable,
    public_code,
    shorten,
)

APP = Path(__file__).parents[1] / "app"
TEMPLATES = APP.parent / "templates"
CONTRACT = {
    401: {"missing_api_key", "malformed_api_key", "unknown_api_key", "revoked_api_key"}
    | {"expired_api_key", "unauthorized"},
    403: {"insufficient_scope"},
    400: {"invalid_json", "validation_failed"},
    404: {"workflow_not_found", "not_found"},
    405: {"method_not_allowed"},
    408: {"request_timeout"},
    413: {"body_too_large"},
    415: {"unsupported_encoding"},
    422: {"idempotency_key_reused"},
    429: {"rate_limited"},
    500: {"server_error"},
    503: {"unavailable"},
}
KEY = "fp_" + "a1B2c3" * 6


def read_trees() -> Iterator[ast.AST]:
    for path in (*APP.rglob("*.py"), *(APP.parent / "serving").glob("*.py")):
        yield ast.parse(path.read_text("utf-8"))


def find_raised_codes() -> set[str]:
    """The literal codes of ProblemError("…"), FieldError(field, "…"), Slip("…") and their like."""
    places = {"ProblemError": 0, "FieldError": 1, "Slip": 0, "DateSlip": 0, "refuse": 0, "warn": 1}
    codes = set()
    for tree in read_trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = places.get(name)
            if place is not None and len(node.args) > place:
                code = node.args[place]
                if isinstance(code, ast.Constant) and re.fullmatch("[a-z_]+", str(code.value)):
                    codes.add(str(code.value))
    return codes


def find_texts() -> set[str]:
    return {
        node.value
        for tree in read_trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_code_that_is_raised_has_its_row() -> None:
    raised = find_raised_codes()
    assert len(raised) > 40
    assert raised <= PROBLEMS.keys()


def test_every_row_is_raised_or_pointed_to_somewhere() -> None:
    pages = "".join(path.read_text("utf-8") for path in TEMPLATES.rglob("*.html"))
    pointed_to = set(re.findall(r"#([a-z_]+)", pages))
    assert PROBLEMS.keys() - find_texts() - pointed_to == set()


@pytest.mark.parametrize("row", PROBLEMS.values(), ids=lambda row: row.code)
def test_a_row_is_complete_and_short(row: Problem) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]+", row.code)
    assert row.kind in KINDS
    assert all(str(cell).strip() for cell in asdict(row).values())
    assert len(row.title) <= 60
    assert len(row.fix) <= 260
    assert len(row.cause) <= 260
    assert row.fix.endswith(".") or row.fix.endswith("}}")
    assert not re.search(r"\boops\b|\bplease\b", row.fix + row.cause, re.IGNORECASE)


def test_codes_have_the_status_of_the_contract() -> None:
    for status, codes in CONTRACT.items():
        assert {PROBLEMS[code].status for code in codes} == {status}


@pytest.mark.parametrize(("kind", "status"), [("body", 400), ("field", 400), ("warning", 202)])
def test_rows_inside_a_body_have_the_status_of_its_answer(kind: str, status: int) -> None:
    assert {row.status for row in PROBLEMS.values() if row.kind == kind} == {status}


def test_the_rows_of_the_reference_are_in_it() -> None:
    assert PROBLEMS["unauthorized"].fix.startswith(
        "Check the X-API-Key or Bearer header and that the key was not revoked"
    )
    assert PROBLEMS["workflow_not_found"].fix.startswith(
        "Create the workflow under Workflows in the app, then use its workflow_id or workflow_slug"
    )
    fix = PROBLEMS["validation_failed"].fix
    assert fix.startswith("Ensure ended_at is present and workflow identification is included")
    assert "for failures, include error_message" in fix


def test_the_reasons_for_which_a_key_is_not_known_look_alike_outside() -> None:
    alike = {"unknown_api_key", "revoked_api_key", "expired_api_key"}
    for code in alike:
        assert public_code(code) == "unauthorized"
    assert public_code("missing_api_key") == "missing_api_key"
    assert set(exact_codes("unauthorized")) == {*alike, "unauthorized"}
    assert exact_codes("missing_api_key") == ("missing_api_key",)
    assert public_code("validation_failed") == "validation_failed"


@pytest.mark.parametrize("cell", ["title", "fix", "wrong"])
def test_a_row_with_an_empty_cell_is_refused(cell: str) -> None:
    cells = asdict(PROBLEMS["missing"]) | {cell: " "}
    with pytest.raises(ValueError, match=f"the cell {cell} is empty"):
        Problem(**cells)


def test_a_row_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        Problem(**asdict(PROBLEMS["missing"]) | {"kind": "other"})


def test_a_problem_speaks_with_the_words_of_its_row_unless_it_has_its_own() -> None:
    problem = ProblemError("rate_limited", headers={"Retry-After": "1"})
    assert (problem.status, problem.code) == (429, "rate_limited")
    assert problem.detail == problem.problem.fix
    assert (problem.headers, problem.errors, problem.position) == ({"Retry-After": "1"}, (), None)
    assert ProblemError("rate_limited", "Slower.").detail == "Slower."


def test_an_error_speaks_with_the_fix_of_its_row_unless_it_has_its_own() -> None:
    error = FieldError("ended_at", "missing", "ended_at is missing.")
    assert error.as_dict() == {
        "field": "ended_at",
        "code": "missing",
        "message": "ended_at is missing.",
        "fix": PROBLEMS["missing"].fix,
        "received": None,
    }
    assert FieldError("a", "missing", "b", "Do it.").fix == "Do it."


def test_a_warning_has_three_members() -> None:
    warning = FieldError("endedAt", "misspelt_field", "Not so.", received="x")
    assert warning.as_warning() == {
        "field": "endedAt",
        "code": "misspelt_field",
        "message": "Not so.",
    }


def test_what_can_not_be_stored_or_must_not_be_told_is_taken_out() -> None:
    error = FieldError("a\0\ud800", "missing", f"sent {KEY}", f"not {KEY}", f"{KEY}\udfff")
    shown = json.dumps(error.as_dict(), ensure_ascii=False)
    shown.encode()
    assert "a1B2" not in shown
    assert error.field == "a��"
    assert "a1B2" not in ProblemError("invalid_json", f"near {KEY}").detail
    assert len(presentable(f"x {KEY} y")) == len(f"x {KEY} y")


def test_what_was_received_is_cut_to_80_characters() -> None:
    assert shorten("x" * 80) == "x" * 80
    assert shorten("x" * 81) == "x" * 79 + "…"
    error = FieldError("y" * 500, "missing", "m", received="x" * 500)
    assert error.received is not None
    assert (len(error.received), len(error.field)) == (80, 80)
