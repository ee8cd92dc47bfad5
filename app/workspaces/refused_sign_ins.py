"""Tries to sign in that were refused, as the audit log tells of them."""

import re

from sqlalchemy import select

from app.extensions import writing
from app.models import User
from app.workspaces.audit import note, note_account

NO_ADDRESS = "what is no e-mail address"
_ADDRESS = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,160}\.[a-z]{2,24}")
"""Stricter than what a person may be called: what nobody has may be somebody's password."""


def note_refused(email: str, step: str) -> None:
    """`step`: at the password, or at the code.

    With an address that nobody has it belongs to no workspace. What was typed is kept only where
    it has the form of an address: people write their password into the wrong field.
    """
    typed = email.strip().lower()
    with writing() as session:
        user = session.scalar(select(User).where(User.email == typed))
        if user is None:
            about = typed if _ADDRESS.fullmatch(typed) else NO_ADDRESS
            note(session, "sign_in_refused", None, about, {"step": step})
        else:
            note_account(session, "sign_in_refused", user, {"step": step})
