"""A whole form, secrets too, sealed into one field of a page that stands in its way."""

from datetime import timedelta
from typing import NamedTuple

from flask import request, session
from flask_login import current_user

from app.channels.sealing import UnreadableError, seal, unseal
from app.workspaces.sessions import hash_token

SEALED = "sealed_form"
"""The field that holds it."""
GOOD_FOR = timedelta(days=1)
_PURPOSE = b"forms on their way"
Fields = list[tuple[str, str]]


class SealedForm(NamedTuple):
    """Whose form it is, where it goes, its values, and the hash of the session's token."""

    owner: str
    path: str
    fields: Fields
    session_hash: str = ""


def seal_form(owner: str) -> str:
    """This request's form; only this server can open it, only for this person and address, and
    for a day."""
    left_out = ("csrf_token", SEALED)
    fields = [pair for pair in request.form.items(multi=True) if pair[0] not in left_out]
    form = SealedForm(owner, request.path, fields, _session_hash())
    return seal(form._asdict(), _PURPOSE)


def open_form() -> SealedForm | None:
    """The one that this request's form holds, if it was sealed for this person and address.

    Where nobody is signed in: if it was sealed in the session that this browser had last.
    """
    try:
        held = SealedForm(**unseal(request.form.get(SEALED, ""), _PURPOSE, GOOD_FOR))
    except UnreadableError:
        return None
    form = held._replace(fields=[(name, value) for name, value in held.fields])
    return form if form.path == request.path and _is_own(form) else None


def _is_own(form: SealedForm) -> bool:
    if current_user.is_authenticated:
        return bool(form.owner == current_user.public_id)
    return form.session_hash == _session_hash()


def _session_hash() -> str:
    """Of the token in the browser's signed cookie, which stays there when its session ends."""
    return hash_token(str(session.get("_user_id", "")))
