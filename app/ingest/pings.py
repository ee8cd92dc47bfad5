"""Pings: a run is told by an address alone, for cron and whatever else can only call a URL."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from flask import Blueprint, Response, request

from app.address_secrets import mask_addresses
from app.identifiers import is_id
from app.ingest.acceptance import find_first_answer, read_claim, refuse_encoding, take_in
from app.ingest.authentication import require_key
from app.ingest.body import ReadBody
from app.ingest.intake import Intake, open_intake
from app.ingest.records import KnownWorkflow
from app.ingest.routes import answer_accepted
from app.ingest.schemas import EVENT_KINDS, EventKind
from app.ingest.service import IngestService, ingest_service
from app.ingest.timestamps import write_timestamp
from app.problems import ProblemError

MESSAGE_BYTES = 10 * 1024
"""So much of the body becomes the message; of what is longer the rest plays no part."""
MOST_STATUS = 255
START, PING, FAIL = PINGS = "ping-start", "ping", "ping-fail"
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""What colours a terminal (ECMA-48)."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

blueprint = Blueprint("pings", __name__, url_prefix="/api/v1/ping")


@dataclass(frozen=True, slots=True)
class Signal:
    """What the last part of the address says: a kind of ping, the event it is, and a status."""

    kind: str
    event: EventKind
    exit_status: int | None = None


_SIGNALS = {
    "": Signal(PING, EVENT_KINDS["run-success"]),
    "start": Signal(START, EVENT_KINDS["run-start"]),
    "fail": Signal(FAIL, EVENT_KINDS["run-failure"]),
}


def read_signal(text: str) -> Signal:
    """Raises ProblemError `not_found` for what is neither a word nor an exit status."""
    known = _SIGNALS.get(text)
    if known:
        return known
    if text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= MOST_STATUS:
        outcome = _SIGNALS["fail" if int(text) else ""]
        return Signal(outcome.kind, outcome.event, int(text))
    raise ProblemError(
        "not_found",
        "A ping's address ends with the workflow's slug, or behind it /start, /fail or the exit "
        f"status, 0 to {MOST_STATUS}.",
    )


def accept_ping(slug: str, signal: str = "") -> Response:
    """Take one ping in, as if its event had been sent; raises ProblemError where it is refused."""
    service, told = ingest_service(), read_signal(signal)
    intake = open_intake(request.environ, told.kind)
    intake.members = {"workflow_slug": mask_addresses(f"/{slug}")[1:]}
    key = require_key(intake, "ingest", service)
    refuse_encoding(intake)
    raw = intake.read_beginning(MESSAGE_BYTES, service.body_timeout_seconds)
    address = f"{request.path}?{request.query_string.decode('latin-1')}\n".encode()
    said = address + raw[:MESSAGE_BYTES]  # The rest may be there only when it is sent again.
    claim = read_claim(intake, key.workspace_id, told.event.name, said)
    first = find_first_answer(service, claim)
    if first:
        return answer_accepted(first, request.environ, replayed=True)
    field, workflow = _find_workflow(service, intake, key.workspace_id, slug)
    named = slug if workflow else intake.members["workflow_slug"]  # It may be another's secret.
    execution = request.args.get("rid", "") or find_execution(service, intake, told, workflow)
    members = {field: named, **write_members(told, execution, raw, intake.received_at)}
    body = ReadBody(members, [], odd_characters=may_hold_nul(request.query_string))
    answer, is_replayed = take_in(service, intake, told.event, body, claim)
    return answer_accepted(answer, request.environ, replayed=is_replayed)


def may_hold_nul(query: bytes) -> bool:
    return b"%00" in query


def find_execution(
    service: IngestService, intake: Intake, told: Signal, workflow: KnownWorkflow | None
) -> str | None:
    """A start without a run id gets one; an end takes that of a start, if it came just before."""
    if told.kind == START:
        return f"ping-{intake.event_id}"
    last = service.store.find_last_event(workflow.id) if workflow else None
    if last is None or last.kind != START:
        return None
    return str(last.payload.get("external_execution_id") or "") or None


def _find_workflow(
    service: IngestService, intake: Intake, workspace_id: int, reference: str
) -> tuple[str, KnownWorkflow | None]:
    """The field that the reference belongs into, and its workflow; an id will do for a slug."""
    store = service.store
    by_slug = store.find_workflow(workspace_id, "slug", reference)
    by_id = None if by_slug else store.find_workflow(workspace_id, "public_id", reference)
    if by_id:
        return "workflow_id", by_id
    former = (
        None if by_slug else store.find_former_slug(workspace_id, reference, intake.received_at)
    )
    return "workflow_slug", by_slug or (former.workflow if former else None)


def read_report(
    path: str, raw: bytes, event_id: str, at: datetime, workflow_id: str | None = None
) -> tuple[EventKind, bytes]:
    """The report that a stored ping stood for: its kind and its body as JSON. `workflow_id` is its
    workflow's, where that is known: a slug that looks like a secret is not kept.

    Raises ProblemError `not_found` for another address.
    """
    parts = urlsplit(path)
    slug, _, signal = unquote(parts.path.partition("/ping/")[2]).strip("/").partition("/")
    slug = workflow_id if workflow_id and "*" in slug else slug
    told = read_signal(signal)
    execution = parse_qs(parts.query).get("rid", [None])[0]
    if told.kind == START and not execution:
        execution = f"ping-{event_id}"
    field = "workflow_id" if is_id(slug) else "workflow_slug"
    members = {field: slug, **write_members(told, execution, raw, at)}
    return told.event, json.dumps(members, indent=2, ensure_ascii=False).encode()


def write_members(told: Signal, execution: str | None, raw: bytes, at: datetime) -> dict[str, Any]:
    """The body that the ping's event would have had."""
    message, moment = read_message(raw), write_timestamp(at)
    metadata: dict[str, Any] = {}
    if told.exit_status is not None:
        metadata["exit_status"] = told.exit_status
    members: dict[str, Any] = {"external_execution_id": execution}
    members["started_at" if told.kind == START else "ended_at"] = moment
    if told.kind == FAIL:
        status = f"exit status {told.exit_status}" if told.exit_status else None
        members["error_type"] = status
        members["error_message"] = message or (
            f"The job ended with {status}." if status else "The job said that it failed."
        )
    elif message:
        metadata["message"] = message
    return members | ({"metadata": metadata} if metadata else {})


def read_message(raw: bytes) -> str:
    """The body's first 10 KB as text, without colours, control characters, and what is left of a
    character where the end of a longer text was sent."""
    text = raw[:MESSAGE_BYTES].decode("utf-8", "replace").lstrip("\N{REPLACEMENT CHARACTER}")
    if len(raw) >= MESSAGE_BYTES:
        text = text.rstrip("\N{REPLACEMENT CHARACTER}")  # A character may be cut in two.
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text).strip()


for _rule in ("/<slug>", "/<slug>/<signal>"):
    blueprint.add_url_rule(
        _rule,
        endpoint="ping" if _rule == "/<slug>" else "ping_signal",
        view_func=accept_ping,
        methods=["GET", "HEAD", "POST"],
        strict_slashes=False,
        provide_automatic_options=False,
    )
