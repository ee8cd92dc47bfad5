"""Users, and the set-up that makes the first of them."""

import hashlib
import hmac
import re
from collections.abc import Iterable

from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.extensions import db, writing
from app.keys import mark_secret
from app.models import ROLES, Instance, Membership, User, Workspace
from app.workspaces.audit import note
from app.workspaces.mistakes import Mistakes
from app.workspaces.mistakes import RefusedError as RefusedError
from app.workspaces.names import UnfitNameError, clean_label
from app.workspaces.passwords import WeakPasswordError, hash_password, is_right

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
MAX_EMAIL = 254


class AlreadySetUpError(Exception):
    """Somebody else was first."""


def setup_token() -> str:
    """The token of the one-time set-up link: only who reads the server's secret can know it."""
    secret: bytes = current_app.config["FLOWPULSE_KEY_SECRET"]
    return hmac.digest(secret, b"set up the first user", hashlib.sha256).hex()[:40]


def is_setup_token(token: str) -> bool:
    return hmac.compare_digest(token.encode("utf-8", "replace"), setup_token().encode())


def is_set_up() -> bool:
    return db.session.get(Instance, 1) is not None


def is_instance_owner(user: User) -> bool:
    """Whether the user also sees what belongs to no workspace, such as unknown keys."""
    instance = db.session.get(Instance, 1)
    return instance is not None and instance.owner_id == user.id


def set_up(email: str, password: str, workspace_name: str) -> User:
    """Make the first user, its workspace, and the mark that this is done.

    Raises AlreadySetUpError for all but the first, however many come at once; RefusedError for
    all that can't be used.
    """
    if is_set_up():
        raise AlreadySetUpError
    mistakes = Mistakes()
    with mistakes.noted():
        email = clean_email(email)
    with mistakes.noted():
        name = clean_workspace_name(workspace_name)
    with mistakes.noted():
        password_hash = make_hash("password", password, (email, workspace_name))
    mistakes.refuse()
    user, workspace = User(email=email, password_hash=password_hash), Workspace(name=name)
    try:
        with writing() as session:
            session.add_all([user, workspace])
            session.flush()
            mark = mark_secret(current_app.config["FLOWPULSE_KEY_SECRET"])
            session.add(Instance(id=1, owner_id=user.id, secret_mark=mark))
            session.add(Membership(user_id=user.id, workspace_id=workspace.id, role="owner"))
            note(session, "workspace_created", workspace.id, workspace, who=user)
            note(session, "member_added", workspace.id, user, {"role": "owner"}, who=user)
    except IntegrityError as error:
        raise AlreadySetUpError from error
    return user


def create_workspace(name: str, owner: User) -> Workspace:
    """Another workspace, with its first owner. Raises RefusedError."""
    workspace, user_id = Workspace(name=clean_workspace_name(name)), owner.id
    with writing() as session:
        session.add(workspace)
        session.flush()
        session.add(Membership(user_id=user_id, workspace_id=workspace.id, role="owner"))
        note(session, "workspace_created", workspace.id, workspace)
        note(
            session, "member_added", workspace.id, session.get_one(User, user_id), {"role": "owner"}
        )
    return workspace


def create_user(email: str, password: str, role: str, workspace: Workspace) -> User:
    """Add a user to a workspace. Raises RefusedError and WeakPasswordError."""
    if role not in ROLES:
        raise RefusedError("role", f"The role is {role!r}; it must be one of {', '.join(ROLES)}.")
    address = clean_email(email)
    user = User(email=address, password_hash=hash_password(password, (address, workspace.name)))
    workspace_id = workspace.id
    try:
        with writing() as session:
            session.add(user)
            session.flush()
            session.add(Membership(user_id=user.id, workspace_id=workspace_id, role=role))
            note(session, "member_added", workspace_id, user, {"role": role, "account": "new"})
    except IntegrityError as error:
        raise RefusedError("email", f"There is a user {email!r} already.") from error
    return user


def add_member(email: str, role: str, workspace: Workspace) -> Membership:
    """Give a user who is there already a role in a workspace. Raises RefusedError."""
    if role not in ROLES:
        raise RefusedError("role", f"The role is {role!r}; it must be one of {', '.join(ROLES)}.")
    address, workspace_id = clean_email(email), workspace.id
    user_id = db.session.scalar(select(User.id).where(User.email == address))
    if user_id is None:
        raise RefusedError("email", f"There is no user {address!r}. Make one with user create.")
    membership = Membership(user_id=user_id, workspace_id=workspace_id, role=role)
    try:
        with writing() as session:
            session.add(membership)
            session.flush()
            note(session, "member_added", workspace_id, membership.user, {"role": role})
    except IntegrityError as error:
        raise RefusedError("email", f"{address} is in this workspace already.") from error
    return membership


def find_by_password(email: str, password: str) -> User | None:
    """The user, if the password is right; an unknown address takes as long."""
    named = User.email == email.strip().lower()
    found = db.session.execute(select(User.id, User.password_hash).where(named)).one_or_none()
    user_id, password_hash = found or (None, None)
    db.session.rollback()  # Whoever queues for the hash holds no connection meanwhile.
    if not is_right(password, password_hash):
        return None
    still = (User.id == user_id) & (User.password_hash == password_hash)
    user: User | None = db.session.scalar(select(User).where(still))
    return user


def names_of(user: User) -> list[str]:
    """What others know of a person, and no password may consist of."""
    workspaces = [each.workspace.name for each in user.memberships]
    return [user.email, user.name or "", *workspaces]


def make_hash(field: str, password: str, names: Iterable[str]) -> str:
    """The password's hash. Raises RefusedError at the field for one that is too weak.

    `names`: as for `hash_password`.
    """
    try:
        return hash_password(password, names)
    except WeakPasswordError as error:
        raise RefusedError(field, str(error)) from error


def clean_email(email: str) -> str:
    """The address as it is kept. Raises RefusedError."""
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or len(email) > MAX_EMAIL:
        raise RefusedError("email", "Enter an e-mail address, such as ana@example.org.")
    return email


def clean_workspace_name(name: str) -> str:
    """The name without spare white space. Raises RefusedError."""
    return clean_field("workspace", name, 120)


def clean_field(field: str, name: str, most: int) -> str:
    """The name without spare white space. Raises RefusedError at the field."""
    try:
        return clean_label(name, most)
    except UnfitNameError as error:
        raise RefusedError(field, str(error)) from error
