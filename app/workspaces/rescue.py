"""What the server's admin does for who can't sign in: another password, no second factor."""

from sqlalchemy import delete, select

from app.extensions import db, writing
from app.models import Identity, User
from app.workspaces.audit import change, note_account
from app.workspaces.other_ways_in import close_in
from app.workspaces.people import RefusedError, clean_email, make_hash, names_of
from app.workspaces.sessions import end_all_in
from app.workspaces.tries import forget_person_in
from app.workspaces.two_factor import turn_off_in


def find_person(email: str) -> User:
    """Raises RefusedError."""
    address = clean_email(email)
    user: User | None = db.session.scalar(select(User).where(User.email == address))
    if user is None:
        raise RefusedError("email", f"There is no user {address!r}.")
    return user


def reset_password(email: str, password: str) -> User:
    """Give a person another password; all their sessions end. Raises RefusedError."""
    user = find_person(email)
    user_id, names = user.id, names_of(user)
    password_hash = make_hash("password", password, names)
    with writing() as session:
        user.password_hash = password_hash
        note_account(session, "password_changed", user)
        end_all_in(session, user_id, "reset")
        forget_person_in(session, user.email)
    return user


def reset_two_factor(email: str) -> User:
    """Have the password alone sign a person in; all their sessions end. Raises RefusedError."""
    user = find_person(email)
    user_id = user.id
    with writing() as session:
        turn_off_in(session, user_id)
        note_account(session, "two_factor_off", user)
        end_all_in(session, user_id, "reset")
        forget_person_in(session, user.email)
    return user


def unlink(email: str) -> User:
    """Have the next sign-in at the provider bind the account anew; all else that opens it goes: who
    had it may be gone. Raises RefusedError, also where it is bound to nobody."""
    user = find_person(email)
    user_id = user.id
    with writing() as session:
        gone = session.execute(delete(Identity).where(Identity.user_id == user_id))
        if not gone.rowcount:  # type: ignore[attr-defined]
            raise RefusedError(
                "email", f"The account of {email} is linked to nobody at a provider."
            )
        told: dict[str, object] = {
            "sign-in provider": change("linked", "not linked"),
            "taken away": close_in(session, user, "reset"),
        }
        note_account(session, "profile_changed", user, told)
    return user
