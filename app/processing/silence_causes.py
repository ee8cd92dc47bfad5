"""Why a workflow may be silent: the requests that were refused since its last good one."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from sqlalchemy import ColumnElement, select, union_all
from sqlalchemy.orm import Session

from app.alerting.words import moment_in_words
from app.models import ApiKey, Event, FormerSlug, Run, User, Workflow, is_open, of_state
from app.problems import PROBLEMS

GOOD_LOOKED_AT = 50
"""The newest good events of the workflow, which tell the keys that its senders have."""
MOST_COUNTED = 1_000
"""So many are counted; in each way that a request can belong to the workflow, no more are read."""
WITHOUT_EVENTS = timedelta(days=7)
"""How far back is looked for a workflow of which no good event is kept."""

_NOBODYS = frozenset({"missing_api_key", "malformed_api_key", "unknown_api_key", "unknown_address"})
_OF_NOBODY = Event.api_key_id.is_(None) & Event.workspace_id.is_(None) & Event.reference.is_(None)
"""Along the index over the keys of refused requests."""


@dataclass(frozen=True, slots=True)
class SilenceCause:
    """The newest refused request that may be the cause, and how many there were; in plain text.

    `event_id` is the public id under which the console shows the request; empty where it is a
    supposition alone.
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
    refused before its body was read, with a key that has reported this workflow. Where there is
    none, one with nobody's key may be, if it came from a sender of this workflow.
    """
    good = _list_good(session, workflow)
    since = good[0].received_at if good else now - WITHOUT_EVENTS
    keys = {each.api_key_id for each in good if each.api_key_id is not None}
    ids = _find_refused(session, _list_ways(session, workflow, keys), since, now)
    event = session.get(Event, max(ids)) if ids else None
    if event is None:
        senders = {each.sender for each in good if each.remote_addr}
        ways = _list_ways_of_nobody(session, workflow)
        return _suppose(session, ways, senders, since, now, zone) if senders else None
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


def _list_ways_of_nobody(session: Session, workflow: Workflow) -> Iterator[ColumnElement[bool]]:
    """The same for requests of which nobody knows whose they are; only a ping names its workflow
    where nothing but the headers is read."""
    is_nobodys = Event.workspace_id.is_(None)
    yield is_nobodys & Event.api_key_id.is_(None) & Event.reference.is_(None)
    for reference in _list_references(session, workflow):
        yield is_nobodys & (Event.reference == reference)


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


class Good(NamedTuple):
    """An event of the workflow that was taken."""

    received_at: datetime
    api_key_id: int | None
    remote_addr: str | None
    user_agent: str | None

    @property
    def sender(self) -> tuple[str | None, str | None]:
        return self.remote_addr, self.user_agent


def _list_good(session: Session, workflow: Workflow) -> list[Good]:
    """The newest of them, by the runs that they became: no index leads to a workflow's last events
    where it has been silent for long."""
    mine = select(Run.decided_by_event_id).where(Run.workflow_id == workflow.id)
    ended = mine.where(Run.ended_at.is_not(None)).order_by(Run.ended_at.desc())
    begun = mine.where(is_open()).order_by(Run.started_at.desc())
    ids = {
        event_id
        for query in (ended, begun)
        for event_id in session.scalars(query.limit(GOOD_LOOKED_AT))
    }
    query = select(Event.received_at, Event.api_key_id, Event.remote_addr, Event.user_agent).where(
        Event.id.in_(ids), Event.state != "rejected", Event.origin.is_(None)
    )
    return [Good(*row) for row in session.execute(query.order_by(Event.id.desc()))]


def _suppose(
    session: Session,
    ways: Iterator[ColumnElement[bool]],
    senders: Set[tuple[str | None, str | None]],
    since: datetime,
    until: datetime,
    zone: tzinfo,
) -> SilenceCause | None:
    """The newest request of nobody's key, from an address and a program that have reported the
    workflow: its key may have been mistyped. Not everybody may see it, so that no page is named."""
    ids = _find_refused(session, ways, since, until)
    query = select(Event.remote_addr, Event.user_agent, Event.received_at, Event.code, Event.status)
    rows = session.execute(query.where(Event.id.in_(ids)).order_by(Event.id.desc())).all()
    own = [row for row in rows if tuple(row[:2]) in senders and row.code in _NOBODYS]
    if not own:
        return None
    newest, problem = own[0], PROBLEMS[own[0].code]
    at = moment_in_words(newest.received_at, zone)
    what = f"A request of {at}, which may be this workflow's as it came from the same sender,"
    reason = _within_sentence(problem.title)
    return SilenceCause("", newest.code, newest.status, newest.received_at, what, reason, len(own))


def _list_references(session: Session, workflow: Workflow) -> list[str]:
    former = select(FormerSlug.slug).where(FormerSlug.workflow_id == workflow.id)
    return [workflow.public_id, workflow.slug, workflow.name, *session.scalars(former)]


def _tell_problem(session: Session, event: Event, zone: tzinfo) -> str:
    """The title of the problem's row, and the field that it is about."""
    problem = PROBLEMS.get(event.code or "")
    title = problem.title if problem else event.code or "refused"
    errors = event.errors or []
    field = f" ({errors[0].get('field')})" if errors else ""
    return f"{_within_sentence(title)}{field}"


def _within_sentence(title: str) -> str:
    return f"{title[0].lower()}{title[1:]}"


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
    "ended_address": _tell_revoked,
}
