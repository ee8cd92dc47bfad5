"""OpenAPI 3.1, drawn from the schemas that validate, the documents that answer, and the table."""

from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import current_app

from app.api.documents import EventDocument, RunDocument, WorkflowDocument
from app.api.lists import add_lists
from app.api.open_addresses import TAG, add_open_addresses
from app.api.other_monitors import ABOUT as ABOUT_OTHERS
from app.api.other_monitors import TAG as OTHERS
from app.api.other_monitors import add_other_monitors
from app.api.refusals import add_examples
from app.api.reports import add_reports
from app.api.shapes import SHAPES, schema_name
from app.api.taken import NAMED, describe_taken
from app.ingest.batch_fields import OwnSchema
from app.ingest.schemas import EVENT_KINDS, WORKFLOW_REFERENCES

API_VERSION = "1"
_PREFIX = "/api/v1"
_ONE_REFERENCE = {
    "anyOf": [{"required": [name], "properties": {name: NAMED}} for name in WORKFLOW_REFERENCES]
}
ABOUT = (
    "Report that a run succeeded or failed; read what became of it. 202 means that a report is on "
    "disk. A refusal is a problem document (RFC 9457) whose `detail` says what to change. What is "
    "described here is what is taken: the first type of a field is the one to send, and what else "
    "is tolerated is told of in `warnings`."
)
_MOVING = {"description": "The addresses of other monitors", "url": "../../docs/moving.md"}
"""A relative address is relative to the document's own, so that it holds under a path as well."""
_TAGS = (
    {"name": "Ingest", "description": "Reports, one at a time or many."},
    {
        "name": "Pings",
        "description": "Reports by an address alone, for cron and the like. With "
        "FLOWPULSE_COMPATIBILITY the addresses of Healthchecks, Uptime Kuma and Cronitor are "
        "answered too, in their terms, and then described as well: docs/moving.md has them.",
        "externalDocs": _MOVING,
    },
    {"name": "Reading", "description": "What the key's workspace has; needs the scope “read”."},
    {"name": TAG, "description": "Health, figures, badges, documents, and a file to run jobs by."},
)
_OTHERS = {"name": OTHERS, "description": ABOUT_OTHERS, "externalDocs": _MOVING}
_KEY = {
    "type": "apiKey",
    "in": "header",
    "name": "X-API-Key",
    "description": "A key that begins with `fp_`, from the console; counts where both are sent.",
}
_BEARER = {"type": "http", "scheme": "bearer", "description": "The same key."}


def serves_others() -> bool:
    """Whether this server answers the addresses of other monitors."""
    return bool(current_app.config["FLOWPULSE_COMPATIBILITY"])


@cache
def build_document(*, has_others: bool = False) -> dict[str, Any]:
    """The whole document; the same for all, so that it is built once. `has_others`: whether with
    the addresses of other monitors, which are served under a setting."""
    schemas = MarshmallowPlugin()
    spec = APISpec(
        title="FlowPulse",
        version=API_VERSION,
        openapi_version="3.1.0",
        plugins=[schemas],
        info={"description": ABOUT},
        security=[{"apiKey": []}, {"bearer": []}],
        tags=[*_TAGS, *([_OTHERS] if has_others else [])],
    )
    if schemas.converter is not None:
        schemas.converter.add_attribute_function(describe_taken)  # type: ignore[no-untyped-call]
    _add_components(spec)
    add_reports(spec, _PREFIX)
    add_lists(spec, _PREFIX)
    add_open_addresses(spec, _PREFIX)
    if has_others:
        add_other_monitors(spec)
    document: dict[str, Any] = spec.to_dict()
    return document


def _add_components(spec: APISpec) -> None:
    spec.components.security_scheme("apiKey", _KEY)
    spec.components.security_scheme("bearer", _BEARER)
    add_examples(spec)
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
