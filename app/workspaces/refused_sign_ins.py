"""Tries to sign in that were refused, as the audit log tells of them."""

from sqlalchemy import select

from app.extensions import writing
from app.models import User
from app.workspaces.audit import note, note_account
from app.workspaces.mistakes import RefusedError
from app.workspaces.people import clean_email

NO_ADDRESS = "what is no e-mail address"
"""What else was typed there may be a password: it is not kept."""


def note_refused(email: str, step: str) -> None:
    """`step`: at the password, or at the code."""
    try:
        address = clean_email(email)
    except RefusedError:
        address = NO_ADDRESS
    with writing() as session:
        user = session.scalar(select(User).where(User.email == address))
        if user is None:
            note(session, "sign_in_refused", None, address, {"step": step})
        else:
            note_account(session, "sign_in_refused", user, {"step": step})
