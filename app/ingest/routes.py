"""The ingest endpoints: one for each kind of event."""

import hashlib
from typing import Any

from flask import Blueprint, Response, request

from app.answers import JSON, JsonAnswer, dump
from app.ingest.authentication import require_key
from app.ingest.body import read_object
from app.ingest.intake import Intake, open_intake
from app.ingest.recorder import replay
from app.ingest.records import IdempotentClaim
from app.ingest.references import find_workflow
from app.ingest.schemas import EVENT_KINDS, EventKind, validate
from app.ingest.service import IngestService, ingest_service
from app.keys import mask_keys
from app.problems import FieldError, ProblemError

MAX_IDEMPOTENCY_KEY = 255

blueprint = Blueprint("ingest", __name__, url_prefix="/api/v1/ingest")


def accept(kind: EventKind) -> Response:
    """Take one event in; raises ProblemError for the first check that it does not pass."""
    service = ingest_service()
    intake = open_intake(request.environ, kind.name)
    key = require_key(intake, "ingest", service)
    _refuse_encoding(intake)
    raw = intake.read_body(service.max_body_bytes, service.body_timeout_seconds)
    claim = _read_claim(intake, key.workspace_id, kind, raw)
    if claim:
        found = service.store.find_answer(claim.workspace_id, claim.key, claim.created_at)
        first = replay(found, claim.request_hash)
        if first:
            return _answer(first, replayed=True)
    return _record(service, intake, kind, raw, claim)


def _record(
    service: IngestService,
    intake: Intake,
    kind: EventKind,
    raw: bytes,
    claim: IdempotentClaim | None,
) -> Response:
    key = intake.api_key
    assert key is not None  # noqa: S101 (require_key saw to it)
    body = read_object(raw, intake.environ.get("CONTENT_TYPE"), service.max_json_depth)
    fields = validate(kind, body, intake.received_at)
    workflow = find_workflow(service.store, key.workspace_id, fields, body.warnings)
    answer: dict[str, Any] = {"event_id": intake.event_id, "status": "accepted"}
    warnings = None
    if body.warnings:
        answer["warnings"] = [warning.as_warning() for warning in body.warnings]
        warnings = dump([warning.as_dict() for warning in body.warnings])
    if claim:
        claim = claim._replace(answer=dump(answer))
    service.recorder.note_use(key.id, intake.received_at)
    event = intake.as_event(
        "accepted", 202, workflow_id=workflow.id, warnings=warnings, payload=mask_keys(dump(fields))
    )
    first = service.recorder.record(event, claim)
    return _answer(first or answer, replayed=first is not None)


def _refuse_encoding(intake: Intake) -> None:
    encoding = intake.environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity"):
        raise ProblemError(
            "unsupported_encoding",
            f"The body is sent with Content-Encoding: {encoding[:40]}. Send it uncompressed.",
        )


def _read_claim(
    intake: Intake, workspace_id: int, kind: EventKind, raw: bytes
) -> IdempotentClaim | None:
    key = intake.environ.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if not key:
        return None
    if len(key) > MAX_IDEMPOTENCY_KEY:
        raise ProblemError("validation_failed", errors=[_key_too_long(key)])
    request_hash = hashlib.sha256(kind.name.encode() + b"\n" + raw).hexdigest()
    return IdempotentClaim(workspace_id, key, request_hash, "", intake.received_at)


def _key_too_long(key: str) -> FieldError:
    return FieldError(
        "Idempotency-Key",
        "too_long",
        f"The Idempotency-Key header has {len(key)} characters; at most 255 are allowed.",
        "Send a shorter one, such as the execution's id.",
        key,
    )


def _answer(document: dict[str, Any], *, replayed: bool) -> Response:
    headers = {"Location": f"/api/v1/events/{document['event_id']}"}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return JsonAnswer(document, 202, JSON, headers)


for _kind in EVENT_KINDS.values():
    blueprint.add_url_rule(
        f"/{_kind.name}",
        endpoint=_kind.name,
        view_func=accept,
        defaults={"kind": _kind},
        methods=["POST"],
        strict_slashes=False,
        provide_automatic_options=False,
    )
