"""The ingest endpoints: one for each kind of event."""

from typing import Any

from flask import Blueprint, Response, request

from app.answers import JSON, JsonAnswer
from app.ingest.acceptance import find_first_answer, read_claim, refuse_encoding, take_in
from app.ingest.authentication import require_key
from app.ingest.intake import open_intake
from app.ingest.schemas import EVENT_KINDS, EventKind
from app.ingest.service import ingest_service

blueprint = Blueprint("ingest", __name__, url_prefix="/api/v1/ingest")


def accept(kind: EventKind) -> Response:
    """Take one event in; raises ProblemError for the first check that it does not pass."""
    service = ingest_service()
    intake = open_intake(request.environ, kind.name)
    key = require_key(intake, "ingest", service)
    refuse_encoding(intake)
    raw = intake.read_body(service.max_body_bytes, service.body_timeout_seconds)
    claim = read_claim(intake, key.workspace_id, kind, raw)
    first = find_first_answer(service, claim)
    if first:
        return answer_accepted(first, replayed=True)
    answer, is_replayed = take_in(service, intake, kind, raw, claim)
    return answer_accepted(answer, replayed=is_replayed)


def answer_accepted(document: dict[str, Any], *, replayed: bool) -> Response:
    """202, with the address of the event."""
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
