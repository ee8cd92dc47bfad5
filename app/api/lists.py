"""How the reading endpoints are described: a list and one of it, of workflows, events and runs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from apispec import APISpec

from app.api.documents import EVENT, RUN, WORKFLOW, make_example
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


_ROWS = {
    "Workflow": make_example(WORKFLOW, unlike=("archived_at", "silent_since", "every_seconds")),
    "Event": make_example(EVENT, unlike=("code", "detail", "failure")),
    "Run": make_example(RUN, unlike=("previous_outcome", "stuck_since")) | {"outcome": "failure"},
}
"""An example of each: of a workflow, an event or a run as most are."""
_OLDEST_AT = "2025-11-01T00:00:12+00:00"


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
    nouns, row = path.rpartition("/")[2], _ROWS[name]
    names = (f"list_{nouns}", f"List {nouns}, newest first")
    example = {"data": [row], "next_cursor": None, **dict.fromkeys(more, _OLDEST_AT)}
    listed = _read(names, {"schema": page, "example": example}, [*filters, *_PAGING])
    spec.path(path, operations={"get": listed})
    identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    names = (f"show_{nouns[:-1]}", f"One {name.lower()}")
    one = _read(names, {"schema": ref(name), "example": row}, [identifier])
    spec.path(f"{path}/{{id}}", operations={"get": one})


def _read(
    names: tuple[str, str], found: dict[str, Any], parameters: list[Parameter]
) -> dict[str, Any]:
    """`names`: the operation's id, and what it does; `found`: its answer, with an example."""
    return {
        "operationId": names[0],
        "summary": names[1],
        "tags": ["Reading"],
        "parameters": parameters,
        "responses": {
            "200": {"description": "As asked.", "content": {"application/json": found}},
            **describe_refusals(OF_READING),
        },
    }
