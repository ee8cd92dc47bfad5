"""Stored requests run again under today's rules, one or all of a group; no sender is touched."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import joinedload, undefer

from app.answers import dump
from app.clock import now
from app.extensions import db, writing
from app.ingest.attempts import Attempt, Checked, Outcome, check, send
from app.ingest.batch_places import BATCH, find_place
from app.ingest.body import read_object
from app.ingest.foreign_pings import read_foreign_report
from app.ingest.packed_bodies import read_note
from app.ingest.pings import PINGS, read_report
from app.ingest.records import KnownKey
from app.ingest.references import REFERENCES
from app.ingest.schemas import EVENT_KINDS, EventKind
from app.models import ApiKey, Event, User, Workflow, of_state
from app.problems import ProblemError
from app.workspaces.people import RefusedError

STEP = 200
"""Requests of a group that are looked at before somebody is told how far it has come."""
ALL = 2**63 - 1
"""An id that no event has: below it are all of them."""
REPORTING = frozenset((*EVENT_KINDS, *PINGS))
"""The kinds of requests that tell of a run."""
_CHUNK = 50
_READ_TO_THE_END = frozenset(
    {
        "idempotency_key_reused",
        "invalid_json",
        "validation_failed",
        "workflow_archived",
        "workflow_not_allowed",
        "workflow_not_found",
    }
)
"""What is refused so is refused for what its body says, so the whole body had come."""


class Open(NamedTuple):
    """The requests of a group that are refused and unsolved: how many, and the newest one's id."""

    total: int = 0
    newest_id: int = 0


class GroupResult(NamedTuple):
    """What became of a step: accepted now, refused again, not yet looked at; why the last one was
    refused; and the id below which the next step begins."""

    done: int
    refused: int
    left: int
    last_problem: ProblemError | None = None
    before: int = 0


def find_hindrance(event: Event) -> str | None:
    """Why the request can't run again, in a sentence; None if it can. Needs headers and body."""
    if event.state != "rejected":
        return "Only a refused request can be reprocessed."
    if event.workspace_id is None:
        return (
            "It came without an API key that is known here, so no workspace can be told for it. "
            "Put a key that works into the sender, and have it send again."
        )
    if event.kind not in REPORTING:
        return _explain_kind(event)
    if not event.body and event.kind not in PINGS:
        if read_note(event.detail):
            return "Its body came compressed and was not stored: the sender has to send it plainly."
        return "It came without a body."
    if not is_whole(event):
        return "Only a part of its body was kept, so it has to be sent again by the sender."
    return None


def _explain_kind(event: Event) -> str:
    if event.kind == BATCH:
        return "It is a whole batch of events: its sender has to send it again."
    if find_place(event.kind, event.path) is not None:
        return "It says no kind of event that is known; edit it, and choose its kind."
    return "It was not sent to an address that takes events."


def is_whole(event: Event) -> bool:
    """Whether all of the body is stored. Needs headers and body."""
    announced = _find_header(event.headers, "Content-Length")
    if not event.body and _find_header(event.headers, "Transfer-Encoding") is None:
        return announced in (None, "0")
    if event.body_size is None or event.body_size > len(event.body):
        return False
    return announced == str(event.body_size) or event.code in _READ_TO_THE_END


def reprocess(event: Event, user: User, instead: Workflow | None = None) -> Outcome:
    """Run a refused request again in the user's name; twice is once.

    `instead` takes the place of the workflow that the request names. Raises RefusedError where it
    can't be done, and ProblemError `unavailable`.
    """
    hindrance = find_hindrance(event)
    if hindrance:
        raise RefusedError("event", hindrance)
    accepted = _find_accepted(event)
    if accepted:
        return Outcome(accepted, is_repeat=True)
    root_id = root_of(event)
    outcome = send(_as_attempt(event, user.email, instead))
    if outcome.problem is None:
        resolve({root_id})
    return outcome


def root_of(event: Event) -> int:
    """The id of the request that came from the sender; all attempts of it belong together."""
    return event.attempt_of_id or event.id


def preview(event: Event) -> Checked:
    """What would become of a request that nothing hinders, without running it."""
    return check(_as_attempt(event, "", None))


def reprocess_group(
    workspace_ids: Sequence[int | None],
    fingerprint: str,
    user: User,
    before: int = ALL,
    limit: int = STEP,
    instead: Workflow | None = None,
) -> GroupResult:
    """Run `limit` open requests of a group again, the newest with an id below `before` first.

    What would be refused again is only counted: it leaves no further event in the log. Raises
    ProblemError `unavailable`; what was accepted until then stays so.
    """
    sent_by = user.email
    done, refused = 0, 0
    last_problem: ProblemError | None = None
    for events in _list_open(workspace_ids, fingerprint, before, limit):
        accepted: list[int] = []
        before = min(event.id for event in events)
        try:
            for event in events:
                problem = _try_again(event, sent_by, instead)
                if problem is None:
                    accepted.append(root_of(event))
                else:
                    refused, last_problem = refused + 1, problem
        finally:
            resolve(set(accepted))
        done += len(accepted)
    left = find_open(workspace_ids, fingerprint, before).total
    return GroupResult(done, refused, left, last_problem, before)


