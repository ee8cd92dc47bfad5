"""The shapes of bodies and answers that no schema validates or writes."""

from collections.abc import Mapping
from typing import Any

from app.ingest.batch_body import MOST_EVENTS
from app.ingest.batch_items import ACCEPTED
from app.ingest.schemas import EVENT_KINDS


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def schema_name(kind_name: str) -> str:
    return kind_name.title().replace("-", "")


_PROBLEM = {
    "type": "object",
    "description": "A refusal (RFC 9457); `type` leads to its row in the troubleshooting table.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What to change, in one sentence."},
        "code": {"type": "string"},
        "errors": {"type": "array", "items": ref("FieldError")},
        "event_id": {"type": "string", "description": "The refused request in the log."},
        "inspect": {"type": "string", "format": "uri-reference"},
    },
}
_FIELD_ERROR = {
    "type": "object",
    "required": ["field", "code", "message", "fix", "received"],
    "properties": {
        "field": {"type": "string"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "fix": {"type": "string"},
        "received": {"type": ["string", "null"], "maxLength": 80},
    },
}
_WARNING = {
    "type": "object",
    "required": ["field", "code", "message"],
    "properties": {name: {"type": "string"} for name in ("field", "code", "message")},
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


def _make_example(kind: str) -> dict[str, Any]:
    """What it needs, and no more: a batch is long enough."""
    fields = EVENT_KINDS[kind].schema.fields
    needed = [name for name, each in fields.items() if each.required or name == "workflow_slug"]
    return {"kind": kind} | {name: fields[name].metadata["example"] for name in needed}


_BATCH = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_EVENTS,
            "description": "Each with the fields of its kind, and these besides:",
            "example": [_make_example("run-success"), _make_example("run-failure")],
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
}
"""By their names among the document's components."""
