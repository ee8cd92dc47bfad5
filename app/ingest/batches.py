"""Batches: many events in one request, each judged as if it had come alone, all in one commit."""

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Blueprint, Response, request

from app.answers import JSON, PROBLEM_JSON, JsonAnswer
from app.ingest.acceptance import (
    MAX_IDEMPOTENCY_KEY,
    check_headers,
    make_claim,
    prepare,
    refuse_encoding,
)
from app.ingest.authentication import require_key
from app.ingest.batch_body import (
    OWN,
    BatchBody,
    encode,
    leave_out_own,
    read_whole,
    split,
    unwrap,
)
from app.ingest.batch_fields import read_kind, read_own_key
from app.ingest.batch_lookups import Workflows, find_first_answers
from app.ingest.body import ReadBody, read_object
from app.ingest.intake import Environ, Intake, open_intake
from app.ingest.recorder import replay
from app.ingest.records import IdempotentClaim, NewEvent
from app.ingest.rejections import count_rejection, keep_rejection
from app.ingest.schemas import EventKind
from app.ingest.service import IngestService, ingest_service
from app.ingest.stored_headers import (
    MOST_BYTES_IN_BATCH,
    add_idempotency_key,
    write_headers,
)
from app.ingest.together import Entry
from app.problem_documents import describe_problem, problem_document
from app.problems import FieldError, ProblemError

BATCH = "batch"
"""The kind of a request that is refused as a whole; each event of a batch has its own kind."""
PATH = f"/api/v1/ingest/{BATCH}"
ACCEPTED, MULTI_STATUS = 202, 207
_PLACE = re.compile(re.escape(PATH) + r"(?:\?.*)?#/events/(\d{1,3})", re.ASCII)
"""Where an event stood in its batch, as a JSON Pointer (RFC 6901, section 6)."""
_MOST_OF_A_PATH = 1900
_OF_THE_WHOLE = frozenset(
    {
        "CONTENT_LENGTH",
        "HTTP_CONTENT_LENGTH",
        "HTTP_IDEMPOTENCY_KEY",
        "HTTP_TRANSFER_ENCODING",
    }
)
_BUSY_SECONDS = 0.005
"""After so long the other requests of the process have their turn."""

T = TypeVar("T")

blueprint = Blueprint(BATCH, __name__, url_prefix="/api/v1/ingest")


@dataclass(slots=True)
class Item:
    """One event of a batch, and what becomes of it: refused by `problem`, or answered."""

    intake: Intake
    kind: EventKind | None = None
    body: ReadBody | None = None
    claim: IdempotentClaim | None = None
    errors: list[FieldError] = field(default_factory=list)
    problem: ProblemError | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    event: NewEvent | None = None
    is_replayed: bool = False

    def describe(self, *, may_be_stored: bool) -> dict[str, Any]:
        """Its entry in the batch's answer; a refusal is put into the log, or else only counted."""
        if self.problem:
            event_id = None
            if may_be_stored:
                event_id = keep_rejection(self.intake, self.problem)
            else:
                count_rejection(self.intake, self.problem)
            return describe_problem(self.problem, event_id)
        replayed = {"idempotent_replayed": True} if self.is_replayed else {}
        return describe_accepted(self.answer) | replayed


