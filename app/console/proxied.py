"""People whom a proxy has signed in, who is believed (app/trusted_proxies.py): as it names them."""

from flask import request, session
from flask_login import current_user

from app.console.entering import enter, tell_lost
from app.console.reader import BY_PROXY
from app.problems import ProblemError
from app.trusted_proxies import USER
from app.ways_in import trusts_proxy
from app.workspaces.vouched import Vouched, let_in

BY = "the proxy"
LEFT = "left"
"""In the browser's signed cookie: whom the proxy named as they signed out here. They are not signed
in again by themselves."""


def named_by_proxy() -> str:
    """The address that the proxy names with this request, as it says; empty where it names none."""
    return str(request.environ.get(USER, "")).lower() if trusts_proxy() else ""


def who_left() -> str:
    """Whom the proxy names and who has signed out here; empty for all others."""
    named = named_by_proxy()
    return named if named and session.get(LEFT) == named else ""


def enter_by_proxy(*, by_itself: bool = True) -> bool:
    """Sign in whom the proxy names. Raises ProblemError for who has no account.

    False where it names nobody; `by_itself`: also where the person has signed out here, and for
    what opens no page: each request of a probe or script, which keeps no cookie, would begin one.
    """
    email = named_by_proxy()
    if not email or (by_itself and (who_left() or not _opens_page())):
        return False
    user = let_in(Vouched(email, BY))
    enter(user, "a proxy", None)
    tell_lost(user, BY)
    session[BY_PROXY] = True
    return True


def _opens_page() -> bool:
    """As the browser says (Fetch Metadata); over plain HTTP, where it says nothing, by what it
    accepts."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is None:
        return "text/html" in request.headers.get("Accept", "").lower()
    return mode == "navigate"


def enter_if_named() -> bool:
    """Before each guarded page: whether this request has begun the session. Whoever is refused is
    sent to the sign-in page, which says why."""
    if current_user.is_authenticated:
        return False
    try:
        return enter_by_proxy()
    except ProblemError:
        return False


def stay_out() -> None:
    """After the sign-out: until somebody says otherwise."""
    if named_by_proxy():
        session[LEFT] = named_by_proxy()
