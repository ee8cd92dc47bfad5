"""A lost password: a link by mail, which works once and for an hour.

No link is kept. It is signed with the server's secret key, together with what the password is now:
once that is another one, the link is worth nothing.
"""

import hashlib
import hmac
from datetime import timedelta

from flask import current_app
from sqlalchemy import select

from app.channels.message import Message
from app.channels.network import link_to
from app.channels.outbox import put_mail
from app.channels.sealing import seal_link
from app.clock import now, timestamp
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Instance, Membership, User
from app.workspaces.audit import note_account
from app.workspaces.mistakes import GoneError
from app.workspaces.people import make_hash, names_of
from app.workspaces.sessions import end_all_in
from app.workspaces.tries import forget_person_in

VALID_FOR = timedelta(hours=1)
PATH = "/sign-in/new-password/"
TITLE = "A new password for FlowPulse"
TEXT = (
    "Somebody, you we hope, has asked for a new password for {email}. The link below lets you "
    "choose one. It works once, for an hour. If it was not you, do nothing: nothing has changed."
)


def mail_link(email: str, remote_addr: str) -> None:
    """Put a mail with the link into the outbox; for an address that nobody has, one without a
    receiver: both take as long."""
    user = db.session.scalar(select(User).where(User.email == email.strip().lower()))
    own = user and _first_workspace(user.id)
    link = link_to(PATH + make_token(user)) if user and own else ""
    recipients = [user.email] if user and own else []
    workspace_id = own or _first_workspace(db.session.get_one(Instance, 1).owner_id)
    if workspace_id is None:
        return
    moment = now()
    message = Message(
        id=f"lost-password-{new_id()}",
        kind="notice",
        title=TITLE,
        text=TEXT.format(email=recipients[0] if recipients else "nobody"),
        facts=(("Asked for from", remote_addr or "an unknown address"),),
        link=seal_link(link),
        incident="",
        at=moment,
    )
    with writing() as session:
        put_mail(session.connection(), message, workspace_id, recipients, moment)


def make_token(user: User) -> str:
    until = int(timestamp() + VALID_FOR.total_seconds())
    return f"{user.public_id}-{until}-{_sign(user, until)}"


def find_person(token: str, *, to_change: bool = False) -> User | None:
    """Whose password the link lets somebody choose, while it does.

    `to_change`: their row waits for who changes it at this moment, and nobody else does until the
    transaction ends.
    """
    public_id, _, rest = token.partition("-")
    until, _, signature = rest.partition("-")
    if not (until.isascii() and until.isdigit() and len(until) < 12 and public_id.isalnum()):
        return None
    query = select(User).where(User.public_id == public_id)
    user: User | None = db.session.scalar(query.with_for_update() if to_change else query)
    if user is None or timestamp() > int(until):
        return None
    good = _sign(user, int(until)).encode()
    return user if hmac.compare_digest(good, signature.encode("utf-8", "replace")) else None


def choose_password(token: str, password: str) -> User:
    """Give the person of the link another password; all their sessions end. A second factor stays.

    Raises GoneError, and RefusedError for a weak password.
    """
    user = find_person(token)
    if user is None:
        raise GoneError
    names = names_of(user)
    db.session.rollback()  # Whoever queues for the hash holds no connection meanwhile.
    password_hash = make_hash("password", password, names)
    with writing() as session:
        user = find_person(token, to_change=True)
        if user is None:
            raise GoneError  # It was used meanwhile, or the account was linked or unlinked.
        user.password_hash = password_hash
        note_account(session, "password_changed", user, {"by": "a link in a mail"}, who=user)
        end_all_in(session, user.id, "password")
        forget_person_in(session, user.email)
    return user


def _first_workspace(user_id: int) -> int | None:
    own = select(Membership.workspace_id).where(Membership.user_id == user_id)
    return db.session.scalar(own.order_by(Membership.id).limit(1))


def _sign(user: User, until: int) -> str:
    secret: bytes = current_app.config["FLOWPULSE_KEY_SECRET"]
    told = "\n".join(
        ["a lost password", user.public_id, user.email, user.password_hash, str(until)]
    )
    return hmac.digest(secret, told.encode(), hashlib.sha256).hex()
