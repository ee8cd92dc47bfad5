"""The events of one batch: each with its kind, its key and its share of the request."""

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.ingest.acceptance import MAX_IDEMPOTENCY_KEY, make_claim
from app.ingest.batch_body import OWN, BatchBody, encode, leave_out_own, unwrap
from app.ingest.batch_fields import read_kind, read_own_key
from app.ingest.batch_places import write_path
from app.ingest.body import ReadBody, read_object
from app.ingest.intake import Environ, Intake
from app.ingest.records import IdempotentClaim, NewEvent
from app.ingest.rejections import count_rejection, keep_rejection
from app.ingest.schemas import EventKind
from app.ingest.service import IngestService
from app.ingest.stored_headers import (
    MOST_BYTES_IN_BATCH,
    add_idempotency_key,
    write_headers,
)
from app.problem_documents import describe_problem
from app.problems import FieldError, ProblemError

ACCEPTED = 202
_OF_THE_WHOLE = frozenset(
    {
        "CONTENT_LENGTH",
        "HTTP_CONTENT_LENGTH",
        "HTTP_IDEMPOTENCY_KEY",
        "HTTP_TRANSFER_ENCODING",
    }
)
_FIX = 'Send each event as an object in braces: {"kind": "run-success", …}.'
_BUSY_SECONDS = 0.005
"""After so long the other requests of the process have their turn."""

T = TypeVar("T")


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


def open_all(service: IngestService, whole: Intake, batch: BatchBody) -> list[Item]:
    """Each event with its kind and key; all share the headers, which are stored with each."""
    environ = {name: value for name, value in whole.environ.items() if name not in _OF_THE_WHOLE}
    headers = write_headers(environ, MOST_BYTES_IN_BATCH)
    items = []
    for place in in_turns(range(len(batch.texts))):
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
        item.problem = _speak_of_event(problem)
        return
    body.is_of_batch = True
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
        item.claim = make_claim(item.intake, workspace_id, key, item.kind.name, item.intake.body)


def _speak_of_event(problem: ProblemError) -> ProblemError:
    """The refusal of an event that can't be read, in words that fit one of many."""
    (error,) = problem.errors
    message, fix = _about_event(error.message), error.fix
    detail: str | None = _about_event(problem.detail)
    if error.code == "json_not_an_object":
        message, fix, detail = message.replace("one object", "an object"), _FIX, None
    error = FieldError(error.field, error.code, message, fix, error.received)
    return ProblemError(problem.code, detail, [error], position=problem.position)


def _about_event(text: str) -> str:
    return re.sub("^The body ", "The event ", text)


def _open_intake(whole: Intake, environ: Environ, place: int) -> Intake:
    """The intake of one event: it came when the batch came, and is answered with it."""
    intake = Intake({**environ, "RAW_URI": write_path(environ.get("QUERY_STRING"), place)})
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


def in_turns(things: Sequence[T]) -> Iterator[T]:
    """One after the other; a large batch must not keep the process's other requests waiting."""
    since = time.perf_counter()
    for thing in things:
        yield thing
        if time.perf_counter() - since > _BUSY_SECONDS:
            time.sleep(0)
            since = time.perf_counter()
