"""What each kind of field takes, as JSON Schema: what is tolerated, too, is told as it is."""

from collections.abc import Callable
from typing import Any

from marshmallow import fields

from app.ingest.fields import Duration, FreeText, Identifier, Message, Metadata, Timestamp
from app.ingest.fields import WorkflowReference as Reference

JsonSchema = dict[str, Any]
NO_NUL = r"^[^\u0000]*$"
_SAYS_SOMETHING = r"^[^\u0000]*[^\s\u0000-\u001f][^\u0000]*$"
_NOTHING_OR_SOMETHING = rf"^$|{_SAYS_SOMETHING}"
_NOT_BLANK = r"[^\s\u001c-\u001f]"
_NUMBER_OR_NOTHING = r"^\s*([0-9]{1,15}(\.[0-9]{1,20})?)?\s*$"
NAMED = {"type": ["string", "number"], "pattern": _SAYS_SOMETHING}
"""What names a workflow, where one has to be named."""
TIME_OR_NOTHING: JsonSchema = {"anyOf": [{"format": "date-time"}, {"maxLength": 0}]}


def describe_taken(_: Any, field: fields.Field[Any], ret: JsonSchema, **__: Any) -> JsonSchema:
    """For apispec, which has put the type that a field is meant to have into `ret`.

    The first type is the one to send; null and an empty text stand for "not given".
    """
    describe = next((each for kind, each in _TAKEN.items() if isinstance(field, kind)), None)
    return describe(field, ret) if describe else {}


def _identifier(field: fields.Field[Any], ret: JsonSchema) -> JsonSchema:
    if "enum" in ret:
        return {}
    if field.required:
        return dict(NAMED)
    return {"type": ["string", "number", "null"], "pattern": NO_NUL}


def _timestamp(field: fields.Field[Any], ret: JsonSchema) -> JsonSchema:
    if field.required:
        return {}
    del ret["format"]
    return {"type": ["string", "null"], **TIME_OR_NOTHING}


_TAKEN: dict[type, Callable[[fields.Field[Any], JsonSchema], JsonSchema]] = {
    Message: lambda *_: {
        "type": ["string", "number", "boolean", "array", "object"],
        "pattern": _NOT_BLANK,
    },
    FreeText: lambda *_: {"type": ["string", "number", "null"]},
    Reference: lambda *_: {
        "type": ["string", "number", "null"],
        "pattern": _NOTHING_OR_SOMETHING,
    },
    Identifier: _identifier,
    Timestamp: _timestamp,
    Duration: lambda *_: {"type": ["number", "string", "null"], "pattern": _NUMBER_OR_NOTHING},
    Metadata: lambda *_: {"type": ["object", "string", "null"], "maxLength": 0},
}
"""The most special kind first."""
