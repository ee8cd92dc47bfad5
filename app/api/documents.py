"""What the reading API answers: one schema for each thing, from which OpenAPI is drawn too."""

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, fields

from app.redaction import mask_text, mask_value
from app.url_secrets import mask_url_secrets

_ID = "tz4a98xxat96iws9zmbrgj3a"


def _time(description: str, **options: Any) -> fields.Field[Any]:
    return fields.AwareDateTime(
        metadata={"description": description, "example": "2026-01-15T09:31:00+00:00"}, **options
    )


def _text(description: str, example: str, **options: Any) -> fields.Field[Any]:
    """A text; null where it belongs to something that is not (yet) there, such as a run."""
    options = {"dump_default": None, **options} if options.get("allow_none") else options
    return fields.String(metadata={"description": description, "example": example}, **options)


_MASKED = "Passwords, tokens, keys and numbers of cards are masked."


class _Address(fields.String):
    """An address without its secrets."""

    def _serialize(self, value: Any, *arguments: Any, **options: Any) -> str | None:
        return None if value is None else mask_url_secrets(value)


class _FreeText(fields.String):
    """What a sender wrote, without its secrets."""

    def _serialize(self, value: Any, *arguments: Any, **options: Any) -> str | None:
        return None if value is None else mask_text(value)


class _Members(fields.Dict):
    """An object that a sender made, without its secrets."""

    def _serialize(self, value: Any, *arguments: Any, **options: Any) -> Any:
        return mask_value(value)


class _Findings(fields.List[Any]):
    """Errors or warnings, without the secrets among what was received."""

    def _serialize(self, value: Any, *arguments: Any, **options: Any) -> Any:
        return mask_value(value)


def _free_text(description: str, example: str) -> fields.Field[Any]:
    return _FreeText(
        allow_none=True,
        dump_default=None,
        metadata={"description": f"{description} {_MASKED}", "example": example},
    )


class ScheduleDocument(Schema):
    """When a workflow's runs are expected."""

    kind = _text("`interval` or `cron`.", "cron")
    every_seconds = fields.Integer(
        allow_none=True, metadata={"description": "Of an interval.", "example": 900}
    )
    cron_expression = _text("Of a cron schedule.", "0 3 * * *", allow_none=True)
    time_zone = _text("Its zone.", "Europe/Berlin")
    grace_seconds = fields.Integer(
        metadata={"description": "How late a run may be.", "example": 600}
    )
    next_expected_at = _time("When the next run is due.")


class WorkflowDocument(Schema):
    """A workflow of the key's workspace."""

    id = _text("Stable id; what integrations should send.", _ID, attribute="public_id")
    slug = _text("Slug as on the workflow's page.", "lead-enrichment")
    name = _text("Display name.", "Lead enrichment")
    created_at = _time("When it was made.")
    archived_at = _time("Since when it takes no events.", allow_none=True)
    schedule = fields.Nested(
        ScheduleDocument,
        allow_none=True,
        metadata={"description": "When its runs are expected; null without a schedule."},
    )
    silent_since = _time("Since when an expected run has not come.", allow_none=True)


class RunDocument(Schema):
    """One execution of a workflow."""

    id = _text("The run's id.", _ID, attribute="public_id")
    workflow_id = _text("The workflow's id.", _ID, attribute="workflow.public_id")
    workflow_slug = _text("The workflow's slug.", "lead-enrichment", attribute="workflow.slug")
    outcome = _text(
        "`success` or `failure`, as the event with the latest end says; `running` until it ends.",
        "success",
    )
    previous_outcome = _text(
        "What another event of the same execution said.", "failure", allow_none=True
    )
    started_at = _time("When it started.", allow_none=True)
    ended_at = _time("When it ended.", allow_none=True)
    stuck_since = _time("When it had been open for as long as it may.", allow_none=True)
    duration_ms = fields.Float(
        allow_none=True, metadata={"description": "Duration in ms.", "example": 1250.5}
    )
    external_execution_id = _free_text("Id on the source platform.", "4711")
    source_platform = _free_text("Source platform, in lower case.", "n8n")
    source_workflow_id = _free_text("Workflow id there.", "12")
    correlation_id = _free_text("Links related runs.", "order-1")
    error_type = _free_text("Kind of the failure.", "RateLimitError")
    error_message = _free_text("What went wrong.", "429 from the CRM")
    error_group = _text(
        "Alike for failures whose error differs in numbers, ids and quoted values alone.",
        "9f86d081884c7d65",
        allow_none=True,
    )
    metadata = _Members(
        attribute="details",
        allow_none=True,
        metadata={"description": f"What the sender added. {_MASKED}", "example": {"leads": 12}},
    )
    event_count = fields.Integer(metadata={"description": "Events that told of it.", "example": 2})
    created_at = _time("When the first of them was processed.")
    updated_at = _time("When the last of them was.")


class EventDocument(Schema):
    """One request in the log, and what became of it."""

    event_id = _text("The event's id.", _ID, attribute="public_id")
    status = fields.String(
        attribute="state",
        metadata={
            "description": "What became of it.",
            "enum": ["accepted", "processed", "failed", "rejected"],
            "example": "processed",
        },
    )
    run_id = _text("The run that it became.", _ID, attribute="run.public_id", allow_none=True)
    kind = _text("The endpoint's event.", "run-success", allow_none=True)
    workflow_id = _text("The workflow's id.", _ID, attribute="workflow.public_id", allow_none=True)
    workflow_slug = _text(
        "The workflow's slug.", "lead-enrichment", attribute="workflow.slug", allow_none=True
    )
    api_key_name = _text(
        "The key that it came with.", "n8n", attribute="api_key.name", allow_none=True
    )
    received_at = _time("When it came in.")
    processed_at = _time("When it was processed or given up.", allow_none=True)
    method = _text("HTTP method.", "POST")
    path = _Address(
        metadata={
            "description": "Path with query, secrets masked.",
            "example": "/api/v1/ingest/run-success",
        }
    )
    http_status = fields.Integer(
        attribute="status", metadata={"description": "Status of the answer.", "example": 202}
    )
    code = _text("Why it was rejected.", "validation_failed", allow_none=True)
    detail = _free_text("The same in a sentence.", "Send ended_at.")
    errors = _Findings(fields.Dict(), allow_none=True)
    warnings = _Findings(fields.Dict(), allow_none=True)
    attempts = fields.Integer(metadata={"description": "Failed tries to process it.", "example": 0})
    failure = _free_text("The last such failure.", "ValueError: …")


def make_example(schema: Schema, unlike: Sequence[str]) -> dict[str, Any]:
    """One of these, of the examples of its fields; null are what has none, and what is unlike the
    rest."""

    def show(name: str, field: fields.Field[Any]) -> Any:
        if isinstance(field, fields.Nested):
            return make_example(field.schema, unlike)
        return None if name in unlike else field.metadata.get("example")

    return {name: show(name, field) for name, field in schema.fields.items()}


WORKFLOW = WorkflowDocument()
RUN = RunDocument()
EVENT = EventDocument()
