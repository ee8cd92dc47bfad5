"""The ingest endpoints: one for each kind of event."""

from functools import partial
from typing import Any

from flask import Blueprint, request

from app.answers import JSON, JsonAnswer
from app.flask_app import Environ, FlowPulse
from app.ingest.acceptance import read_claim, refuse_encoding, take_in
from app.ingest.authentication import require_key
from app.ingest.intake import open_intake
from app.ingest.schemas import EVENT_KINDS, EventKind
from app.ingest.service import IngestService, ingest_service
from app.request_log import TOLD

blueprint = Blueprint("ingest", __name__, url_prefix="/api/v1/ingest")


def accept(service: IngestService, kind: EventKind, environ: Environ) -> JsonAnswer:
    """Take one event in; raises ProblemError for the first check that it does not pass."""
    intake = open_intake(environ, kind.name)
    key = require_key(intake, "ingest", service)
    refuse_encoding(intake)
    raw = intake.read_body(service.max_body_bytes, service.body_timeout_seconds)
    claim = read_claim(intake, key.workspace_id, kind.name, raw)
    answer, is_replayed = take_in(service, intake, kind, raw, claim)
    return answer_accepted(answer, environ, replayed=is_replayed)


def answer_accepted(document: dict[str, Any], environ: Environ, *, replayed: bool) -> JsonAnswer:
    """202, with the address of the event."""
    event_id = document["event_id"]
    environ[TOLD] = {"event_id": event_id}
    headers = {"Location": f"{environ.get('SCRIPT_NAME', '')}/api/v1/events/{event_id}"}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return JsonAnswer(document, 202, JSON, headers)


def init_ingest_routes(app: FlowPulse) -> None:
    """Each kind of event has its address: taken directly and, as it may be written too, by rule."""
    service = app.extensions["flowpulse_ingest"]
    for kind in EVENT_KINDS.values():
        app.direct[f"{blueprint.url_prefix}/{kind.name}"] = partial(accept, service, kind)
    app.register_blueprint(blueprint)


def _accept_by_rule(kind: EventKind) -> JsonAnswer:
    return accept(ingest_service(), kind, request.environ)


for _kind in EVENT_KINDS.values():
    blueprint.add_url_rule(
        f"/{_kind.name}",
        endpoint=_kind.name,
        view_func=_accept_by_rule,
        defaults={"kind": _kind},
        methods=["POST"],
        strict_slashes=False,
        provide_automatic_options=False,
    )
