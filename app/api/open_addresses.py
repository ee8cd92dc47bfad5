"""How the addresses are described that need no key: health, badges, and documents for machines."""

from typing import Any

from apispec import APISpec

TAG = "Without a key"
EXAMPLE_BADGE = "mK3vP0xQ9sT2wY5zA8bC1dE4fG7hJ6kL"
"""An example, as long as one is."""
_PAGE = {"text/html": {"schema": {"type": "string"}}}
_TOKEN = {
    "name": "token",
    "in": "path",
    "required": True,
    "description": "The badge's token, from the workflow's page.",
    "schema": {"type": "string"},
    "example": EXAMPLE_BADGE,
}
_HEALTH = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {"type": "string", "const": "ok", "description": "The database can be read."},
        "disk": {
            "type": "string",
            "enum": ["low", "full"],
            "description": "There only where the disk has little room or none: reports may be "
            "refused with 503.",
        },
    },
    "example": {"status": "ok"},
}
_BADGE = {
    "type": "object",
    "description": "As shields.io's endpoint badge asks for it.",
    "required": ["schemaVersion", "label", "message", "color", "isError", "cacheSeconds"],
    "properties": {
        "schemaVersion": {"type": "integer", "const": 1},
        "label": {"type": "string", "description": "The workflow's name.", "maxLength": 40},
        "message": {"type": "string", "description": "Its state.", "example": "passing"},
        "color": {"type": "string", "example": "brightgreen"},
        "isError": {"type": "boolean"},
        "cacheSeconds": {"type": "integer", "example": 300},
    },
}


def add_open_addresses(spec: APISpec, prefix: str) -> None:
    _add(
        spec,
        "/healthz",
        ("health", "Whether the server answers and has its database"),
        {"application/json": {"schema": _HEALTH}},
        {"503": {"description": "It has not, or has another secret key.", "content": _PAGE}},
    )
    missing = {"404": {"description": "There is no such badge.", "content": _PAGE}}
    for ending, media in (
        ("svg", {"image/svg+xml": {"schema": {"type": "string"}}}),
        ("json", {"application/json": {"schema": _BADGE}}),
    ):
        names = (f"badge_{ending}", f"A workflow's badge as {ending.upper()}")
        _add(spec, f"/badge/{{token}}.{ending}", names, media, missing, [_TOKEN])
    text = {"text/plain": {"schema": {"type": "string"}}}
    _add(spec, "/llms.txt", ("llms", "What FlowPulse is, for language models"), text, {})
    document = {"application/json": {"schema": {"type": "object"}}}
    _add(spec, f"{prefix}/openapi.json", ("openapi", "This document (OpenAPI 3.1)"), document, {})


def _add(
    spec: APISpec,
    path: str,
    names: tuple[str, str],
    media: dict[str, Any],
    refusals: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
) -> None:
    operation = {
        "operationId": names[0],
        "summary": names[1],
        "tags": [TAG],
        "security": [],
        "parameters": parameters or [],
        "responses": {"200": {"description": "As asked.", "content": media}, **refusals},
    }
    spec.path(path, operations={"get": operation})
