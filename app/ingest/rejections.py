"""Refused requests are events too: stored within bounds, and counted beyond them."""

from app.answers import dump
from app.ingest.authentication import note_sender
from app.ingest.intake import Intake
from app.ingest.service import ingest_service
from app.problems import ProblemError


def record_rejection(intake: Intake, problem: ProblemError) -> str | None:
    """The event id under which the console will show it, or None where it is only counted."""
    service = ingest_service()
    if intake.api_key is None:
        note_sender(intake, service)
    if service.limits.may_store_rejected():
        intake.read_what_has_come()
        event = intake.as_event(
            "rejected",
            problem.status,
            code=problem.code,
            detail=problem.detail,
            errors=_as_json(problem),
        )
        if service.recorder.record_later(event):
            return intake.event_id
    key = intake.api_key
    service.limits.count_unstored(key.workspace_id if key else None, problem.code)
    return None


def _as_json(problem: ProblemError) -> str | None:
    if not problem.errors:
        return None
    return dump([error.as_dict() for error in problem.errors])
