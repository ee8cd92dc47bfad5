"""What all ways into the console share: whose tries these are, and the session at their end."""

from collections.abc import Sequence

from flask import redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user

from app.console.guards import signed_in_user
from app.console.kept_forms import KeptForm, show_kept
from app.console.known_browsers import find_browser, know_browser
from app.models import User
from app.workspaces.sessions import end_session, start_session, why_ended
from app.workspaces.tries import Allowance, of_account, of_address, of_browser


def list_tries(email: str) -> list[Allowance]:
    """Whose tries these are. A browser that this person has signed in by is counted by itself:
    whoever guesses elsewhere, also behind the same address, must not lock the person out."""
    browser = find_browser(email)
    if browser:
        return [of_browser(email, browser)]
    return [of_address(request.remote_addr or "unknown"), of_account(email)]


def enter(user: User, by: str = "password") -> None:
    """Nothing of the session before lives on, neither here nor in the database.

    `by`: what has opened the console, for the audit log.
    """
    if current_user.is_authenticated:
        end_session(signed_in_user())
    session.clear()
    session.permanent = True
    know_browser(user)
    login_user(start_session(user, request.remote_addr, request.user_agent.string, by))


def go_on(target: str, kept: KeptForm | None) -> ResponseReturnValue:
    """To where somebody wanted to go, or to the form that was typed before."""
    return show_kept(kept) if kept else redirect(target, 303)


def show_first_step(
    target: str, email: str = "", errors: Sequence[str] = (), kept: KeptForm | None = None
) -> str:
    """The page that asks for address and password."""
    return render_template(
        "sign_in/sign_in.html", target=target, email=email, errors=errors, kept=kept
    )


def why_signed_out() -> str | None:
    """What is told to a browser whose session somebody else has ended."""
    return why_ended(str(session.get("_user_id", "")))
