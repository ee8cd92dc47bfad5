"""The password of who is signed in already, asked for once more."""

from app.extensions import db, writing
from app.models import User
from app.ways_in import takes_passwords
from app.workspaces.audit import note_account
from app.workspaces.mistakes import RefusedError
from app.workspaces.passwords import is_right
from app.workspaces.tries import give_back, of_session, take


class TooManyTriesError(RefusedError):
    """`seconds`: after which the next try may come."""

    seconds = 0


def confirm_password(user: User, password: str, field: str) -> None:
    """Raises RefusedError at the field for a wrong one; who guesses has to wait.

    Counted by session: somebody with a stolen one holds up nobody but themselves.
    """
    password_hash = user.password_hash
    if not user.has_password:
        raise RefusedError(field, tell_of_none())
    if not password:
        raise RefusedError(field, "Enter your password.")
    tries = [of_session(user.get_id())]
    wait = take(tries)
    if wait:
        error = TooManyTriesError(field, f"Too many wrong passwords. Wait {wait} s, and try again.")
        error.seconds = wait
        raise error
    db.session.rollback()  # Nothing is held open while the hash is worked out.
    if not is_right(password, password_hash):
        with writing() as session:
            note_account(session, "password_refused", user)
        raise RefusedError(field, "This is not your password.")
    give_back(tries)


def tell_of_none() -> str:
    """To who has no password, where one is asked for."""
    way = " “Lost your password?” on the sign-in page makes one." if takes_passwords() else ""
    return f"Your account has no password.{way}"
