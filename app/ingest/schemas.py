"""The fields of each kind of event: the one description that validates and documents them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from marshmallow import EXCLUDE, Schema

from app.ingest.body import ReadBody
from app.ingest.field_names import describe_missing, warn_of_unknown
from app.ingest.fields import (
    LARGEST_DURATION,
    AtMost,
    AtMostSeen,
    Duration,
    FreeText,
    Identifier,
    Link,
    Message,
    Metadata,
    Platform,
    Refusal,
    Timestamp,
    Within,
    WorkflowReference,
    show_value,
)
from app.ingest.timestamps import show_timestamp, write_timestamp
from app.problems import FieldError, ProblemError

WORKFLOW_REFERENCES = ("workflow_id", "workflow_slug", "workflow_name")
"""At least one of these is needed; the first of them decides."""
_REFERENCES = frozenset(WORKFLOW_REFERENCES)
FUTURE_ALLOWED = timedelta(hours=24)
FUTURE_UNNOTICED = timedelta(minutes=5)
"""Clocks are seldom further apart; an end that lies further ahead is told of in a warning."""
_MILLISECOND = timedelta(milliseconds=1)
_DISAGREEMENT_MS, _DISAGREEMENT_SHARE = 1000, 0.1


def _describe(description: str, example: object) -> dict[str, Any]:
    return {"description": description, "example": example}


class RunSuccessSchema(Schema):
    """A run that succeeded."""

    class Meta:
        unknown = EXCLUDE

    workflow_id = WorkflowReference(
        metadata=_describe(
            "FlowPulse workflow ID. Preferred: it survives renames.", "k3v9x1m8q2c7t5b0z4n6w8ya"
        ),
    )
    workflow_slug = WorkflowReference(
        metadata=_describe("Workflow slug from the workflow page.", "lead-enrichment"),
    )
    workflow_name = WorkflowReference(
        metadata=_describe("Exact workflow name; names can change.", "Lead enrichment"),
    )
    ended_at = Timestamp(
        required=True,
        metadata=_describe(
            "When the run completed: ISO 8601 date and time. Without an offset it is UTC.",
            "2026-01-15T09:31:00Z",
        ),
    )
    started_at = Timestamp(
        metadata=_describe("When the run started; not after ended_at.", "2026-01-15T09:30:55Z"),
    )
    duration_ms = Duration(
        validate=Within(min=0, max=LARGEST_DURATION),
        metadata=_describe(
            "Duration in milliseconds. If omitted, derived from started_at and ended_at.", 5000
        ),
    )
    external_execution_id = Link(
        validate=AtMost(max=255),
        metadata=_describe(
            "ID of the execution in the source platform. Another event with the same one updates "
            "that run instead of making a second.",
            "231",
        ),
    )
    source_platform = Platform(
        validate=AtMostSeen(max=64),
        metadata=_describe("Platform that ran it; kept in lower case.", "n8n"),
    )
    source_workflow_id = Identifier(
        validate=AtMost(max=255),
        metadata=_describe("Workflow ID in the source platform.", "8HkQ2mVx"),
    )
    correlation_id = Link(
        validate=AtMost(max=255), metadata=_describe("Links related runs.", "order-7781")
    )
    metadata = Metadata(
        metadata=_describe("Any JSON object, for extra context.", {"customer": "acme", "leads": 12})
    )


class RunFailureSchema(RunSuccessSchema):
    """A run that failed."""

    error_message = Message(
        required=True,
        metadata=_describe(
            "What went wrong, for people; kept whole.", "HTTP Request: connection refused"
        ),
    )
    error_type = FreeText(
        validate=AtMost(max=255), metadata=_describe("Kind of error.", "RateLimitError")
    )


class RunStartSchema(RunSuccessSchema):
    """A run that has started; the event of its end has the same execution id, and closes it."""

    class Meta(RunSuccessSchema.Meta):
        exclude = ("ended_at", "duration_ms")

    started_at = Timestamp(
        required=True,
        metadata=_describe(
            "When the run started: ISO 8601 date and time. Without an offset it is UTC.",
            "2026-01-15T09:30:55Z",
        ),
    )
    external_execution_id = Link(
        required=True,
        validate=AtMost(max=255),
        metadata=_describe(
            "ID of the execution in the source platform. Send the same one with the event of the "
            "run's end: without it nobody could tell which run has ended.",
            "231",
        ),
    )


@dataclass(frozen=True)
class EventKind:
    """A kind of event: the last part of its path, its fields, and what it reports of a run."""

    name: str
    schema: Schema
    reports: str
    when: str
    """When a field that only this kind knows is to be sent here."""

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of all fields, in their order."""
        return tuple(self.schema.load_fields)


