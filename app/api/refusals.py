"""How refusals are described: by code, each with an example, and with the headers that it has."""

from typing import Any

from apispec import APISpec

from app.problems import PROBLEMS

_EVENT_ID = "tz4a98xxat96iws9zmbrgj3a"
_HOST = "https://flowpulse.example"
OF_ALL = (
    "bad_request",
    "missing_api_key",
    "malformed_api_key",
    "unauthorized",
    "insufficient_scope",
    "method_not_allowed",
    "address_too_long",
    "rate_limited",
    "headers_too_large",
    "server_error",
    "unavailable",
)
OF_READING = (*OF_ALL, "validation_failed", "not_found")
_OF_REPORTS = (
    *OF_ALL,
    "validation_failed",
    "workflow_not_found",
    "workflow_not_allowed",
    "workflow_archived",
    "request_timeout",
    "unsupported_encoding",
    "idempotency_key_reused",
)
OF_PINGS = (*_OF_REPORTS, "not_found")
OF_EVENTS = (*_OF_REPORTS, "invalid_json", "body_too_large")
_RETRY_AFTER = {
    "description": "Seconds until the same request may be sent again.",
    "required": True,
    "schema": {"type": "integer", "minimum": 0},
}
_HEADERS: dict[str, dict[str, Any]] = {
    "401": {
        "WWW-Authenticate": {
            "description": "How a key is sent.",
            "required": True,
            "schema": {"const": "Bearer"},
        }
    },
    "405": {
        "Allow": {
            "description": "The methods that the address takes.",
            "required": True,
            "schema": {"type": "string", "examples": ["POST"]},
        }
    },
    **{status: {"Retry-After": _RETRY_AFTER} for status in ("429", "500", "503")},
}
_ERRORS = {
    "validation_failed": ("ended_at", "missing", "ended_at is missing."),
    "invalid_json": ("body", "json_truncated", "The body ends before the object is closed."),
}
"""Of those that list errors, one: field, code, message."""


def list_codes() -> list[str]:
    """All that an answer may say, in the order of the table."""
    wanted = {*OF_READING, *OF_PINGS, *OF_EVENTS}
    return [code for code in PROBLEMS if code in wanted]


def add_examples(spec: APISpec) -> None:
    for code in list_codes():
        spec.components.example(
            code, {"summary": PROBLEMS[code].title, "value": make_refusal(code)}
        )


def make_refusal(code: str) -> dict[str, Any]:
    """As it is answered, with the words of the table."""
    row = PROBLEMS[code]
    document: dict[str, Any] = {
        "type": f"{_HOST}/troubleshooting#{code}",
        "title": row.title,
        "status": row.status,
        "detail": row.fix,
        "code": code,
    }
    if code in _ERRORS:
        field, error, message = _ERRORS[code]
        fix = PROBLEMS[error].fix
        told = {"field": field, "code": error, "message": message, "fix": fix, "received": None}
        document |= {"detail": f"{message} {fix}", "errors": [told]}
    return document | {"event_id": _EVENT_ID, "inspect": f"{_HOST}/events/{_EVENT_ID}"}


def describe_refusals(codes: tuple[str, ...], schema: str = "Problem") -> dict[str, Any]:
    """The answers by status; the examples of each are named by the codes that it may have."""
    return {
        status: describe_refusal(status, those, _as_problems(those, schema))
        for status, those in group_by_status(codes).items()
    }


def group_by_status(codes: tuple[str, ...]) -> dict[str, list[str]]:
    """In the order of the table."""
    by_status: dict[str, list[str]] = {}
    for code, row in PROBLEMS.items():
        if code in codes:
            by_status.setdefault(str(row.status), []).append(code)
    return {status: by_status[status] for status in sorted(by_status)}


def describe_refusal(status: str, codes: list[str], content: dict[str, Any]) -> dict[str, Any]:
    """One answer, with the headers that its status has."""
    answer: dict[str, Any] = {
        "description": "\n".join(f"- `{code}`: {PROBLEMS[code].title}" for code in codes),
        "content": content,
    }
    return answer | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def _as_problems(codes: list[str], schema: str) -> dict[str, Any]:
    media = {
        "schema": {"$ref": f"#/components/schemas/{schema}"},
        "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
    }
    return {"application/problem+json": media}
