"""Addresses that report runs, as other monitors have them: made, or brought along from there."""

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, writing
from app.keys import fold_address, make_address
from app.models import ADDRESS, ApiKey, User, Workflow
from app.workspaces.api_keys import MAX_NAME, describe_key, kept_of
from app.workspaces.audit import note
from app.workspaces.people import RefusedError

_SECRET = re.compile(r"[0-9A-Za-z_-]{20,128}", re.ASCII)
_IN_PATH = re.compile(r"^/(?:.*?/)??(?:ping/|api/push/|p/)?([0-9A-Za-z_-]{20,128})(?:/|$)")
_MOST_OF_A_NAME = 1_000


def create_address(
    workspace_id: int,
    workflow: Workflow | None,
    brought: str = "",
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """Make an address of the workflow, or one of all of them, which a slug has to follow.

    `brought` is an address, or the secret part of one, that another monitor gave out and that is to
    work here too. Returns its row and the secret, which is nowhere kept. Raises RefusedError.
    """
    secret = read_secret(brought) if brought.strip() else make_address(is_of_one=bool(workflow))
    workflow_id, name = (workflow.id, workflow.name) if workflow else (None, "All workflows")
    author_id = created_by.id if created_by else None
    try:
        with writing() as session:
            address = add_address(session, workspace_id, workflow_id, name, secret, author_id)
    except IntegrityError as error:
        raise RefusedError("address", "It was made at the same time. Look again.") from error
    return address, secret


def add_address(
    session: Session,
    workspace_id: int,
    workflow_id: int | None,
    name: str,
    secret: str,
    author_id: int | None = None,
) -> ApiKey:
    """The same within a transaction that writes. Raises RefusedError."""
    kept = kept_of(secret)
    if session.scalar(select(ApiKey.id).where(ApiKey.key_hash == kept["key_hash"])) is not None:
        raise RefusedError("address", "This address is there already. Each is of one workflow.")
    address = ApiKey(
        workspace_id=workspace_id,
        name=_find_free_name(session, workspace_id, name),
        scopes=ADDRESS,
        created_by_id=author_id,
        workflow_ids=None if workflow_id is None else [workflow_id],
        **kept,
    )
    session.add(address)
    note(session, "key_created", workspace_id, address, describe_key(session, address))
    return address


def read_secret(text: str) -> str:
    """The secret part of an address, or the secret alone. Raises RefusedError."""
    text = text.strip()
    found = None
    if "://" in text:
        path = _IN_PATH.match(unquote(urlsplit(text).path))
        found = path[1] if path else None
    elif _SECRET.fullmatch(text):
        found = text
    if found is None or found.startswith("fp_") or len(set(found)) < 8:
        raise RefusedError(
            "address",
            "Enter the old address as a whole, or its secret part: a UUID, a push token or a ping "
            "key, 20 to 128 letters, digits, hyphens and underscores.",
        )
    return fold_address(found)


def list_addresses(workflow: Workflow) -> Sequence[ApiKey]:
    """The workflow's own that still work, the newest first."""
    query = select(ApiKey).where(
        ApiKey.workspace_id == workflow.workspace_id,
        ApiKey.scopes == ADDRESS,
        ApiKey.revoked_at.is_(None),
        ApiKey.expires_at.is_(None) | (ApiKey.expires_at > now()),
    )
    every = db.session.scalars(query.order_by(ApiKey.id.desc()))
    return [each for each in every if each.workflow_ids == [workflow.id]]


def _find_free_name(session: Session, workspace_id: int, name: str) -> str:
    """`Nightly backup (address)`, or with a number where that is taken."""
    live = select(ApiKey.name).where(
        ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None)
    )
    taken = set(session.scalars(live.where(ApiKey.name.contains("(address", autoescape=True))))
    numbers = range(2, _MOST_OF_A_NAME)
    endings = (" (address)", *(f" (address {number})" for number in numbers))
    names = (name[: MAX_NAME - len(ending)].rstrip() + ending for ending in endings)
    return next(each for each in names if each not in taken)
