"""OpenAPI 3.1, drawn from the schemas that validate, the documents that answer, and the table."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from app.api.documents import EventDocument, RunDocument, WorkflowDocument
from app.api.pages import DEFAULT_LIMIT, MAX_LIMIT
from app.api.shapes import SHAPES, ref, schema_name
from app.ingest.batch_body import MOST_EVENTS
from app.ingest.batch_fields import OwnSchema
from app.ingest.schemas import EVENT_KINDS, WORKFLOW_REFERENCES
from app.models import OUTCOMES, RUNNING, STATES, STUCK
from app.problems import PROBLEMS, Problem, public_code

API_VERSION = "1"
_PREFIX = "/api/v1"
_ONE_REFERENCE = {"anyOf": [{"required": [name]} for name in WORKFLOW_REFERENCES]}
_TOLD_ELSEWHERE = frozenset({"unknown_address", "ended_address"})
"""What is told in other monitors' terms, and never as a document."""
_INGEST_STATUSES = (400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503)
_READ_STATUSES = (400, 401, 403, 404, 405, 429, 500, 503)


@cache
def build_document() -> dict[str, Any]:
    """The whole document; the same for all, so that it is built once."""
    spec = APISpec(
        title="FlowPulse",
        version=API_VERSION,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
        info={"description": "Report that a run succeeded or failed; read what became of it."},
        security=[{"apiKey": []}, {"bearer": []}],
    )
    _add_components(spec)
    for kind in EVENT_KINDS.values():
        spec.path(f"{_PREFIX}/ingest/{kind.name}", operations={"post": _ingest(kind)})
    spec.path(f"{_PREFIX}/ingest/batch", operations={"post": _ingest_batch()})
    _add_pings(spec)
    _add_lists(spec)
    document: dict[str, Any] = spec.to_dict()
    return document


def _add_components(spec: APISpec) -> None:
    key = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    spec.components.security_scheme("apiKey", key)
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for name, schema in SHAPES.items():
        spec.components.schema(name, schema)
    for name, document in (
        ("Workflow", WorkflowDocument),
        ("Event", EventDocument),
        ("Run", RunDocument),
    ):
        spec.components.schema(name, schema=document)
    for kind in EVENT_KINDS.values():
        spec.components.schema(schema_name(kind.name), _ONE_REFERENCE, schema=type(kind.schema))
    spec.components.schema("BatchMember", schema=OwnSchema)


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes a retry within 24 h return the first answer, and no second event.",
    "schema": {"type": "string", "maxLength": 255},
}


def _accepted_response() -> dict[str, Any]:
    return {
        "description": "On disk, and processed within moments.",
        "headers": {
            "Location": {"schema": {"type": "string"}},
            "Idempotent-Replayed": {"schema": {"const": "true"}},
        },
        "content": _json(ref("Accepted")),
    }


