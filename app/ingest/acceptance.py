"""From a body that has come to an event on disk: what requests and attempts have in common."""

import hashlib
from typing import Any

from app.address_secrets import mask_addresses
from app.answers import dump
from app.disguised_keys import mask_all_keys
from app.ingest.body import ReadBody, read_object
from app.ingest.intake import Intake
from app.ingest.packed_bodies import is_declared
from app.ingest.recorder import replay
from app.ingest.records import IdempotentClaim, KnownWorkflow, NewEvent
from app.ingest.references import Directory, find_workflow, list_mismatches, require_allowed
from app.ingest.schemas import EventKind, validate
from app.ingest.service import IngestService
from app.keys import mask_keys, mask_whole_keys
from app.problems import FieldError, ProblemError

MAX_IDEMPOTENCY_KEY = 255
_FREE_TEXTS = ("error_message", "error_type", "metadata")


def refuse_encoding(intake: Intake) -> None:
    """Raises `unsupported_encoding` for a body that is said to be packed."""
    encoding = intake.environ.get("HTTP_CONTENT_ENCODING")
    if encoding and is_declared(encoding):
        said = encoding.strip().lower()[:40]
        raise ProblemError(
            "unsupported_encoding",
            f"The body is sent with Content-Encoding: {said}. Send it uncompressed.",
        )


def read_claim(intake: Intake, workspace_id: int, kind: str, raw: bytes) -> IdempotentClaim | None:
    """The Idempotency-Key of the request, if it has a good one."""
    key = intake.environ.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if not key or len(key) > MAX_IDEMPOTENCY_KEY:
        return None
    return make_claim(intake, workspace_id, key, kind, raw)


def make_claim(
    intake: Intake, workspace_id: int, key: str, kind: str, raw: bytes
) -> IdempotentClaim:
    """A claim whose answer is yet to come."""
    request_hash = hashlib.sha256(kind.encode() + b"\n" + raw).hexdigest()
    if mask_all_keys(key) != key:  # It must not be stored, and tells requests apart all the same.
        key = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    return IdempotentClaim(workspace_id, key, request_hash, "", intake.received_at)


def find_first_answer(
    service: IngestService, claim: IdempotentClaim | None
) -> dict[str, Any] | None:
    """The answer that the same request was given before. Raises `idempotency_key_reused`."""
    if claim is None:
        return None
    found = service.store.find_answer(claim.workspace_id, claim.key, claim.created_at)
    return replay(found, claim.request_hash)


def check_headers(intake: Intake) -> list[FieldError]:
    """What is wrong with the headers that belong to the event."""
    key = intake.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None or len(key.strip()) <= MAX_IDEMPOTENCY_KEY:
        return []
    message = (
        f"The Idempotency-Key header has {len(key.strip())} characters; at most 255 are allowed."
    )
    fix = "Send a shorter one, such as the execution's id."
    return [FieldError("Idempotency-Key", "too_long", message, fix, key)]


def _is_batch(kind: EventKind, body: ReadBody) -> bool:
    """Whether it holds a list of events, and nothing of an event beside it."""
    events = body.get("events")
    is_list = isinstance(events, list) or (isinstance(events, str) and events.lstrip()[:1] == "[")
    return is_list and not body.is_of_batch and body.keys().isdisjoint(kind.fields)


def _validate(
    workflows: Directory, intake: Intake, kind: EventKind, body: ReadBody, workspace_id: int
) -> dict[str, Any]:
    """The fields; raises `validation_failed` with all that is wrong in body and headers."""
    in_headers = check_headers(intake)
    in_body: tuple[FieldError, ...] = ()
    try:
        fields = validate(kind, body, intake.received_at)
    except ProblemError as problem:
        in_body = problem.errors
    if in_body and _is_batch(kind, body):
        error = FieldError("events", "batch_sent_alone", "The body is a batch, not one event.")
        detail = f"{error.message} {error.fix}"
        raise ProblemError("validation_failed", detail, [error, *in_headers])
    if in_body or in_headers:
        told = {error.field for error in in_body}
        mismatches = list_mismatches(workflows, workspace_id, body)
        more = [error for error in mismatches if error.field not in told]
        raise ProblemError("validation_failed", errors=[*more, *in_body, *in_headers])
    return fields


def read_event(
    service: IngestService,
    intake: Intake,
    kind: EventKind,
    raw: bytes | ReadBody,
    workflows: Directory | None = None,
) -> tuple[ReadBody, dict[str, Any], KnownWorkflow]:
    """The body, its fields as they are stored, and the workflow; raises ProblemError.

    `workflows`: where they are looked up, if not in the store.
    """
    key, workflows = intake.api_key, workflows or service.store
    assert key is not None  # noqa: S101 (whoever calls saw to it)
    content_type = intake.environ.get("CONTENT_TYPE")
    if isinstance(raw, bytes):
        raw = read_object(raw, content_type, service.max_json_depth)
    body = intake.members = raw
    fields = _validate(workflows, intake, kind, body, key.workspace_id)
    workflow = find_workflow(workflows, key.workspace_id, fields, body.warnings)
    require_allowed(key, workflow, fields)
    return body, fields, workflow


def take_in(
    service: IngestService,
    intake: Intake,
    kind: EventKind,
    raw: bytes | ReadBody,
    claim: IdempotentClaim | None,
    workflows: Directory | None = None,
) -> tuple[dict[str, Any], bool]:
    """Validate the body and put the event on disk.

    Returns the answer, and whether it is the first answer to the same Idempotency-Key: what was
    accepted once is so whatever has become of its workflow since. Raises ProblemError for what
    can't be accepted.
    """
    try:
        answer, event, claim = prepare(service, intake, kind, raw, claim, workflows)
        first = service.recorder.record(event, claim)
    except ProblemError as problem:
        # To look before would cost every request with a key a tenth more.
        first = None if problem.code == "unavailable" else find_first_answer(service, claim)
        if first is None:
            raise
    return (answer if first is None else first), first is not None


def prepare(
    service: IngestService,
    intake: Intake,
    kind: EventKind,
    raw: bytes | ReadBody,
    claim: IdempotentClaim | None,
    workflows: Directory | None = None,
) -> tuple[dict[str, Any], NewEvent, IdempotentClaim | None]:
    """Validate the body; the answer, the event and the claim, to be put on disk together.

    Raises ProblemError for what can't be accepted.
    """
    body, fields, workflow = read_event(service, intake, kind, raw, workflows)
    answer: dict[str, Any] = {"event_id": intake.event_id, "status": "accepted"}
    warnings = None
    if body.warnings:
        answer["warnings"] = [warning.as_warning() for warning in body.warnings]
        warnings = dump([warning.as_dict() for warning in body.warnings])
    if claim:
        claim = claim._replace(answer=dump(answer))
    event = intake.as_event(
        "accepted",
        intake.accepted_status,
        workflow_id=workflow.id,
        platform=fields.get("source_platform"),
        warnings=warnings,
        payload=_write_payload(fields),
    )
    return answer, event, claim


def _write_payload(fields: dict[str, Any]) -> str:
    """The fields as JSON without any key; what tells executions apart is never altered on a mere
    likeness."""
    payload = dump(fields)
    if "fp_" not in payload and mask_addresses(payload) == payload:
        return payload
    texts = {
        name: mask_addresses(mask_keys(dump(fields[name])))
        for name in _FREE_TEXTS
        if name in fields
    }
    others = {name: value for name, value in fields.items() if name not in texts}
    members = [mask_whole_keys(dump(others))[1:-1], *(f'"{n}":{t}' for n, t in texts.items())]
    return "{" + ",".join(filter(None, members)) + "}"
