"""What else opens an account, for where it is to be nobody's but who comes by the provider."""

from sqlalchemy.orm import Session

from app.identifiers import new_id
from app.models import NO_PASSWORD, User
from app.workspaces.sessions import end_all_in
from app.workspaces.two_factor import is_on, turn_off_in


def close_in(session: Session, user: User, reason: str) -> str:
    """Take away password, second factor, recovery codes, sessions and links for a lost password, in
    a transaction that somebody else commits. Returns what of them went, for the audit log.

    `reason`: one of `sessions.ENDINGS`.
    """
    had = [("password", user.has_password), ("second factor", is_on(user)), ("sessions", True)]
    # Another one each time, also where there was none: links that are open are signed with it.
    user.password_hash = NO_PASSWORD + new_id()
    turn_off_in(session, user.id)
    end_all_in(session, user.id, reason)
    return ", ".join(what for what, was_there in had if was_there)
