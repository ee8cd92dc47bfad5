"""Batches: many events in one request, each judged as if it had come alone, all in one commit."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, request

from app.answers import JSON, PROBLEM_JSON, JsonAnswer
from app.ingest.acceptance import check_headers, prepare, refuse_encoding
from app.ingest.authentication import require_key
from app.ingest.batch_body import BatchBody, read_whole, split
from app.ingest.batch_items import ACCEPTED, Item, in_turns, open_all
from app.ingest.batch_lookups import Workflows, find_first_answers
from app.ingest.batch_places import BATCH
from app.ingest.intake import Intake, open_intake
from app.ingest.recorder import replay
from app.ingest.service import IngestService, ingest_service
from app.ingest.together import Entry
from app.problem_documents import problem_document
from app.problems import ProblemError
from app.request_log import TOLD

MULTI_STATUS = 207

blueprint = Blueprint(BATCH, __name__, url_prefix="/api/v1/ingest")


def accept_batch() -> Response:
    """Take a batch in; raises ProblemError where it is refused as a whole, and nothing is kept."""
    service = ingest_service()
    intake = open_intake(request.environ, BATCH)
    key = require_key(intake, "ingest", service)
    refuse_encoding(intake)
    raw = intake.read_body(service.max_body_bytes, service.body_timeout_seconds)
    batch = _read(service, intake, raw)
    if key.id is not None:
        service.limits.check_batch(key.id, len(batch.texts))
    items = open_all(service, intake, batch)
    _judge(service, intake, items)
    _record(service, items)
    return _answer(items, service.limits.stored_of_batch)


def _read(service: IngestService, intake: Intake, raw: bytes) -> BatchBody:
    whole = read_whole(raw, intake.environ.get("CONTENT_TYPE"), service.max_json_depth)
    intake.members = whole
    errors = check_headers(intake)
    try:
        batch = split(whole, raw, service.max_json_depth)
    except ProblemError as problem:
        raise ProblemError(problem.code, errors=[*problem.errors, *errors]) from None
    if errors:
        raise ProblemError("validation_failed", errors=errors)
    return batch


def _judge(service: IngestService, whole: Intake, items: Sequence[Item]) -> None:
    """Validate each event that can be read; or find what it was answered before."""
    workflows = Workflows(service.store)
    keys = [item.claim.key for item in items if item.claim]
    workspace_id = whole.api_key.workspace_id if whole.api_key else 0
    remembered = find_first_answers(service.store, workspace_id, keys, whole.received_at)
    for item in in_turns(items):
        try:
            first = remembered.get(item.claim.key) if item.claim else None
            if first and item.claim:
                item.answer = replay(first, item.claim.request_hash) or {}
                item.is_replayed = True
            elif item.problem is None:
                _prepare(service, item, workflows)
        except ProblemError as problem:
            item.problem = problem


def _prepare(service: IngestService, item: Item, workflows: Workflows) -> None:
    """Raises ProblemError for what can't be accepted, with what is wrong about kind and key."""
    if item.kind is None or item.body is None:
        raise ProblemError("validation_failed", errors=item.errors)
    try:
        item.answer, item.event, item.claim = prepare(
            service, item.intake, item.kind, item.body, item.claim, workflows
        )
    except ProblemError as problem:
        if not item.errors:
            raise
        errors = problem.errors if problem.code == "validation_failed" else ()
        raise ProblemError("validation_failed", errors=[*errors, *item.errors]) from None
    if item.errors:
        raise ProblemError("validation_failed", errors=item.errors)


def _record(service: IngestService, items: Sequence[Item]) -> None:
    """Put all that are accepted on disk; raises ProblemError `unavailable`, then none is."""
    new = [item for item in items if item.event and item.problem is None]
    if not new:
        return
    remembered = service.batches.record([Entry(i.event, i.claim) for i in new if i.event])
    for place, first in remembered.items():
        item = new[place]
        try:
            item.answer = replay(first, item.claim.request_hash if item.claim else "") or {}
            item.is_replayed = True
        except ProblemError as problem:
            item.problem = problem


def _answer(items: Sequence[Item], most_stored: int) -> Response:
    """202 where all were accepted, 207 where some were, and where none was a refusal.

    Of the refused ones, at most `most_stored` are stored.
    """
    entries, room = [], most_stored
    for item in in_turns(items):
        entries.append(item.describe(may_be_stored=room > 0))
        room -= item.problem is not None
    refused = [item.problem for item in items if item.problem]
    answer = {"accepted": len(items) - len(refused), "refused": len(refused), "events": entries}
    told = request.environ[TOLD] = _list_told(answer)
    if len(refused) == len(items):
        document = _describe_refused(refused)
        told["code"] = document["code"]
        return JsonAnswer(document | answer, document["status"], PROBLEM_JSON, {})
    return JsonAnswer(answer, MULTI_STATUS if refused else ACCEPTED, JSON, {})


def _list_told(answer: dict[str, Any]) -> dict[str, Any]:
    """For the line of the request: how many, and the first and last of the ids in the answer."""
    told = {name: answer[name] for name in ("accepted", "refused")}
    ids = [entry["event_id"] for entry in answer["events"] if "event_id" in entry]
    return told | ({"event_id": ids[0], "last_event_id": ids[-1]} if ids else {})


def _describe_refused(problems: Sequence[ProblemError]) -> dict[str, Any]:
    """With the code and status that all have, or else as a whole that is not valid."""
    count = f"None of the {len(problems)} events was" if len(problems) > 1 else "The event was not"
    begin = "The first: " if len(problems) > 1 else ""
    first = problems[0]
    detail = f"{count} accepted. {begin}{first.detail}"
    if all(problem.code == first.code for problem in problems):
        return problem_document(first.code, first.status, detail, None, None)
    return problem_document("validation_failed", 400, detail, None, None)


blueprint.add_url_rule(
    f"/{BATCH}",
    view_func=accept_batch,
    methods=["POST"],
    strict_slashes=False,
    provide_automatic_options=False,
)
