"""API keys: made and shown once, revoked at once."""

from collections.abc import Iterable
from datetime import datetime

from flask import current_app
from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from app.clock import now
from app.extensions import db, writing
from app.keys import PREFIX_LENGTH, hash_key, make_key
from app.models import SCOPES, ApiKey, User
from app.workspaces.people import RefusedError

MAX_NAME = 120


def create_api_key(
    workspace_id: int,
    name: str,
    scopes: Iterable[str] = SCOPES,
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; returns its row and the key itself, which is nowhere kept.

    Raises RefusedError.
    """
    name, wanted = _clean_name(name), set(scopes)
    if not wanted or not wanted <= set(SCOPES):
        raise RefusedError("scopes", f"Choose at least one scope of {', '.join(SCOPES)}.")
    if expires_at is not None and expires_at <= now():
        raise RefusedError("expires", "Choose a time that lies ahead.")
    key = make_key()
    api_key = ApiKey(
        workspace_id=workspace_id,
        name=name,
        prefix=key[:PREFIX_LENGTH],
        key_hash=hash_key(key, current_app.config["FLOWPULSE_KEY_SECRET"]),
        scopes=" ".join(scope for scope in SCOPES if scope in wanted),
        expires_at=expires_at,
        created_by_id=created_by.id if created_by else None,
    )
    try:
        with writing() as session:
            session.add(api_key)
    except IntegrityError as error:
        raise RefusedError("name", f"Another key has the name {name}.") from error
    return api_key, key


def revoke_api_key(api_key: ApiKey, revoked_by: User | None = None) -> None:
    """From the next request on, the key opens nothing."""
    revoked_by_id = revoked_by.id if revoked_by else None
    with writing():
        if api_key.revoked_at is None:
            api_key.revoked_at = now()
            api_key.revoked_by_id = revoked_by_id


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


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise RefusedError("name", f"Enter a name of 1 to {MAX_NAME} characters.")
    return name
