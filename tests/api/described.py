"""Whether an answer is one that the OpenAPI document tells of: status, media type, shape, code."""

import re
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator

from app.api.openapi import build_document


def find_undescribed(
    method: str, path: str, status: int, media_type: str, answer: dict[str, Any]
) -> str:
    """What the document does not say of this answer; empty where it says all, or where the address
    is not in it."""
    operations = _find_operations(path.partition("?")[0])
    operation = operations.get(method.lower()) or next(iter(operations.values()), None)
    if operation is None:
        return ""
    told = operation["responses"].get(str(status))
    if told is None:
        return f"{status} is not described"
    media = told["content"].get(media_type)
    if media is None:
        return f"{status} is not described as {media_type}"
    code = answer.get("code")
    if status >= 400 and code not in media.get("examples", {code: None}):
        return f"{status} has no example of {code}"
    validator = _make_validator(operation["operationId"], str(status), media_type)
    return "; ".join(error.message for error in validator.iter_errors(answer))


def _find_operations(path: str) -> dict[str, Any]:
    for template, operations in build_document()["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path):
            return dict(operations)
    return {}


@cache
def _make_validator(operation_id: str, status: str, media_type: str) -> Any:
    document = build_document()
    operation = next(
        each
        for operations in document["paths"].values()
        for each in operations.values()
        if each["operationId"] == operation_id
    )
    schema = operation["responses"][status]["content"][media_type]["schema"]
    return OAS31Validator({**schema, "components": document["components"]})
