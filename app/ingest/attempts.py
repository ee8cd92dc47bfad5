"""Requests that a person sends in the console: tests, corrected bodies, and what is run again.

They take the same road as a sender's, from the body on, and are events in the log like all others,
marked with who sent them and what they are a further attempt of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.ingest.acceptance import (
    make_claim,
    read_claim,
    read_event,
    refuse_encoding,
    take_in,
)
from app.ingest.authentication import identify, read_credential, require_live, require_scope
from app.ingest.intake import Environ, Intake
from app.ingest.records import KnownKey, KnownWorkflow
from app.ingest.references import Directory
from app.ingest.rejections import as_rejected
from app.ingest.schemas import EventKind
from app.ingest.service import ingest_service
from app.problems import FieldError, ProblemError

_NOT_PASSED_ON = frozenset({"CONTENT-LENGTH", "TRANSFER-ENCODING"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request to be sent in a person's name.

    `origin` is one of ORIGINS, `sent_by` the person's e-mail address. The person answers for it: no
    key is needed; `api_key` is whose limits hold and under whose name it is logged, if any. With
    `checks_key`, that key is checked as a sender's would be or, without it, one among the headers.

    A test may suppose what this workspace gives no occasion for: `workflows` are where it looks
    them up, and `refused` is what the server refuses before it reads so far, such as a wrong
    `method` or `path`.
    """

    origin: str
    sent_by: str
    workspace_id: int
    kind: EventKind
    body: bytes
    headers: Sequence[tuple[str, str]] = ()
    api_key: KnownKey | None = None
    attempt_of_id: int | None = None
    idempotency_key: str | None = None
    checks_key: bool = False
    workflows: Directory | None = None
    refused: ProblemError | None = None
    method: str = "POST"
    path: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The event that an attempt made; `problem` says why it was refused, if it was.

    `is_repeat`: it had been accepted before under the same Idempotency-Key, as `event_id`.
    """

    event_id: str
    problem: ProblemError | None = None
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What would become of an attempt: refused by `problem`, or taken with these warnings."""

    problem: ProblemError | None = None
    warnings: tuple[FieldError, ...] = ()
    workflow: KnownWorkflow | None = None


def check(attempt: Attempt) -> Checked:
    """Validate it as `send` would, without leaving anything behind."""
    service, intake = ingest_service(), _open_intake(attempt)
    try:
        _refuse_unreadable(attempt, intake)
        body, _, workflow = read_event(service, intake, attempt.kind, attempt.body)
    except ProblemError as problem:
        warnings = getattr(intake.members, "warnings", ())
        return Checked(problem, tuple(warnings))
    return Checked(None, tuple(body.warnings), workflow)


def send(attempt: Attempt) -> Outcome:
    """Send it and return once its event, accepted or refused, is on disk.

    Raises ProblemError `unavailable` where the database can't be written.
    """
    service, intake = ingest_service(), _open_intake(attempt)
    try:
        if attempt.refused:
            raise attempt.refused
        if attempt.checks_key:
            _check_key(attempt, intake)
        return _accept(attempt, intake)
    except ProblemError as problem:
        if problem.code == "unavailable":
            raise
        service.recorder.record(as_rejected(intake, problem))
        return Outcome(intake.event_id, problem)


def _check_key(attempt: Attempt, intake: Intake) -> None:
    """Raises ProblemError for what a sender with this key would be refused for."""
    key = attempt.api_key
    if key is None:
        identify(Intake(intake.environ), read_credential(intake), ingest_service())
        return
    require_live(key, intake)
    require_scope(key, "ingest")


def _accept(attempt: Attempt, intake: Intake) -> Outcome:
    service = ingest_service()
    _refuse_unreadable(attempt, intake)
    kind, raw, workspace_id = attempt.kind, attempt.body, attempt.workspace_id
    claim = read_claim(intake, workspace_id, kind.name, raw)
    if claim is None and attempt.idempotency_key:
        claim = make_claim(intake, workspace_id, attempt.idempotency_key, kind.name, raw)
    answer, is_repeat = take_in(service, intake, kind, raw, claim, attempt.workflows)
    return Outcome(answer["event_id"], is_repeat=is_repeat)


def _open_intake(attempt: Attempt) -> Intake:
    intake = Intake(_environ_of(attempt), None if attempt.path else attempt.kind.name)
    intake.body = attempt.body
    intake.attempt = attempt
    intake.api_key = attempt.api_key or _nobodys_key(attempt.workspace_id)
    return intake


def _refuse_unreadable(attempt: Attempt, intake: Intake) -> None:
    refuse_encoding(intake)
    if len(attempt.body) > ingest_service().max_body_bytes:
        raise ProblemError("body_too_large")


def _nobodys_key(workspace_id: int) -> KnownKey:
    return KnownKey(None, workspace_id, "", "ingest", None, None, None)


def _environ_of(attempt: Attempt) -> Environ:
    """What a request with these headers and this body would have come with."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": attempt.method,
        "PATH_INFO": attempt.path or f"/api/v1/ingest/{attempt.kind.name}",
        "REMOTE_ADDR": "",
        "CONTENT_LENGTH": str(len(attempt.body)),
    }
    for name, value in attempt.headers:
        if name.upper() not in _NOT_PASSED_ON:
            variable = name.upper().replace("-", "_")
            prefix = "" if variable == "CONTENT_TYPE" else "HTTP_"
            environ[prefix + variable] = value
    return environ
