"""How the reading endpoints are described: a list and one of it, of workflows, events and runs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from apispec import APISpec

from app.api.pages import DEFAULT_LIMIT, MAX_ID, MAX_LIMIT
from app.api.refusals import OF_READING, describe_refusals
from app.api.shapes import ref
from app.api.taken import NO_NUL, TIME_OR_NOTHING
from app.models import OUTCOMES, RUNNING, STATES, STUCK

Parameter = dict[str, Any]


def _query(name: str, description: str, **schema: Any) -> Parameter:
    """An empty one counts as not given."""
    schema = {"type": "string", "pattern": NO_NUL} if not schema else {"type": "string"} | schema
    return {"name": name, "in": "query", "description": description, "schema": schema}


_PAGING = [
    _query(
        "limit",
        f"Rows, 1 to {MAX_LIMIT}; a number outside is taken as the nearest.",
        type=["integer", "string"],
        maxLength=0,
        minimum=-MAX_ID,
        maximum=MAX_ID,
        default=DEFAULT_LIMIT,
    ),
    _query("cursor", "The `next_cursor` of the answer before.", pattern="^[0-9]{0,18}$"),
]
_SPAN = [
    _query("workflow", "A workflow's id or slug."),
    _query("since", "From this time on (ISO 8601).", **TIME_OR_NOTHING),
    _query("until", "Before this time (ISO 8601).", **TIME_OR_NOTHING),
]
_EVENT_FILTERS = [_query("status", "Only these.", enum=[*STATES, ""])]
_RUN_FILTERS = [
    _query(
        "outcome",
        "Only these; of those that run, `stuck` are open for longer than they may.",
        enum=[*OUTCOMES, RUNNING, STUCK, ""],
    ),
    _query("correlation_id", "Only with this correlation id."),
    _query("external_execution_id", "Only with this execution id."),
    _query("error_group", "Only failures with this error."),
    _query("platform", "Only from this source platform."),
]


def add_lists(spec: APISpec, prefix: str) -> None:
    _add_list(spec, f"{prefix}/workflows", "Workflow", [])
    oldest = _oldest("came", "status")
    _add_list(spec, f"{prefix}/events", "Event", [*_EVENT_FILTERS, *_SPAN], oldest)
    oldest = _oldest("was told", "outcome")
    _add_list(spec, f"{prefix}/runs", "Run", [*_RUN_FILTERS, *_SPAN], oldest)


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
    filters: list[Parameter],
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
    nouns = path.rpartition("/")[2]
    listed = _read(f"list_{nouns}", f"List {nouns}, newest first", page, [*filters, *_PAGING])
    spec.path(path, operations={"get": listed})
    identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    one = _read(f"show_{nouns[:-1]}", f"One {name.lower()}", ref(name), [identifier])
    spec.path(f"{path}/{{id}}", operations={"get": one})


def _read(
    operation_id: str, summary: str, schema: dict[str, Any], parameters: list[Parameter]
) -> dict[str, Any]:
    found = {"application/json": {"schema": schema}}
    return {
        "operationId": operation_id,
        "summary": summary,
        "tags": ["Reading"],
        "parameters": parameters,
        "responses": {
            "200": {"description": "As asked.", "content": found},
            **describe_refusals(OF_READING),
        },
    }
