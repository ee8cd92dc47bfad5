"""How the addresses that take reports are described: events, batches, pings."""

from typing import Any

from apispec import APISpec

from app.api.refusals import OF_EVENTS, OF_PINGS, describe_refusals, make_refusal
from app.api.shapes import ID, in_path, make_example, ref, schema_name
from app.api.taken import NO_NUL
from app.ingest.acceptance import MAX_IDEMPOTENCY_KEY
from app.ingest.batch_body import MOST_EVENTS
from app.ingest.schemas import EVENT_KINDS, EventKind
from app.models import IDEMPOTENCY_WINDOW

_HOURS = int(IDEMPOTENCY_WINDOW.total_seconds() // 3600)
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": f"Makes a retry within {_HOURS} h return the first answer, and no second event.",
    "schema": {"type": "string", "maxLength": MAX_IDEMPOTENCY_KEY},
}
_HEADERS = {
    "Location": {
        "description": "Where to read what becomes of it.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": f"/api/v1/events/{ID}",
    },
    "Idempotent-Replayed": {
        "description": "There where this is the first answer to the same Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
}
_LINK = {
    "event": {
        "operationId": "show_event",
        "parameters": {"id": "$response.body#/event_id"},
        "description": "What became of it.",
    }
}
_ACCEPTED_EXAMPLE = {"event_id": ID, "status": "accepted"}
_BATCH_EXAMPLE: dict[str, Any] = {
    "accepted": 1,
    "refused": 0,
    "events": [{"event_id": ID, "status": 202}],
}
_PARTLY_EXAMPLE = {
    "accepted": 1,
    "refused": 1,
    "events": [*_BATCH_EXAMPLE["events"], make_refusal("validation_failed")],
}


def add_reports(spec: APISpec, prefix: str) -> None:
    for kind in EVENT_KINDS.values():
        spec.path(f"{prefix}/ingest/{kind.name}", operations={"post": _event(kind)})
    spec.path(f"{prefix}/ingest/batch", operations={"post": _batch()})
    _add_pings(spec, prefix)


def _json(schema: str, example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": ref(schema), "example": example}}


def _accepted() -> dict[str, Any]:
    return {
        "description": "On disk, and processed within moments.",
        "headers": _HEADERS,
        "content": _json("Accepted", _ACCEPTED_EXAMPLE),
        "links": _LINK,
    }


def _event(kind: EventKind) -> dict[str, Any]:
    body = _json(schema_name(kind.name), make_example(kind.name))
    return {
        "operationId": kind.name.replace("-", "_"),
        "summary": f"Report a run's {kind.reports}",
        "tags": ["Ingest"],
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": body},
        "responses": {"202": _accepted(), **describe_refusals(OF_EVENTS)},
    }


_OF_A_BATCH = (
    f"Takes at most {MOST_EVENTS} events. All that are accepted are on disk in one commit; each "
    "counts for the key's rate. Where none is, the answer is a refusal that says why of each."
)
_NONE_ACCEPTED = "Also where none of the events was accepted, then with `events`."
_OF_A_WHOLE = ("type", "title", "status", "code")
NONE_ACCEPTED = "none_accepted"
"""The example of that: no code, but several may be in it."""


def _make_none_accepted() -> dict[str, Any]:
    """Two events that are refused for different reasons."""
    events = [make_refusal(code) for code in ("workflow_not_found", "idempotency_key_reused")]
    detail = f"None of the 2 events was accepted. The first: {events[0]['detail']}"
    whole = {name: make_refusal("validation_failed")[name] for name in _OF_A_WHOLE}
    return {**whole, "detail": detail, "accepted": 0, "refused": 2, "events": events}


def _batch() -> dict[str, Any]:
    refusals = describe_refusals(OF_EVENTS)
    none = describe_refusals(OF_EVENTS, "BatchProblem")
    for status in ("400", "403", "404", "422"):
        refusals[status] = none[status]
        refusals[status]["description"] += f"\n\n{_NONE_ACCEPTED}"
    example = {"summary": "None of the events was accepted", "value": _make_none_accepted()}
    refusals["400"]["content"]["application/problem+json"]["examples"][NONE_ACCEPTED] = example
    events = [{"kind": kind, **make_example(kind)} for kind in ("run-success", "run-failure")]
    key = {"description": "Stands for an idempotency_key of each event, by its place."}
    return {
        "operationId": "batch",
        "summary": "Report many runs at once",
        "description": _OF_A_BATCH,
        "tags": ["Ingest"],
        "parameters": [IDEMPOTENCY_KEY | key],
        "requestBody": {"required": True, "content": _json("Batch", {"events": events})},
        "responses": {
            "202": {
                "description": "All of them are on disk.",
                "content": _json("BatchAnswer", _BATCH_EXAMPLE),
            },
            "207": {
                "description": "Some are on disk: see `events`.",
                "content": _json("BatchAnswer", _PARTLY_EXAMPLE),
            },
            **refusals,
        },
    }


_SLUG = in_path("slug", "The workflow's slug or id.", "lead-enrichment")
_SIGNAL = {
    "name": "signal",
    "in": "path",
    "required": True,
    "description": "`start`, `fail`, or the job's exit status: 0 is a success, 1 to 255 a failure.",
    "schema": {"type": "string", "pattern": "^(start|fail|[0-9]{1,3})$"},
    "example": "start",
}
_RID = {
    "name": "rid",
    "in": "query",
    "description": "The run's id: start and end with the same one are one run.",
    "schema": {"type": "string", "maxLength": 255, "pattern": NO_NUL},
}
MESSAGE = {
    "description": "Its first 10 KB become the message.",
    "content": {"text/plain": {"schema": {"type": "string"}, "example": "12 rows copied"}},
}


def _add_pings(spec: APISpec, prefix: str) -> None:
    """HEAD is answered too, as GET without a body; OpenAPI need not say so."""
    for path, name, summary, parameters in (
        ("{slug}", "ping", "Ping: the run succeeded just now", [_SLUG]),
        ("{slug}/{signal}", "ping_signal", "Ping: how the run went", [_SLUG, _SIGNAL]),
    ):
        shared = {
            "summary": summary,
            "tags": ["Pings"],
            "parameters": [*parameters, _RID, IDEMPOTENCY_KEY],
            "responses": {"202": _accepted(), **describe_refusals(OF_PINGS)},
        }
        spec.path(
            f"{prefix}/ping/{path}",
            operations={
                "get": {"operationId": f"{name}_get", **shared},
                "post": {"operationId": name, **shared, "requestBody": MESSAGE},
            },
        )
