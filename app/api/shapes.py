"""The shapes of bodies and answers that no schema validates or writes."""

from collections.abc import Mapping
from typing import Any

from app.ingest.batch_body import MOST_EVENTS
from app.ingest.batch_items import ACCEPTED
from app.ingest.schemas import EVENT_KINDS
from app.problems import PROBLEMS, public_code

ID = "tz4a98xxat96iws9zmbrgj3a"
_NAMED_BY_FIELD = ("workflow_not_found", "workflow_not_allowed", "workflow_archived")


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def schema_name(kind_name: str) -> str:
    return kind_name.title().replace("-", "")


def _codes(*kinds: str) -> list[str]:
    """The rows of the table that are of these kinds, by the names that answers have for them."""
    codes = (public_code(code) for code, row in PROBLEMS.items() if row.kind in kinds)
    return list(dict.fromkeys(codes))


def make_problem(about: str, codes: list[str], **more: Any) -> dict[str, Any]:
    """The shape of a refusal (RFC 9457) with one of these codes; `more` are further members, or
    what holds besides of one."""
    return {
        "type": "object",
        "description": about,
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What to change, in one sentence."},
            "code": {"type": "string", "enum": codes},
            **more,
        },
    }


_PROBLEM = make_problem(
    "A refusal (RFC 9457); `type` leads to its row in the troubleshooting table.",
    _codes("request"),
    errors={"type": "array", "items": ref("FieldError")},
    event_id={"type": "string", "description": "The refused request in the log."},
    inspect={"type": "string", "format": "uri-reference"},
)
_FIELD_ERROR = {
    "type": "object",
    "required": ["field", "code", "message", "fix", "received"],
    "properties": {
        "field": {"type": "string"},
        "code": {"type": "string", "enum": [*_codes("body", "field"), *_NAMED_BY_FIELD]},
        "message": {"type": "string"},
        "fix": {"type": "string"},
        "received": {"type": ["string", "null"], "maxLength": 80},
    },
}
_WARNING = {
    "type": "object",
    "required": ["field", "code", "message"],
    "properties": {
        "field": {"type": "string"},
        "code": {"type": "string", "enum": _codes("warning")},
        "message": {"type": "string"},
    },
}
_ACCEPTED = {
    "type": "object",
    "required": ["event_id", "status"],
    "properties": {
        "event_id": {"type": "string"},
        "status": {"const": "accepted"},
        "warnings": {"type": "array", "items": ref("Warning")},
    },
}
_BATCH_ACCEPTED = {
    "type": "object",
    "required": ["event_id", "status"],
    "properties": {
        "event_id": {"type": "string"},
        "status": {"type": "integer", "const": ACCEPTED},
        "warnings": {"type": "array", "items": ref("Warning")},
        "idempotent_replayed": {
            "type": "boolean",
            "const": True,
            "description": "It was accepted before under the same key; this is that answer.",
        },
    },
}
_BATCH_ANSWER = {
    "type": "object",
    "required": ["accepted", "refused", "events"],
    "properties": {
        "accepted": {"type": "integer", "description": "How many of the events are on disk."},
        "refused": {"type": "integer", "description": "How many of them are not."},
        "events": {
            "type": "array",
            "description": "In the order sent: each event's answer, or its refusal as a problem.",
            "items": {
                "oneOf": [
                    ref("BatchAccepted"),
                    ref("Problem"),
                ]
            },
        },
    },
}
_BATCH_PROBLEM = {
    "description": "A refusal of the whole batch or, with `events`, of each event in it.",
    "allOf": [ref("Problem")],
    "properties": {
        "accepted": {"type": "integer", "const": 0},
        "refused": {"type": "integer", "minimum": 1},
        "events": {"type": "array", "items": ref("Problem")},
    },
}


def make_example(kind: str) -> dict[str, Any]:
    """A body that has what it needs, and no more."""
    fields = EVENT_KINDS[kind].schema.fields
    needed = [name for name, each in fields.items() if each.required or name == "workflow_slug"]
    return {name: fields[name].metadata["example"] for name in needed}


_BATCH = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_EVENTS,
            "description": "Each with the fields of its kind, and these besides:",
            "example": [
                {"kind": kind, **make_example(kind)} for kind in ("run-success", "run-failure")
            ],
            "items": {
                "allOf": [ref("BatchMember")],
                "oneOf": [
                    {"allOf": [ref(schema_name(name))], "properties": {"kind": {"const": name}}}
                    for name in EVENT_KINDS
                ],
            },
        }
    },
}
SHAPES: Mapping[str, dict[str, Any]] = {
    "Problem": _PROBLEM,
    "FieldError": _FIELD_ERROR,
    "Warning": _WARNING,
    "Accepted": _ACCEPTED,
    "Batch": _BATCH,
    "BatchAccepted": _BATCH_ACCEPTED,
    "BatchAnswer": _BATCH_ANSWER,
    "BatchProblem": _BATCH_PROBLEM,
}
"""By their names among the document's components."""


def in_path(name: str, description: str, example: str, pattern: str = "") -> dict[str, Any]:
    """A parameter that is a part of the address."""
    schema = {"type": "string", "pattern": pattern} if pattern else {"type": "string"}
    told = {"name": name, "in": "path", "required": True, "description": description}
    return told | {"schema": schema, "example": example}
