"""API keys: made and shown once, rotated, revoked at once."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, writing
from app.keys import (
    ADDRESS_PREFIX_LENGTH,
    PREFIX_LENGTH,
    has_key_form,
    hash_key,
    make_address,
    make_key,
)
from app.models import ADDRESS, SCOPES, ApiKey, KeyUsage, User, Workflow
from app.workspaces.audit import note
from app.workspaces.mistakes import Mistakes, RefusedError
from app.workspaces.people import clean_field

MAX_NAME = 120
LONGEST_LIFE = timedelta(days=3653)
_OLD = " (old)"


def create_api_key(
    workspace_id: int,
    name: str,
    scopes: Iterable[str] = SCOPES,
    expires_at: datetime | None = None,
    created_by: User | None = None,
    workflow_ids: Collection[int] = (),
) -> tuple[ApiKey, str]:
    """Make a key; returns its row and the key itself, which is nowhere kept.

    `workflow_ids` are the primary keys of the only workflows that it may report and read; none
    means all. Raises RefusedError.
    """
    wanted = set(scopes)
    name = check_api_key(workspace_id, name, wanted, expires_at)
    key = make_key()
    api_key = ApiKey(
        workspace_id=workspace_id,
        name=name,
        scopes=" ".join(scope for scope in SCOPES if scope in wanted),
        expires_at=expires_at,
        created_by_id=created_by.id if created_by else None,
        workflow_ids=sorted(set(workflow_ids)) or None,
        **kept_of(key),
    )
    try:
        with writing() as session:
            _refuse_foreign(session, api_key)
            session.add(api_key)
            note(session, "key_created", workspace_id, api_key, describe_key(session, api_key))
    except IntegrityError as error:
        raise RefusedError("name", f"Another key has the name {name}.") from error
    return api_key, key


def check_api_key(
    workspace_id: int, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> str:
    """The name as it is kept. Raises RefusedError with all that is wrong with a new key."""
    mistakes, wanted = Mistakes(), set(scopes)
    with mistakes.noted():
        name = clean_field("name", name, MAX_NAME)
        if _is_taken(workspace_id, name):
            raise RefusedError("name", f"Another key has the name {name}.")
    with mistakes.noted():
        if not wanted or not wanted <= set(SCOPES):
            raise RefusedError("scopes", f"Choose at least one scope of {', '.join(SCOPES)}.")
    with mistakes.noted():
        if expires_at is not None:
            check_end("expires", expires_at)
    mistakes.refuse()
    return name


def rotate_api_key(
    api_key: ApiKey, old_until: datetime, rotated_by: User | None = None
) -> tuple[ApiKey, str]:
    """Make a key in the place of this one, which works on until `old_until`, or until its own end.

    The new one takes over name, scopes, limits and the length of its life; the old one is called
    "… (old)" from then on. Returns the new row and the new key itself. Raises RefusedError.
    """
    if old_until > now() + LONGEST_LIFE:
        raise RefusedError("rotate", "Choose a time within the next ten years.")
    key, at = _make_alike(api_key), now()
    old_id, rotated_by_id = api_key.id, rotated_by.id if rotated_by else None
    try:
        with writing() as session:
            old = _lock(session, old_id)
            _refuse_rotation(session, old)
            successor = ApiKey(
                workspace_id=old.workspace_id,
                name=old.name,
                scopes=old.scopes,
                created_at=at,
                expires_at=_end_of_successor(old, at),
                created_by_id=rotated_by_id,
                workflow_ids=old.workflow_ids,
                replaces_id=old.id,
                **kept_of(key),
            )
            old.name = propose_old_name(session, old)
            old.expires_at = min(old.expires_at or old_until, old_until)
            used = update(KeyUsage).where(KeyUsage.api_key_id == old.id)
            session.execute(used.values(rotated_count=KeyUsage.count))
            session.flush()  # The name has to be free before it is taken over.
            session.add(successor)
            until = old.expires_at
            note(session, "key_rotated", old.workspace_id, successor, {"old_works_until": until})
    except IntegrityError as error:
        raise RefusedError("rotate", "The key was changed meanwhile. Look again.") from error
    return successor, key


def _make_alike(old: ApiKey) -> str:
    """A new secret of the same form."""
    if ADDRESS in old.scope_names:
        return make_address(is_of_one=len(old.workflow_ids or ()) == 1)
    return make_key()


def _end_of_successor(old: ApiKey, at: datetime) -> datetime | None:
    """A life as long as the old one's was to be."""
    if old.expires_at is None:
        return None
    return at + min(old.expires_at - old.created_at, LONGEST_LIFE)


