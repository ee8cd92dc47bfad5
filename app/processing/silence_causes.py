"""Why a workflow may be silent: the requests that were refused since its last good one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from sqlalchemy import ColumnElement, select, union_all
from sqlalchemy.orm import Session

from app.alerting.words import moment_in_words
from app.models import ApiKey, Event, FormerSlug, User, Workflow, of_state
from app.problems import PROBLEMS

GOOD_LOOKED_AT = 50
"""The newest good events of the workflow, which tell the keys that its senders have."""
MOST_COUNTED = 1_000
"""So many are counted; in each way that a request can belong to the workflow, no more are read."""
WITHOUT_EVENTS = timedelta(days=7)
"""How far back is looked for a workflow of which no good event is kept."""


@dataclass(frozen=True, slots=True)
class SilenceCause:
    """The newest refused request that may be the cause, and how many there were; in plain text.

    `event_id` is the public id under which the console shows the request.
    """

    event_id: str
    code: str
    status: int
    received_at: datetime
    what: str
    reason: str
    count: int

    @property
    def text(self) -> str:
        """`The last request was refused: 401, key n8n-prod, revoked on 4 May 2026, 08:12 UTC.`"""
        return f"{self.what} was refused: {self.status}, {self.reason}."


def explain_silence(
    session: Session, workflow: Workflow, now: datetime, zone: tzinfo = UTC
) -> SilenceCause | None:
    """What may keep the workflow's reports out, as of that moment; times are told in the zone.

    A refused request may be the cause if it names the workflow, also by an old slug, or if it was
    refused before its body was read, with a key that has reported this workflow.
    """
    good = _list_good(session, workflow)
    since = good[0][1] if good else now - WITHOUT_EVENTS
    keys = {key_id for _, _, key_id in good if key_id is not None}
    ids = _find_refused(session, _list_ways(session, workflow, keys), since, now)
    event = session.get(Event, max(ids)) if ids else None
    if event is None:
        return None
    code = event.code or ""
    tell = _REASONS.get(code, _tell_problem)
    return SilenceCause(
        event_id=event.public_id,
        code=code,
        status=event.status,
        received_at=event.received_at,
        what=_tell_which(event),
        reason=tell(session, event, zone),
        count=min(len(ids), MOST_COUNTED),
    )


def _is_known_by_key(event: Event) -> bool:
    """Whether nothing but its key ties it to the workflow; the key may report others too."""
    return event.reference is None and event.workflow_id is None


def _tell_which(event: Event) -> str:
    if _is_known_by_key(event) and event.api_key is not None:
        return f"A request with key {event.api_key.name}, which also reports this workflow,"
    return "The last request"


def _list_ways(
    session: Session, workflow: Workflow, keys: set[int]
) -> Iterator[ColumnElement[bool]]:
    """The ways in which a refused request can belong to the workflow, each with an index."""
    yield Event.workflow_id == workflow.id
    for reference in _list_references(session, workflow):
        yield (Event.workspace_id == workflow.workspace_id) & (Event.reference == reference)
    for key_id in sorted(keys):
        yield (Event.api_key_id == key_id) & Event.reference.is_(None)


def _find_refused(
    session: Session, ways: Iterator[ColumnElement[bool]], since: datetime, until: datetime
) -> set[int]:
    """The ids of the newest in each of these ways; others' requests are not looked at."""
    within = (
        of_state("rejected"),
        Event.received_at > since,
        Event.received_at <= until,
        Event.attempt_of_id.is_(None),
        Event.origin.is_(None),
    )
    newest = (
        select(Event.id)
        .where(way, *within)
        .order_by(Event.received_at.desc())
        .limit(MOST_COUNTED)
        .subquery()
        for way in ways
    )
    return set(session.scalars(union_all(*(select(each.c.id) for each in newest))))


def _list_good(session: Session, workflow: Workflow) -> list[tuple[int, datetime, int | None]]:
    """The newest events that were taken: id, time and key."""
    query = select(Event.id, Event.received_at, Event.api_key_id).where(
        Event.workflow_id == workflow.id, Event.state != "rejected", Event.origin.is_(None)
    )
    rows = session.execute(query.order_by(Event.id.desc()).limit(GOOD_LOOKED_AT))
    return [(event_id, received_at, key_id) for event_id, received_at, key_id in rows]


def _list_references(session: Session, workflow: Workflow) -> list[str]:
    former = select(FormerSlug.slug).where(FormerSlug.workflow_id == workflow.id)
    return [workflow.public_id, workflow.slug, workflow.name, *session.scalars(former)]


def _tell_problem(session: Session, event: Event, zone: tzinfo) -> str:
    """The title of the problem's row, and the field that it is about."""
    problem = PROBLEMS.get(event.code or "")
    title = problem.title if problem else event.code or "refused"
    errors = event.errors or []
    field = f" ({errors[0].get('field')})" if errors else ""
    return f"{title[0].lower()}{title[1:]}{field}"


def _tell_revoked(session: Session, event: Event, zone: tzinfo) -> str:
    key = event.api_key
    if key is None or key.revoked_at is None:
        return _tell_problem(session, event, zone)
    person = session.get(User, key.revoked_by_id) if key.revoked_by_id else None
    by = f" by {person.name or person.email}" if person else ""
    return f"{_name_key(key, event)}revoked on {moment_in_words(key.revoked_at, zone)}{by}"


def _tell_expired(session: Session, event: Event, zone: tzinfo) -> str:
    key = event.api_key
    if key is None or key.expires_at is None:
        return _tell_problem(session, event, zone)
    return f"{_name_key(key, event)}expired on {moment_in_words(key.expires_at, zone)}"


def _name_key(key: ApiKey, event: Event) -> str:
    """Where it has not been named before."""
    return "" if _is_known_by_key(event) else f"key {key.name}, "


_REASONS: dict[str, Callable[[Session, Event, tzinfo], str]] = {
    "revoked_api_key": _tell_revoked,
    "expired_api_key": _tell_expired,
}
