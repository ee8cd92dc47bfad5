"""A whole form, secrets too, sealed into one field of a page that stands in its way."""

from typing import NamedTuple

from flask import request

from app.channels.sealing import UnreadableError, seal, unseal

SEALED = "sealed_form"
"""The field that holds it."""
_PURPOSE = b"forms on their way"
Fields = list[tuple[str, str]]


class SealedForm(NamedTuple):
    """Whose form it is, where it goes, and its values."""

    owner: str
    path: str
    fields: Fields


def seal_form(owner: str) -> str:
    """This request's form; only this server can open it, and only for this person and address."""
    fields = [pair for pair in request.form.items(multi=True) if pair[0] != "csrf_token"]
    return seal(SealedForm(owner, request.path, fields)._asdict(), _PURPOSE)


def open_form() -> SealedForm | None:
    """The one that this request's form holds, if it was sealed for this address."""
    try:
        held = SealedForm(**unseal(request.form.get(SEALED, ""), _PURPOSE))
    except UnreadableError:
        return None
    form = held._replace(fields=[(name, value) for name, value in held.fields])
    return form if form.path == request.path else None