def find_open(
    workspace_ids: Sequence[int | None], fingerprint: str | None, before: int = ALL
) -> Open:
    """The requests of the group, with ids below `before`, that are still refused and unsolved."""
    if not fingerprint:
        return Open()
    query = select(func.count(Event.id), func.max(Event.id))
    total, newest_id = db.session.execute(
        query.where(*_of_group(workspace_ids, fingerprint, before))
    ).one()
    return Open(total, newest_id or 0)


def resolve(root_ids: set[int]) -> None:
    """Note of refused requests, and of all attempts of them, that one was accepted."""
    if root_ids:
        with writing() as session:
            session.execute(
                update(Event)
                .where(Event.id.in_(root_ids) | Event.attempt_of_id.in_(root_ids))
                .where(Event.state == "rejected")
                .where(Event.resolved_at.is_(None))
                .values(resolved_at=now())
            )


def _try_again(event: Event, sent_by: str, instead: Workflow | None) -> ProblemError | None:
    hindrance = find_hindrance(event)
    if hindrance:
        return ProblemError("bad_request", hindrance)
    attempt = _as_attempt(event, sent_by, instead)
    return check(attempt).problem or send(attempt).problem


def _as_attempt(event: Event, sent_by: str, instead: Workflow | None) -> Attempt:
    headers = [(name, value) for name, value in event.headers]
    kind, body = told_by(event)
    if event.kind in PINGS:
        headers = _as_json(headers)
    if instead:
        body = _rename_workflow(body, _find_header(headers, "Content-Type"), instead)
        headers = _as_json(headers)
    return Attempt(
        origin="reprocess",
        sent_by=sent_by,
        workspace_id=event.workspace_id or 0,
        kind=kind,
        body=body,
        headers=headers,
        api_key=_as_known(event.api_key),
        attempt_of_id=root_of(event),
        idempotency_key=f"reprocess:{root_of(event)}",
    )


def told_by(event: Event) -> tuple[EventKind, bytes]:
    """The kind and body of what a request told: of a ping, of the report that it stood for."""
    if event.kind in PINGS and "/api/v1/ping/" not in event.path:  # As other monitors have it.
        reference = event.reference or ""
        return read_foreign_report(event.path, reference, event.body, event.received_at)
    if event.kind in PINGS:
        known = event.workflow.public_id if event.workflow else None
        return read_report(event.path, event.body, event.public_id, event.received_at, known)
    return EVENT_KINDS[event.kind or ""], event.body


def _as_json(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    others = [pair for pair in headers if pair[0] != "Content-Type"]
    return [*others, ("Content-Type", "application/json")]


def _rename_workflow(raw: bytes, content_type: str | None, workflow: Workflow) -> bytes:
    """The body with the workflow's id in place of whatever named one."""
    try:
        members = read_object(raw, content_type)
    except ProblemError:
        return raw  # It will be refused for that.
    others = {name: value for name, value in members.items() if name not in REFERENCES}
    return json.dumps({"workflow_id": workflow.public_id, **others}).encode()


def _find_header(headers: Iterable[Sequence[str]], name: str) -> str | None:
    return next((value for each, value in headers if each == name), None)


def _as_known(key: ApiKey | None) -> KnownKey | None:
    """The key whose limits hold; that it was revoked meanwhile is no reason against it."""
    if key is None:
        return None
    limits = None if key.workflow_ids is None else dump(key.workflow_ids)
    return KnownKey(key.id, key.workspace_id, key.name, key.scopes, None, None, limits)


def _find_accepted(event: Event) -> str | None:
    """The accepted attempt that came of this request before, if any."""
    query = select(Event.public_id).where(
        Event.attempt_of_id == root_of(event), Event.state != "rejected"
    )
    return db.session.scalar(query.order_by(Event.id).limit(1))


def _of_group(
    workspace_ids: Sequence[int | None], fingerprint: str, before: int
) -> tuple[ColumnElement[bool], ...]:
    return (
        Event.workspace_id.in_([each for each in workspace_ids if each is not None]),
        Event.fingerprint == fingerprint,
        of_state("rejected"),
        Event.resolved_at.is_(None),
        Event.id < before,
    )


def _list_open(
    workspace_ids: Sequence[int | None], fingerprint: str, before: int, limit: int
) -> Iterator[Sequence[Event]]:
    """Chunk by chunk, so that no more than a few bodies are in memory at once."""
    query = select(Event.id).where(*_of_group(workspace_ids, fingerprint, before))
    ids = db.session.scalars(query.order_by(Event.id.desc()).limit(limit)).all()
    for start in range(0, len(ids), _CHUNK):
        chosen = select(Event).where(Event.id.in_(ids[start : start + _CHUNK]))
        yield db.session.scalars(
            chosen.order_by(Event.id.desc()).options(
                undefer(Event.headers), undefer(Event.body), joinedload(Event.api_key)
            )
        ).all()
