"""What all ways into the console share: whose tries these are, and the session at their end."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from flask import flash, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user

from app.console.guards import signed_in_user
from app.console.kept_forms import KeptForm, show_kept
from app.console.known_browsers import find_browser, know_browser
from app.models import User
from app.workspaces.past_sign_ins import find_addresses
from app.workspaces.sessions import SIGNED_IN_NOW, end_session, start_session, why_ended
from app.workspaces.tries import (
    Allowance,
    is_same_place,
    of_account,
    of_address,
    of_browser,
    of_known_address,
    take,
)


class Taken(NamedTuple):
    """Where a try was counted, or the seconds to wait before there is room for one."""

    tries: list[Allowance]
    wait: int


def take_try(email: str, change: Callable[[list[Allowance]], list[Allowance]] = list) -> Taken:
    """Count a try to sign in as this person, where there is room for one.

    Whoever guesses elsewhere must not lock the person out: a browser that the person has signed in
    by is counted by itself, also behind the same address; and so is an address that the person has
    signed in from, where strangers have to wait. `change`: what counts instead.
    """
    waits = []
    for way in _list_ways(email):
        tries = change(way)
        wait = take(tries)
        if not wait:
            return Taken(tries, 0)
        waits.append(wait)
    return Taken([], min(waits))


def _list_ways(email: str) -> Iterator[list[Allowance]]:
    """The browser, or the place and then the person; the next way is looked for only where there is
    no room by the one before."""
    browser, address = find_browser(email), request.remote_addr or ""
    if browser:
        yield [of_browser(email, browser)]
        return
    yield [of_address(address or "unknown"), of_account(email)]
    if address and any(is_same_place(address, each) for each in find_addresses(email)):
        yield [of_address(address), of_known_address(email, address)]


def enter(user: User, by: str = "password", proven: timedelta | None = SIGNED_IN_NOW) -> None:
    """Nothing of the session before lives on, neither here nor in the database.

    `by`: what has opened the console, for the audit log. `proven` as for `start_session`.
    """
    if current_user.is_authenticated:
        end_session(signed_in_user())
    session.clear()
    session.permanent = True
    know_browser(user)
    login_user(start_session(user, request.remote_addr, request.user_agent.string, by, proven))


def tell_lost(user: User, by: str) -> None:
    """At the first sign-in by somebody else's word, what has opened the account before."""
    if user.has_lost:
        flash(
            f"Your account is linked to {by} from now on. What opened it before is over: "
            f"{user.has_lost}.",
            "warning",
        )


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
