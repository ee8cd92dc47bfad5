"""When FlowPulse itself was down: nobody worked, or nobody took what was sent."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Downtime, Event, Instance

BEAT_EVERY = timedelta(seconds=5)
STALLED_AFTER = timedelta(seconds=30)
"""Who was last seen longer ago than this stands still; a restart takes less."""
SURE_FOR = 2 * BEAT_EVERY
"""So long after a beat, a web process may still be there; later it may be gone."""


class Span(NamedTuple):
    """A time in which a run may have come unseen."""

    began_at: datetime
    ended_at: datetime


class Knowledge(NamedTuple):
    """Up to when it can be said what did not come, and the downtime that lasts."""

    until: datetime
    downtime: Span | None = None


def note_worker(session: Session, at: datetime) -> None:
    """Keep when a worker was last seen, and the time until now if nobody worked in it."""
    _note(session, "worker_seen_at", at)


def note_web(session: Session, at: datetime) -> None:
    """The same for web processes, of which one that lives is enough."""
    _note(session, "web_seen_at", at)


def forget_web(session: Session, at: datetime) -> None:
    """Pages are served without beats: what was last seen of others, long ago, excuses nothing."""
    instance = session.scalar(select(Instance).with_for_update())
    if instance is not None and stands_still(instance.web_seen_at, at):
        instance.web_seen_at = None


def stands_still(seen_at: datetime | None, at: datetime) -> bool:
    """Whether somebody was seen, and is no more."""
    return seen_at is not None and at - seen_at > STALLED_AFTER


def _note(session: Session, column: str, at: datetime) -> None:
    instance = session.scalar(select(Instance).with_for_update())
    if instance is None:
        return
    seen_at = getattr(instance, column)
    if seen_at is not None and seen_at - at > STALLED_AFTER:
        seen_at = at  # It was told by a clock that has been set back since.
    if stands_still(seen_at, at):
        session.add(Downtime(began_at=seen_at, ended_at=at))
    setattr(instance, column, max(seen_at or at, at))


def look_for_web(session: Session, at: datetime) -> Knowledge:
    """A web process that was just there may be starting anew: what did not come meanwhile is known
    once it is back, or once it has been gone for too long."""
    seen_at = session.scalar(select(Instance.web_seen_at))
    if seen_at is None or at - seen_at <= SURE_FOR or _is_served_otherwise(session, seen_at):
        return Knowledge(at)
    if at - seen_at <= STALLED_AFTER:
        return Knowledge(seen_at + SURE_FOR)
    return Knowledge(at, Span(seen_at, at))


def _is_served_otherwise(session: Session, seen_at: datetime) -> bool:
    """Whether requests come in without beats: by another server than ours, which sends none. Where
    nothing but pages is asked for, see `forget_web`."""
    newest = session.scalar(select(Event.received_at).order_by(Event.id.desc()).limit(1))
    return newest is not None and newest - seen_at > STALLED_AFTER
