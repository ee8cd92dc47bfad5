"""Sessions live in the database: when a row ends, the sign-in ends, in every process."""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta

from flask import current_app
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.clock import now
from app.disguised_keys import mask_all_keys
from app.extensions import db, writing
from app.models import User, UserSession

logger = logging.getLogger(__name__)

SEEN_EVERY = timedelta(minutes=1)
"""How exactly the last click is known."""


def start_session(user: User, remote_addr: str | None, user_agent: str | None) -> User:
    """Give the user a new session; its token is what the browser's cookie will hold."""
    token = secrets.token_urlsafe(32)
    expires_at = now() + timedelta(days=current_app.config["FLOWPULSE_SESSION_DAYS"])
    user_id = user.id
    with writing() as session:
        session.add(
            UserSession(
                token_hash=hash_token(token),
                user_id=user_id,
                expires_at=expires_at,
                remote_addr=(remote_addr or "")[:64] or None,
                user_agent=mask_all_keys(user_agent or "")[:255] or None,
            )
        )
    user.session_token = token
    return user


def find_user(token: str) -> User | None:
    """The user whose session this is, unless it has ended; notes that it is in use."""
    found = _find(token)
    if found is None or not _is_alive(found):
        return None
    if now() - found.seen_at >= SEEN_EVERY:
        _note_seen(found.id)
    user = found.user
    user.session_token = token
    return user


def is_live(token: str) -> bool:
    """Whether the session goes on; for a stream that stays open."""
    found = _find(token)
    return found is not None and _is_alive(found)


def end_session(token: str) -> None:
    with writing() as session:
        session.execute(delete(UserSession).where(UserSession.token_hash == hash_token(token)))


def list_sessions(user: User, token: str, start: int, most: int) -> Sequence[UserSession]:
    """Those that still go on: the one with this token, then the last used first."""
    own = UserSession.token_hash == hash_token(token)
    query = select(UserSession).where(_is_live_one_of(user))
    query = query.order_by(own.desc(), UserSession.seen_at.desc(), UserSession.id.desc())
    return db.session.scalars(query.offset(start).limit(most)).all()


def count_sessions(user: User) -> int:
    return db.session.scalar(select(func.count()).where(_is_live_one_of(user))) or 0


def end_session_of(user: User, session_id: int) -> bool:
    """End one of the user's own sessions; False if it had ended already."""
    mine = delete(UserSession).where(UserSession.id == session_id, UserSession.user_id == user.id)
    with writing() as session:
        return session.scalar(mine.returning(UserSession.id)) is not None


def end_other_sessions(user: User, token: str) -> int:
    """End all of the user's sessions but the one with this token; returns how many."""
    with writing() as session:
        return end_others_in(session, user, token)


def end_others_in(session: Session, user: User, token: str) -> int:
    """The same within a transaction that somebody else commits."""
    others = delete(UserSession).where(
        UserSession.user_id == user.id, UserSession.token_hash != hash_token(token)
    )
    return len(session.scalars(others.returning(UserSession.id)).all())


def _find(token: str) -> UserSession | None:
    return db.session.scalar(select(UserSession).where(UserSession.token_hash == hash_token(token)))


def _idle() -> timedelta:
    return timedelta(hours=current_app.config["FLOWPULSE_SESSION_IDLE_HOURS"])


def _is_alive(session: UserSession) -> bool:
    return now() < min(session.expires_at, session.seen_at + _idle())


def _is_live_one_of(user: User) -> ColumnElement[bool]:
    """The same for the database."""
    is_alive = (UserSession.expires_at > now()) & (UserSession.seen_at > now() - _idle())
    return (UserSession.user_id == user.id) & is_alive


def _note_seen(session_id: int) -> None:
    """No reader waits for it: where the database is busy, the next click is noted."""
    try:
        with writing(patient=False) as session:
            seen = update(UserSession).where(UserSession.id == session_id).values(seen_at=now())
            session.execute(seen)
    except (BlockingIOError, OperationalError) as error:
        logger.info("A session's use could not be noted: %s", error)


def hash_token(token: str) -> str:
    """A fast hash is enough: tokens are random (256 bits)."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
