"""What people change about themselves: name, address, password, time zone and theme."""

from functools import cache
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.extensions import db, writing
from app.models import THEMES, User
from app.workspaces.audit import change, note_account
from app.workspaces.mistakes import Mistakes, RefusedError
from app.workspaces.own_password import confirm_password
from app.workspaces.people import clean_email, clean_field, make_hash, names_of
from app.workspaces.sessions import end_others_in, note_password_in, rotate_in
from app.workspaces.tries import of_session, take

MAX_NAME = 120
TAKEN = "Another user has this address."
REGIONS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)


@cache
def time_zones() -> dict[str, tuple[str, ...]]:
    """The names that people choose from, by region; `UTC` stands for itself."""
    names = sorted(available_timezones())
    regions = {
        region: tuple(name for name in names if name.startswith(f"{region}/")) for region in REGIONS
    }
    return {"World": ("UTC",), **{region: found for region, found in regions.items() if found}}


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(name for names in time_zones().values() for name in names)


@cache
def _every_zone() -> frozenset[str]:
    return frozenset(available_timezones())


def is_time_zone(name: str) -> bool:
    """Whether a person may choose it."""
    return name in _known_zones()


def is_any_zone(name: str) -> bool:
    """Whether it is a zone at all, also under an old name, as browsers call some."""
    return name in _every_zone()


def change_profile(user: User, name: str, email: str, password: str) -> None:
    """Another address needs the password: it opens the account. Raises RefusedError."""
    mistakes = Mistakes()
    with mistakes.noted():
        shown = clean_field("name", name, MAX_NAME) if name.strip() else None
    with mistakes.noted():
        email = clean_email(email)
        if email != user.email:
            confirm_password(user, password, "password")
            _refuse_taken(email, user)  # Nobody is told without the password.
    mistakes.refuse()
    try:
        with writing() as session:
            names, emails = change(user.name, shown), change(user.email, email)
            user.name, user.email = shown, email
            if names:
                note_account(session, "profile_changed", user, {"name": names})
            if emails:
                note_account(session, "email_changed", user, {"email": emails})
    except IntegrityError as error:
        raise RefusedError("email", TAKEN) from error


def _refuse_taken(email: str, user: User) -> None:
    """It counts as a wrong try: else whoever is signed in could look up who has an account."""
    taken = select(User.id).where(User.email == email, User.id != user.id)
    if db.session.scalar(taken) is not None:
        take([of_session(user.get_id())])
        raise RefusedError("email", TAKEN)


def change_password(user: User, token: str, old: str, new: str) -> str:
    """Ends all of the user's other sessions; returns another token for this one.

    Raises RefusedError.
    """
    email = user.email
    names = names_of(user)
    mistakes = Mistakes()
    with mistakes.noted():
        confirm_password(user, old, "old_password")
    with mistakes.noted():
        if new == old or new.strip().lower() == email:
            said = "the one you have" if new == old else "your address"
            raise RefusedError("new_password", f"This is {said}. Choose another one.")
        password_hash = make_hash("new_password", new, names)
    mistakes.refuse()
    with writing() as session:
        user.password_hash = password_hash
        note_account(session, "password_changed", user)
        end_others_in(session, user, token, "password")
        note_password_in(session, token)
        return rotate_in(session, token)


def choose_time_zone(user: User, name: str) -> None:
    """Empty: the browser's. Raises RefusedError for a zone that is not known."""
    if name and not is_time_zone(name):
        raise RefusedError("time_zone", "Choose a time zone from the list.")
    with writing():
        user.time_zone = name or None


def choose_theme(user: User, theme: str) -> None:
    """Raises RefusedError for a theme that is not known."""
    if theme not in THEMES:
        raise RefusedError("theme", f"Choose one of {', '.join(THEMES)}.")
    with writing():
        user.theme = theme