def describe_accepted(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer that the event would have had alone, as an entry of a batch's answer."""
    return {**answer, "status": ACCEPTED}


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
    items = _open_all(service, intake, batch)
    _judge(service, intake, items)
    _record(service, items)
    return _answer(items, service.limits.stored_of_batch)


def find_place(kind: str | None, path: str) -> int | None:
    """The place in its batch of the event that has this kind and path in the log, from 0."""
    found = _PLACE.fullmatch(path) if kind != BATCH else None
    return int(found[1]) if found else None


def sent_alone(kind: str | None, body: bytes) -> tuple[str, bytes]:
    """Path and body of a request for one event of a batch; a batch of one, where it has no kind."""
    return (f"/api/v1/ingest/{kind}", body) if kind else (PATH, b'{"events": [' + body + b"]}")


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


def _open_all(service: IngestService, whole: Intake, batch: BatchBody) -> list[Item]:
    """Each event with its kind and key; all share the headers, which are stored with each."""
    environ = {name: value for name, value in whole.environ.items() if name not in _OF_THE_WHOLE}
    headers = write_headers(environ, MOST_BYTES_IN_BATCH)
    items = []
    for place in _in_turns(range(len(batch.texts))):
        item = Item(_open_intake(whole, environ, place))
        item.intake.headers = headers
        _read_event(service, whole, batch, place, item)
        items.append(item)
    return items


def _read_event(
    service: IngestService, whole: Intake, batch: BatchBody, place: int, item: Item
) -> None:
    """The event at this place, its kind and its key; what they have wrong is noted."""
    text = batch.texts[place]
    item.intake.body = encode(text)
    content_type = whole.environ.get("CONTENT_TYPE")
    try:
        body = read_object(item.intake.body, content_type, service.max_json_depth)
    except ProblemError as problem:
        item.problem = problem
        return
    body.warnings += batch.warnings
    item.body = item.intake.members = body
    item.kind = read_kind(body, item.errors)
    key = read_own_key(body, item.errors) or _derive_key(whole, place)
    if item.kind:
        item.intake.kind = item.kind.name
        item.intake.body = encode(leave_out_own(unwrap(text)))
        for name in OWN:
            body.pop(name, None)
    if item.kind and key and not item.errors:
        item.intake.environ["HTTP_IDEMPOTENCY_KEY"] = key
        item.intake.headers = add_idempotency_key(item.intake.headers or "[]", key)
        workspace_id = whole.api_key.workspace_id if whole.api_key else 0
        item.claim = make_claim(item.intake, workspace_id, key, item.kind, item.intake.body)


def _open_intake(whole: Intake, environ: Environ, place: int) -> Intake:
    """The intake of one event: it came when the batch came, and is answered with it."""
    query = environ.get("QUERY_STRING")
    path = f"{PATH}?{query}" if query else PATH
    intake = Intake({**environ, "RAW_URI": f"{path[:_MOST_OF_A_PATH]}#/events/{place}"})
    intake.started, intake.received_at = whole.started, whole.received_at
    intake.api_key = whole.api_key
    return intake


def _derive_key(whole: Intake, place: int) -> str | None:
    """The Idempotency-Key of a batch stands for one of each event, by its place."""
    key: str = whole.environ.get("HTTP_IDEMPOTENCY_KEY", "").strip()
    if not key:
        return None
    suffix = f"#/events/{place}"
    if len(key) + len(suffix) > MAX_IDEMPOTENCY_KEY:
        key = hashlib.sha256(key.encode()).hexdigest()
    return key + suffix


def _judge(service: IngestService, whole: Intake, items: Sequence[Item]) -> None:
    """Validate each event that can be read; or find what it was answered before."""
    workflows = Workflows(service.store)
    keys = [item.claim.key for item in items if item.claim]
    workspace_id = whole.api_key.workspace_id if whole.api_key else 0
    remembered = find_first_answers(service.store, workspace_id, keys, whole.received_at)
    for item in _in_turns(items):
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
    for item in _in_turns(items):
        entries.append(item.describe(may_be_stored=room > 0))
        room -= item.problem is not None
    refused = [item.problem for item in items if item.problem]
    answer = {"accepted": len(items) - len(refused), "refused": len(refused), "events": entries}
    if len(refused) == len(items):
        document = _describe_refused(refused)
        return JsonAnswer(document | answer, document["status"], PROBLEM_JSON, {})
    return JsonAnswer(answer, MULTI_STATUS if refused else ACCEPTED, JSON, {})


def _describe_refused(problems: Sequence[ProblemError]) -> dict[str, Any]:
    """With the code and status that all have, or else as a whole that is not valid."""
    count = f"None of the {len(problems)} events was" if len(problems) > 1 else "The event was not"
    begin = "The first: " if len(problems) > 1 else ""
    first = problems[0]
    detail = f"{count} accepted. {begin}{first.detail}"
    if all(problem.code == first.code for problem in problems):
        return problem_document(first.code, first.status, detail, None, None)
    return problem_document("validation_failed", 400, detail, None, None)


def _in_turns(things: Sequence[T]) -> Iterator[T]:
    """One after the other; a large batch must not keep the process's other requests waiting."""
    since = time.perf_counter()
    for thing in things:
        yield thing
        if time.perf_counter() - since > _BUSY_SECONDS:
            time.sleep(0)
            since = time.perf_counter()


blueprint.add_url_rule(
    f"/{BATCH}",
    view_func=accept_batch,
    methods=["POST"],
    strict_slashes=False,
    provide_automatic_options=False,
)