def _ingest(kind: Any) -> dict[str, Any]:
    return {
        "operationId": kind.name.replace("-", "_"),
        "summary": f"Report a run's {kind.reports}",
        "tags": ["Ingest"],
        "parameters": [_IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": _json(ref(schema_name(kind.name)))},
        "responses": {"202": _accepted_response(), **_problems(_INGEST_STATUSES)},
    }


_OF_A_BATCH = (
    f"Takes at most {MOST_EVENTS} events. All that are accepted are on disk in one commit; each "
    "counts for the key's rate. Where none is, the answer is a refusal that says why of each."
)
_NONE_ACCEPTED = "Also where none of the events was accepted, then with `events`."


def _ingest_batch() -> dict[str, Any]:
    problems = _problems(_INGEST_STATUSES)
    for status in ("400", "403", "404", "422"):
        problems[status]["description"] += f"\n\n{_NONE_ACCEPTED}"
    whole = _json(ref("BatchAnswer"))
    return {
        "operationId": "batch",
        "summary": "Report many runs at once",
        "description": _OF_A_BATCH,
        "tags": ["Ingest"],
        "parameters": [
            _IDEMPOTENCY_KEY
            | {"description": "Stands for an idempotency_key of each event, by its place."}
        ],
        "requestBody": {"required": True, "content": _json(ref("Batch"))},
        "responses": {
            "202": {"description": "All of them are on disk.", "content": whole},
            "207": {"description": "Some are on disk: see `events`.", "content": whole},
            **problems,
        },
    }


_SLUG = {
    "name": "slug",
    "in": "path",
    "required": True,
    "description": "The workflow's slug or id.",
    "schema": {"type": "string"},
}
_SIGNAL = {
    "name": "signal",
    "in": "path",
    "required": True,
    "description": "`start`, `fail`, or the job's exit status: 0 is a success, 1 to 255 a failure.",
    "schema": {"type": "string"},
}


def _add_pings(spec: APISpec) -> None:
    """HEAD is answered too, as GET without a body; OpenAPI need not say so."""
    for path, name, summary, parameters in (
        ("{slug}", "ping", "Ping: the run succeeded just now", [_SLUG]),
        ("{slug}/{signal}", "ping_signal", "Ping: how the run went", [_SLUG, _SIGNAL]),
    ):
        rid = _query("rid", "The run's id: start and end with the same one are one run.")
        shared = {
            "summary": summary,
            "tags": ["Pings"],
            "parameters": [*parameters, rid, _IDEMPOTENCY_KEY],
            "responses": {"202": _accepted_response(), **_problems(_INGEST_STATUSES)},
        }
        text = {"text/plain": {"schema": {"type": "string"}}}
        body = {"description": "Its first 10 KB become the message.", "content": text}
        spec.path(
            f"{_PREFIX}/ping/{path}",
            operations={
                "get": {"operationId": f"{name}_get", **shared},
                "post": {"operationId": name, **shared, "requestBody": body},
            },
        )


def _problems(statuses: tuple[int, ...]) -> dict[str, Any]:
    return {str(status): _problem_response(status) for status in statuses}


def _problem_response(status: int) -> dict[str, Any]:
    rows: dict[str, Problem] = {
        public_code(code): problem
        for code, problem in PROBLEMS.items()
        if problem.kind == "request" and problem.status == status and code not in _TOLD_ELSEWHERE
    }
    lines = [f"- `{code}`: {PROBLEMS[code].title}" for code in rows]
    return {
        "description": "\n".join(lines),
        "content": {"application/problem+json": {"schema": ref("Problem")}},
    }


def _query(name: str, description: str, **schema: Any) -> dict[str, Any]:
    schema.setdefault("type", "string")
    return {"name": name, "in": "query", "description": description, "schema": schema}


_PAGING = [
    _query(
        "limit",
        f"Rows, 1 to {MAX_LIMIT}; a number outside is taken as the nearest.",
        type="integer",
        default=DEFAULT_LIMIT,
    ),
    _query("cursor", "The `next_cursor` of the answer before."),
]
_SPAN = [
    _query("workflow", "A workflow's id or slug."),
    _query("since", "From this time on (ISO 8601).", format="date-time"),
    _query("until", "Before this time (ISO 8601).", format="date-time"),
]


def _add_lists(spec: APISpec) -> None:
    _add_list(spec, "workflows", "Workflow", [])
    event_filters = [_query("status", "Only these.", enum=list(STATES)), *_SPAN]
    _add_list(spec, "events", "Event", event_filters, _oldest("came", "status"))
    run_filters = [
        _query(
            "outcome",
            "Only these; of those that run, `stuck` are open for longer than they may.",
            enum=[*OUTCOMES, RUNNING, STUCK],
        ),
        _query("correlation_id", "Only with this correlation id."),
        _query("external_execution_id", "Only with this execution id."),
        _query("error_group", "Only failures with this error."),
        _query("platform", "Only from this source platform."),
    ]
    _add_list(spec, "runs", "Run", [*run_filters, *_SPAN], _oldest("was told", "outcome"))


def _oldest(what: str, by: str) -> dict[str, Any]:
    kept = (
        f"When the oldest that the workspace keeps {what}, with the `{by}` that is asked for; what "
        "is older is gone."
    )
    return {"oldest_at": {"type": ["string", "null"], "format": "date-time", "description": kept}}


def _add_list(
    spec: APISpec,
    path: str,
    name: str,
    filters: list[dict[str, Any]],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    page = {
        "type": "object",
        "required": ["data", "next_cursor", *more],
        "properties": {
            "data": {"type": "array", "items": ref(name)},
            "next_cursor": {
                "type": ["string", "null"],
                "description": "Null on the last page. Another page may have fewer rows than "
                "`limit`, even none: a search for what is rare goes on with its cursor.",
            },
            **more,
        },
    }
    spec.path(
        f"{_PREFIX}/{path}",
        operations={
            "get": _read(f"list_{path}", f"List {path}, newest first", page, [*filters, *_PAGING])
        },
    )
    identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    one = _read(f"show_{path[:-1]}", f"One {name.lower()}", ref(name), [identifier])
    spec.path(f"{_PREFIX}/{path}/{{id}}", operations={"get": one})


def _read(
    operation_id: str, summary: str, schema: dict[str, Any], parameters: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "tags": ["Reading"],
        "parameters": parameters,
        "responses": {
            "200": {"description": "As asked.", "content": _json(schema)},
            **_problems(_READ_STATUSES),
        },
    }
