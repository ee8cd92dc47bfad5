"""Tries to sign in that were refused, as the audit log tells of them."""

import re

from sqlalchemy import select

from app.extensions import writing
from app.models import Membership, User
from app.workspaces.audit import note_evenly
from app.workspaces.tries import count_unnoted_in

NO_ADDRESS = "what is no e-mail address"
_ADDRESS = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,160}\.[a-z]{2,24}")
"""Stricter than what a person may be called: what nobody has may be somebody's password."""


def note_refused(email: str, step: str) -> None:
    """`step`: at the password, or at the code.

    With an address that nobody has it belongs to no workspace. What was typed is kept only where
    it has the form of an address: people write their password into the wrong field.

    Whoever is unknown causes as much work as who is known, and nobody learns from the time who has
    an account: two statements read and one writes, also where the log is full.
    """
    typed = email.strip().lower()
    found = select(User, Membership.workspace_id).outerjoin(Membership).where(User.email == typed)
    with writing() as session:
        rows = session.execute(found.order_by(Membership.id)).all()
        about = typed if _ADDRESS.fullmatch(typed) else NO_ADDRESS
        user = rows[0][0] if rows else about
        workspace_ids: list[int | None] = [workspace_id for _, workspace_id in rows] or [None]
        if not note_evenly(session, "sign_in_refused", workspace_ids, user, {"step": step}):
            count_unnoted_in(session)
