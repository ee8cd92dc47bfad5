"""How the addresses are described that need no API key: health, figures, badges, documents."""

from typing import Any

from apispec import APISpec

from app.api.shapes import in_path, make_problem

TAG = "Without a key"
EXAMPLE_BADGE = "mK3vP0xQ9sT2wY5zA8bC1dE4fG7hJ6kL"
"""An example, as long as one is."""
_PAGE = {"text/html": {"schema": {"type": "string"}}}
_SOON = {
    "Retry-After": {
        "description": "Seconds until it may be asked again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    }
}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_MARKDOWN = {"text/markdown": {"schema": {"type": "string"}}}
_PYTHON = {"text/x-python": {"schema": {"type": "string"}}}
_SVG = {"image/svg+xml": {"schema": {"type": "string"}}}
_BEARER = {
    "WWW-Authenticate": {
        "description": "How the token is sent.",
        "required": True,
        "schema": {"const": "Bearer"},
    }
}
_METRICS_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "The secret that FLOWPULSE_METRICS_TOKEN sets; no API key.",
}
_TOKEN = in_path("token", "The badge's token, from the workflow's page.", EXAMPLE_BADGE)
_DOCUMENT = in_path("name", "A document's name; `/llms.txt` lists them.", "batch")
_KNOWN = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of the answer before.",
    "schema": {"type": "string"},
}
_UNCHANGED = {"304": {"description": "It is as it was.", "content": {}}}
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
}
_NO_HEALTH = {
    "type": "object",
    "required": ["status", "message", "fix"],
    "properties": {
        "status": {"type": "string", "const": "fail"},
        "message": {"type": "string", "description": "What is wrong."},
        "fix": {"type": "string", "description": "What to do."},
    },
}
_BADGE = {
    "type": "object",
    "description": "As shields.io's endpoint badge asks for it.",
    "required": ["schemaVersion", "label", "message", "color", "isError", "cacheSeconds"],
    "properties": {
        "schemaVersion": {"type": "integer", "const": 1},
        "label": {"type": "string", "description": "The workflow's name.", "maxLength": 40},
        "message": {"type": "string", "description": "Its state."},
        "color": {"type": "string"},
        "isError": {"type": "boolean"},
        "cacheSeconds": {"type": "integer"},
    },
}
_BADGE_EXAMPLE = {
    "schemaVersion": 1,
    "label": "Lead enrichment",
    "message": "passing",
    "color": "brightgreen",
    "isError": False,
    "cacheSeconds": 300,
}
_AWAY = "The database: It can't be read."
_MEND = "Run the doctor on this machine, and look at the log of the web server."
_NO_HEALTH_EXAMPLE = {"status": "fail", "message": _AWAY, "fix": _MEND}
_CHECK_EXAMPLES = {
    "ok": {"name": "database", "state": "ok", "message": "It can be read.", "fix": None},
    "fail": {"name": "database", "state": "fail", "message": "It can't be read.", "fix": _MEND},
}


_SEND_IT = "Send the token as Authorization: Bearer. An API key opens no metrics."
_SET_IT = "Set FLOWPULSE_METRICS_TOKEN, and restart the web server."
_LATER = "Ask again a little later."
_METRICS_REFUSAL = make_problem(
    "A refusal (RFC 9457), with codes of its own: no sender of reports meets it.",
    ["metrics_off", "metrics_refused", "unavailable"],
    type={"type": "string", "const": "about:blank"},
)


def add_open_addresses(spec: APISpec, prefix: str) -> None:
    spec.components.security_scheme("metricsToken", _METRICS_TOKEN)
    _add(
        spec,
        "/healthz",
        ("health", "Whether the server answers and has its database"),
        _json(_HEALTH, {"status": "ok"}),
        {
            "503": _refusal(
                "It has not, or has another secret key.",
                _json(_NO_HEALTH, _NO_HEALTH_EXAMPLE),
                _SOON,
            )
        },
    )
    _add(
        spec,
        "/readyz",
        ("ready", "Whether all is there that this machine needs for its work"),
        _make_checks("ok"),
        {"503": _refusal("Something is missing.", _make_checks("fail"), _SOON)},
    )
    _add_metrics(spec)
    missing = {"404": _refusal("There is no such badge.", _PAGE)}
    for ending, media in (("svg", _SVG), ("json", _json(_BADGE, _BADGE_EXAMPLE))):
        names = (f"badge_{ending}", f"A workflow's badge as {ending.upper()}")
        _add(spec, f"/badge/{{token}}.{ending}", names, media, missing, [_TOKEN])
    private = {"302": _refusal("To the sign-in page, where the documents are not public.", _PAGE)}
    _add(spec, "/llms.txt", ("llms", "What FlowPulse is, for language models"), _TEXT, private)
    _add(spec, "/docs/api.md", ("reference", "All of this, as Markdown"), _MARKDOWN, private)
    unknown = {**private, "404": _refusal("There is no such document.", _PAGE)}
    names = ("document", "A document, as Markdown")
    _add(spec, "/docs/{name}.md", names, _MARKDOWN, unknown, [_DOCUMENT])
    names = ("runner", "A file (Python) that runs a command and reports how it ended")
    _add(spec, "/flowpulse-run", names, _PYTHON, _UNCHANGED, [_KNOWN])
    document = _json({"type": "object"}, {"openapi": "3.1.0"})
    _add(spec, f"{prefix}/openapi.json", ("openapi", "This document (OpenAPI 3.1)"), document, {})


def _add_metrics(spec: APISpec) -> None:
    refusals = {
        str(status): _refusal(f"{title}.", _refuse_metrics(status, code, title, detail), headers)
        for status, code, title, detail, headers in (
            (401, "metrics_refused", "The metrics need their token", _SEND_IT, _BEARER),
            (404, "metrics_off", "There are no metrics", _SET_IT, {}),
            (503, "unavailable", "The database can't be used just now", _LATER, _SOON),
        )
    }
    names = ("metrics", "Figures for Prometheus; needs FLOWPULSE_METRICS_TOKEN")
    _add(spec, "/metrics", names, _TEXT, refusals, security=[{"metricsToken": []}])


def _refuse_metrics(status: int, code: str, title: str, detail: str) -> dict[str, Any]:
    row = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
    return {"application/problem+json": {"schema": _METRICS_REFUSAL, "example": row}}


def _make_checks(status: str) -> dict[str, Any]:
    check = {
        "type": "object",
        "required": ["name", "state", "message", "fix"],
        "properties": {
            "name": {"type": "string"},
            "state": {"type": "string", "enum": ["ok", "warn", "fail"]},
            "message": {"type": "string"},
            "fix": {"type": ["string", "null"], "description": "What to do, where it is not ok."},
        },
    }
    checks = {"type": "array", "items": check}
    schema = {
        "type": "object",
        "required": ["status", "checks"],
        "properties": {"status": {"type": "string", "const": status}, "checks": checks},
    }
    return _json(schema, {"status": status, "checks": [_CHECK_EXAMPLES[status]]})


def _json(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema, "example": example}}


def _refusal(
    description: str, content: dict[str, Any], headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {"description": description, "content": content, "headers": headers or {}}


def _add(
    spec: APISpec,
    path: str,
    names: tuple[str, str],
    media: dict[str, Any],
    refusals: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
    security: list[dict[str, list[str]]] | None = None,
) -> None:
    operation = {
        "operationId": names[0],
        "summary": names[1],
        "tags": [TAG],
        "security": security or [],
        "parameters": parameters or [],
        "responses": {"200": {"description": "As asked.", "content": media}, **refusals},
    }
    spec.path(path, operations={"get": operation})
