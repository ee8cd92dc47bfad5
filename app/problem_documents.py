"""Refusals as the API answers them (RFC 9457)."""

from typing import Any

from app.links import public_url
from app.problems import PROBLEMS, ProblemError, public_code


def problem_document(
    code: str, status: int, detail: str, errors: list[dict[str, Any]] | None, event_id: str | None
) -> dict[str, Any]:
    """The document, as sent and as the console shows it later."""
    code = public_code(code)
    document: dict[str, Any] = {
        "type": public_url(f"/troubleshooting#{code}"),
        "title": PROBLEMS[code].title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        document["errors"] = errors
    if event_id:
        document |= {"event_id": event_id, "inspect": public_url(f"/events/{event_id}")}
    return document


def describe_problem(problem: ProblemError, event_id: str | None) -> dict[str, Any]:
    """The document of a refusal, logged as this event; without what the console alone may say."""
    public = PROBLEMS[public_code(problem.code)]
    detail = problem.detail if public is problem.problem else public.fix
    errors = [error.as_dict() for error in problem.errors]
    return problem_document(problem.code, problem.status, detail, errors, event_id)