def check_end(field: str, end: datetime) -> None:
    """Raises RefusedError at the field."""
    if end <= now():
        raise RefusedError(field, "Choose a time that lies ahead.")
    if end > now() + LONGEST_LIFE + timedelta(days=1):
        raise RefusedError(field, "Choose a time within the next ten years.")


def revoke_api_key(api_key: ApiKey, revoked_by: User | None = None) -> None:
    """From the next request on, the key opens nothing."""
    revoked_by_id = revoked_by.id if revoked_by else None
    with writing() as session:
        if api_key.revoked_at is None:
            api_key.revoked_at = now()
            api_key.revoked_by_id = revoked_by_id
            note(session, "key_revoked", api_key.workspace_id, api_key, {"prefix": api_key.prefix})


def find_successor(api_key: ApiKey) -> ApiKey | None:
    """The key that this one was rotated to."""
    query = select(ApiKey).where(_replaces(api_key))
    return db.session.scalar(query.order_by(ApiKey.id.desc()).limit(1))


def find_api_keys(workspace_id: int, name_or_prefix: str) -> list[ApiKey]:
    """The workspace's live keys with this name or prefix."""
    return list(
        db.session.scalars(
            select(ApiKey).where(
                ApiKey.workspace_id == workspace_id,
                ApiKey.revoked_at.is_(None),
                or_(ApiKey.name == name_or_prefix, ApiKey.prefix == name_or_prefix),
            )
        )
    )


def _is_taken(workspace_id: int, name: str) -> bool:
    taken = select(ApiKey.id).where(
        ApiKey.workspace_id == workspace_id, ApiKey.name == name, ApiKey.revoked_at.is_(None)
    )
    return db.session.scalar(taken.limit(1)) is not None


def find_by_secret(workspace_id: int, key: str) -> ApiKey | None:
    """The workspace's live key that this one is."""
    query = select(ApiKey).where(
        ApiKey.workspace_id == workspace_id,
        ApiKey.revoked_at.is_(None),
        ApiKey.key_hash == kept_of(key)["key_hash"],
    )
    return db.session.scalar(query)


def describe_key(session: Session, api_key: ApiKey) -> dict[str, object]:
    """What the audit log says of a new key."""
    slugs = select(Workflow.slug).where(Workflow.id.in_(api_key.workflow_ids or []))
    return {
        "prefix": api_key.prefix,
        "scopes": api_key.scopes,
        "expires": api_key.expires_at,
        "workflows": session.scalars(slugs.order_by(Workflow.slug)).all() or None,
    }


def kept_of(key: str) -> dict[str, str]:
    """All that is kept of the key itself."""
    secret: bytes = current_app.config["FLOWPULSE_KEY_SECRET"]
    length = PREFIX_LENGTH if has_key_form(key) else ADDRESS_PREFIX_LENGTH
    return {"prefix": key[:length], "key_hash": hash_key(key, secret)}


def _lock(session: Session, key_id: int) -> ApiKey:
    """The row as it is now; of two rotations at once, the second waits for the first."""
    query = select(ApiKey).where(ApiKey.id == key_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _refuse_rotation(session: Session, old: ApiKey) -> None:
    if old.revoked_at is not None:
        raise RefusedError("rotate", "This key is revoked. Create a new one instead.")
    if old.expires_at is not None and old.expires_at <= now():
        raise RefusedError("rotate", "This key has expired. Create a new one instead.")
    successor = session.scalar(select(ApiKey).where(_replaces(old), ApiKey.revoked_at.is_(None)))
    if successor is not None:
        raise RefusedError("rotate", f"This key was rotated already; {successor.name} replaces it.")


def _replaces(old: ApiKey) -> ColumnElement[bool]:
    # The workspace has an index, and the key that is replaced is of the same one.
    return (ApiKey.workspace_id == old.workspace_id) & (ApiKey.replaces_id == old.id)


def propose_old_name(session: Session, old: ApiKey) -> str:
    """What a rotated key is called: `n8n (old)`, or `n8n (old 2)` where that is taken."""
    live = select(ApiKey.name).where(
        ApiKey.workspace_id == old.workspace_id, ApiKey.revoked_at.is_(None)
    )
    taken = set(session.scalars(live))
    endings = (_OLD, *(f" (old {number})" for number in range(2, len(taken) + 3)))
    names = (old.name[: MAX_NAME - len(ending)].rstrip() + ending for ending in endings)
    return next(name for name in names if name not in taken)


def _refuse_foreign(session: Session, api_key: ApiKey) -> None:
    """A key may be limited to workflows of its own workspace only."""
    wanted = api_key.workflow_ids or []
    own = select(Workflow.id).where(
        Workflow.workspace_id == api_key.workspace_id, Workflow.id.in_(wanted)
    )
    if set(wanted) - set(session.scalars(own)):
        raise RefusedError("workflows", "One of these workflows is not there any more.")