EVENT_KINDS = {
    kind.name: kind
    for kind in (
        EventKind("run-success", RunSuccessSchema(), "success", "once the run has ended"),
        EventKind("run-failure", RunFailureSchema(), "failure", "if the run failed"),
        EventKind("run-start", RunStartSchema(), "start", "when the run starts"),
    )
}


def _tell_elsewhere(how: str) -> dict[str, str]:
    return {
        name: f"{other.when}, {how} {other.name}"
        for other in reversed(EVENT_KINDS.values())
        for name in other.schema.load_fields
    }


_ELSEWHERE = _tell_elsewhere("send it to")
_OTHER_KIND = _tell_elsewhere("set kind to")
"""Of an event in a batch."""


def validate(kind: EventKind, body: ReadBody, now: datetime) -> dict[str, Any]:
    """The given fields of an event, in the form in which they are stored.

    Times become texts such as `2026-01-15T09:31:00.123456Z`; what is not given is left out;
    warnings are added to `body.warnings`. Raises ProblemError `validation_failed`, with the errors
    of all fields at once, in the order of the schema.
    """
    known = kind.fields
    values, errors = _read(kind.schema, body, known)
    _check_times(values, errors, body, now)
    _warn_of_future(values.get("ended_at"), body, now)
    if not body.keys() <= kind.schema.load_fields.keys():
        warn_of_unknown(body, known, _OTHER_KIND if body.is_of_batch else _ELSEWHERE)
    if errors:
        raise ProblemError(
            "validation_failed", errors=[errors[name] for name in known if name in errors]
        )
    _settle_duration(values, body)
    for name in ("ended_at", "started_at"):
        if name in values:
            values[name] = write_timestamp(values[name])
    return values


def _read(
    schema: Schema, body: ReadBody, known: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, FieldError]]:
    """What `Schema.load` does, several times as fast and with our own errors."""
    values: dict[str, Any] = {}
    errors: dict[str, FieldError] = {}
    for name, field in schema.load_fields.items():
        value = body.get(name)
        if value is not None and value != "":
            try:
                value = field.deserialize(value, name, body)
            except Refusal as refusal:
                errors[name] = refusal.error
            else:
                if value != "":
                    values[name] = value
        elif field.required:
            errors[name] = describe_missing((name,), body, known)
    if _REFERENCES.isdisjoint(values) and _REFERENCES.isdisjoint(errors):
        errors[WORKFLOW_REFERENCES[0]] = describe_missing(WORKFLOW_REFERENCES, body, known)
    return values, errors


def _check_times(
    values: dict[str, Any], errors: dict[str, FieldError], body: ReadBody, now: datetime
) -> None:
    ended_at, started_at = values.get("ended_at"), values.get("started_at")
    if ended_at and started_at and started_at > ended_at:
        message = (
            f"started_at is {show_timestamp(started_at)}, after ended_at, "
            f"{show_timestamp(ended_at)}."
        )
        received = show_value(body["started_at"])
        errors["started_at"] = FieldError(
            "started_at", "after_ended_at", message, received=received
        )
    for name, at in (("ended_at", ended_at), ("started_at", started_at)):
        if at and at - now > FUTURE_ALLOWED and name not in errors:
            message = (
                f"{name} is {show_timestamp(at)}, more than 24 hours ahead of the server's clock, "
                f"{show_timestamp(now)}."
            )
            received = show_value(body[name])
            errors[name] = FieldError(name, "in_the_future", message, received=received)


def _warn_of_future(ended_at: datetime | None, body: ReadBody, now: datetime) -> None:
    if ended_at and FUTURE_UNNOTICED < ended_at - now <= FUTURE_ALLOWED:
        message = (
            f"ended_at is {show_timestamp(ended_at)}, ahead of the server's clock, "
            f"{show_timestamp(now)}."
        )
        received = show_value(body["ended_at"])
        body.warnings.append(
            FieldError("ended_at", "ended_in_the_future", message, received=received)
        )


def _settle_duration(values: dict[str, Any], body: ReadBody) -> None:
    """Derives the duration, or warns where it is more than 1 s and 10 % off the two times."""
    if not {"started_at", "ended_at"} <= values.keys():
        return
    derived = (values["ended_at"] - values["started_at"]) / _MILLISECOND
    given = values.setdefault("duration_ms", int(derived) if derived.is_integer() else derived)
    if abs(given - derived) > max(_DISAGREEMENT_MS, _DISAGREEMENT_SHARE * derived):
        message = f"duration_ms is {given}, but the two times are {derived:.0f} ms apart."
        received = show_value(body["duration_ms"])
        body.warnings.append(
            FieldError("duration_ms", "duration_disagrees", message, received=received)
        )
