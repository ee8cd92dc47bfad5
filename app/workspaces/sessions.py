"""Sessions live in the database: when a row ends, the sign-in ends, in every process."""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta

from flask import current_app
from sqlalchemy import ColumnElement, Update, delete, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.clock import now
from app.disguised_keys import mask_all_keys
from app.extensions import db, writing
from app.models import User, UserSession
from app.workspaces.audit import note_account

logger = logging.getLogger(__name__)

ENDINGS = {
    "role": "Your role has changed, so you were signed out. Sign in again: it counts from now on.",
    "removed": "You were removed from the workspace, so you were signed out.",
    "password": "Your password was changed in another browser, so this one was signed out.",
    "two_factor": "Two-factor sign-in was turned on in another browser. Sign in again with a code.",
    "code_off": "Two-factor sign-in was turned off in another browser. Sign in again.",
    "ended": "This session was ended from another browser of yours.",
    "linked": "Your account is the sign-in provider's now, so you were signed out. Sign in there.",
    "reset": "The server's admin has changed how you sign in, so you were signed out.",
}
"""Why somebody else ends a session, and what its browser is told."""
SEEN_EVERY = timedelta(minutes=1)
"""How exactly the last click is known."""


SIGNED_IN_NOW = timedelta()


def start_session(
    user: User,
    remote_addr: str | None,
    user_agent: str | None,
    by: str | None = None,
    proven: timedelta | None = SIGNED_IN_NOW,
) -> User:
    """Give the user a new session; its token is what the browser's cookie will hold.

    `by`: what has opened it, where the audit log is to tell. `proven`: how long ago the person has
    shown who they are, by a password or at a provider; None where nobody tells.
    """
    token = secrets.token_urlsafe(32)
    moment, user_id = now(), user.id
    proven_at = None if proven is None else moment - proven
    expires_at = moment + timedelta(days=current_app.config["FLOWPULSE_SESSION_DAYS"])
    with writing() as session:
        session.add(
            UserSession(
                token_hash=hash_token(token),
                user_id=user_id,
                expires_at=expires_at,
                remote_addr=(remote_addr or "")[:64] or None,
                user_agent=mask_all_keys(user_agent or "")[:255] or None,
                password_at=proven_at,
            )
        )
        if by:
            note_account(session, "signed_in", user, {"by": by}, who=user)
    user.session_token, user.password_given_at = token, proven_at
    return user


def find_user(token: str) -> User | None:
    """The user whose session this is, unless it has ended; notes that it is in use."""
    found = _find(token)
    if found is None or not _is_alive(found):
        return None
    if now() - found.seen_at >= SEEN_EVERY:
        _note_seen(found.id)
    user = found.user
    user.session_token, user.password_given_at = token, found.password_at
    return user


def note_password(user: User, by: str | None = None) -> None:
    """The session's password was given once more; `by`: or what stands in for it."""
    with writing() as session:
        note_password_in(session, user.get_id())
        note_account(session, "password_confirmed", user, {"by": by} if by else None)


def note_password_in(session: Session, token: str) -> None:
    """The same within a transaction that somebody else commits."""
    own = UserSession.token_hash == hash_token(token)
    session.execute(update(UserSession).where(own).values(password_at=now()))


def is_live(token: str) -> bool:
    """Whether the session goes on; for a stream that stays open."""
    found = _find(token)
    return found is not None and _is_alive(found)


def end_session(user: User) -> None:
    """Sign out of the session that the user came with."""
    own = UserSession.token_hash == hash_token(user.get_id())
    with writing() as session:
        session.execute(delete(UserSession).where(own))
        note_account(session, "signed_out", user)


def why_ended(token: str) -> str | None:
    """What the browser is told that comes with the token of a session that somebody has ended."""
    found = _find(token)
    return ENDINGS.get(found.end_reason or "") if found else None


def rotate_in(session: Session, token: str) -> str:
    """Give the session another token, in a transaction that somebody else commits: whoever has the
    old one has nothing."""
    new, own = secrets.token_urlsafe(32), UserSession.token_hash == hash_token(token)
    session.execute(update(UserSession).where(own).values(token_hash=hash_token(new)))
    return new


def end_all_in(session: Session, user_id: int, reason: str) -> None:
    """End all sessions of a person, in a transaction that somebody else commits."""
    session.execute(_end(reason).where(UserSession.user_id == user_id))


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
    mine = _end("ended").where(UserSession.id == session_id, UserSession.user_id == user.id)
    with writing() as session:
        has_ended = session.scalar(mine.returning(UserSession.id)) is not None
        if has_ended:
            note_account(session, "sessions_ended", user, {"count": 1})
    return has_ended


def end_other_sessions(user: User, token: str) -> int:
    """End all of the user's sessions but the one with this token; returns how many."""
    with writing() as session:
        count = end_others_in(session, user, token, "ended")
        if count:
            note_account(session, "sessions_ended", user, {"count": count})
    return count


def end_others_in(session: Session, user: User, token: str, reason: str) -> int:
    """The same within a transaction that somebody else commits."""
    others = _end(reason).where(
        UserSession.user_id == user.id, UserSession.token_hash != hash_token(token)
    )
    return len(session.scalars(others.returning(UserSession.id)).all())


def _end(reason: str) -> Update:
    """Of those that still go on: a row that was ended before keeps its reason."""
    going_on = (UserSession.end_reason.is_(None)) & (UserSession.expires_at > now())
    return update(UserSession).where(going_on).values(end_reason=reason)


def _find(token: str) -> UserSession | None:
    return db.session.scalar(select(UserSession).where(UserSession.token_hash == hash_token(token)))


def _idle() -> timedelta:
    return timedelta(hours=current_app.config["FLOWPULSE_SESSION_IDLE_HOURS"])


def _is_alive(session: UserSession) -> bool:
    is_over = session.end_reason is not None
    return not is_over and now() < min(session.expires_at, session.seen_at + _idle())


def _is_live_one_of(user: User) -> ColumnElement[bool]:
    """The same for the database."""
    is_alive = (UserSession.expires_at > now()) & (UserSession.seen_at > now() - _idle())
    return (UserSession.user_id == user.id) & UserSession.end_reason.is_(None) & is_alive


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
