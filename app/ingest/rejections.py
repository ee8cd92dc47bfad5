"""Refused requests are events too: stored within bounds, and counted beyond them."""

import hashlib
import logging
import re
from collections.abc import Mapping
from typing import Any

from app.answers import dump
from app.identifiers import is_id, new_id
from app.ingest.authentication import note_sender, why_ended
from app.ingest.expressions import is_unresolved
from app.ingest.intake import Intake
from app.ingest.packed_bodies import leave_out
from app.ingest.records import NewEvent
from app.ingest.references import REFERENCES
from app.ingest.service import ingest_service
from app.ingest.store import OUTAGES
from app.problems import FieldError, ProblemError, presentable

MAX_IDENTIFIER = 255
PATIENCE_SECONDS = 1.0
"""How long the log waits for the body of a sender with a good key, who is refused otherwise."""
GLANCE_SECONDS = 0.02
"""... and of a sender without one: what has come already, and hardly more."""

_ITEM = re.compile(r"^(/api/v1/(?:events|runs|workflows)/)[^/]+$")
"""The address of one item of the reading API: which one is no cause of its own."""

logger = logging.getLogger(__name__)


def keep_rejection(intake: Intake, problem: ProblemError) -> str | None:
    """As `record_rejection`; a refusal that can't be logged is a refusal all the same, and
    counted."""
    try:
        return record_rejection(intake, problem)
    except OUTAGES as error:  # Told in a line: each request of an outage ends here.
        logger.warning("A refused request could not be recorded: %s", error)
    except Exception:
        logger.exception("A refused request could not be recorded")
    count_rejection(intake, problem)
    return None


def record_rejection(intake: Intake, problem: ProblemError) -> str | None:
    """The event id under which the console will show it, or None where it is only counted."""
    service = ingest_service()
    if problem.code == "unavailable":
        intake.event_id = new_id()  # The first one may be on disk after all.
    had_pass = intake.api_key is not None or note_sender(intake, service)
    if service.limits.may_store_rejected():
        key = intake.api_key if had_pass else None
        is_known = key is not None and why_ended(key, intake) is None
        intake.read_for_log(PATIENCE_SECONDS if is_known else GLANCE_SECONDS)
        if service.recorder.record_later(as_rejected(intake, problem)):
            return intake.event_id
    count_rejection(intake, problem)
    return None


def count_rejection(intake: Intake, problem: ProblemError) -> None:
    """All that is kept of a refused request that is not stored."""
    key = intake.api_key
    ingest_service().limits.count_unstored(key.workspace_id if key else None, problem.code)


def as_rejected(intake: Intake, problem: ProblemError) -> NewEvent:
    """The row for the log of a request that is refused; a packed body is not in it."""
    members = intake.members
    named = _read_reference(members)
    reference = named[1] if named else None
    event = intake.as_event(
        "rejected",
        problem.status,
        workflow_id=_find_workflow_id(intake, named),
        platform=_read_text(members, "source_platform"),
        code=problem.code,
        detail=problem.detail,
        errors=_as_json(problem),
        reference=reference,
        execution_id=_read_link(members, "external_execution_id"),
        correlation_id=_read_link(members, "correlation_id"),
        fingerprint=None if intake.attempt else _fingerprint(intake, problem, reference),
    )
    return leave_out(event, intake.body, intake.environ.get("HTTP_CONTENT_ENCODING"))


def _find_workflow_id(intake: Intake, named: tuple[str, str] | None) -> int | None:
    """The workflow that the request names, where it can be told: its page shows the request too.

    A refusal is logged or counted without it when the database is away.
    """
    if intake.api_key is None or named is None:
        return None
    field, value = named
    try:
        store, workspace_id = ingest_service().store, intake.api_key.workspace_id
        workflow = store.find_workflow(workspace_id, REFERENCES[field], value)
        if workflow is None and is_id(value):  # Sent in the field of a slug or a name.
            workflow = store.find_workflow(workspace_id, "public_id", value)
    except OUTAGES:
        return None
    return workflow.id if workflow else None


def _as_json(problem: ProblemError) -> str | None:
    if not problem.errors:
        return None
    return dump([error.as_dict() for error in problem.errors])


def _read_text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value in (None, "") or isinstance(value, dict | list | bool):
        return None
    return presentable(str(value))[:MAX_IDENTIFIER]


def _read_link(members: Mapping[str, Any], name: str) -> str | None:
    """An id by which this request belongs to others."""
    text = _read_text(members, name)
    return None if text is None or is_unresolved(text) else text


def _read_reference(members: Mapping[str, Any]) -> tuple[str, str] | None:
    """How the request names its workflow: field and text of the reference that would decide."""
    given = ((name, _read_text(members, name)) for name in REFERENCES)
    return next(((name, text) for name, text in given if text), None)


def _fingerprint(intake: Intake, problem: ProblemError, reference: str | None) -> str:
    """The same for all requests that are refused for the same reason: 16 hex digits.

    Code, fields, workflow reference and key make the reason; where no body was read, the path. A
    field that came under a name like its own has another cause than one that did not come.
    """
    fields = sorted(f"{error.field}:{error.code}:{_misspelt(error)}" for error in problem.errors)
    key_id = intake.api_key.id if intake.api_key else None
    where = reference or (
        "" if intake.kind else _ITEM.sub(r"\1", intake.environ.get("PATH_INFO", ""))
    )
    reason = dump([problem.code, fields, where, key_id]).encode()
    return hashlib.blake2b(reason, digest_size=8).hexdigest()


def _misspelt(error: FieldError) -> str:
    """The name under which a missing field came."""
    if error.code != "missing" or not error.received:
        return ""
    return presentable(error.received)[:MAX_IDENTIFIER]
