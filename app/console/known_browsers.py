"""Browsers that have signed in before: whoever guesses elsewhere does not hold them up.

A signed cookie says as whom, as OWASP's "device cookies" have it; it opens nothing by itself. It is
worth nothing once the address, the password or the second factor is another one.
"""

import hashlib
import hmac
import json
import secrets
from typing import Any, NamedTuple

from flask import Response, current_app, g, request
from flask_login import login_user
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import select

from app.extensions import db
from app.models import User

NAME = "flowpulse_browser"
DAYS = 400
"""The longest that browsers keep a cookie."""
MOST_PEOPLE = 5


class Browser(NamedTuple):
    """An id of its own, and marks of the people who have signed in here, the last one first."""

    id: str
    people: tuple[str, ...]


def find_browser(email: str) -> str | None:
    """The id of this browser, if this person has signed in by it, with what still signs in."""
    browser = _read()
    if browser is None:
        return None
    user = db.session.scalar(select(User).where(User.email == email.strip().lower()))
    return browser.id if user and _mark(user) in browser.people else None


def know_browser(user: User) -> None:
    """From the answer to this request on, the browser is known to this person, who has given the
    password in it."""
    browser, mark = _read() or Browser(secrets.token_urlsafe(12), ()), _mark(user)
    others = tuple(each for each in browser.people if each != mark)
    g.known_browser = browser._replace(people=(mark, *others)[:MOST_PEOPLE])


def go_on_with(user: User, token: str) -> None:
    """What signs the person in has changed: this browser goes on with another token."""
    user.session_token = token
    login_user(user)
    know_browser(user)


def set_browser_cookie(response: Response) -> Response:
    """After the request, where somebody has signed in, or changed what signs them in."""
    if "known_browser" in g:
        response.set_cookie(
            _name(),
            _signer().dumps(g.known_browser),
            max_age=DAYS * 86_400,
            httponly=True,
            samesite="Lax",
            secure=_is_secure(),
        )
    return response


def _read() -> Browser | None:
    try:
        number, people = _signer().loads(request.cookies.get(_name(), ""))
        return Browser(str(number), tuple(map(str, people)))
    except (BadData, TypeError, ValueError):
        return None


def _name() -> str:
    """On HTTPS one that browsers take from this host alone (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{NAME}" if _is_secure() else NAME


def _is_secure() -> bool:
    """As it is with the session's cookie."""
    sessions: Any = current_app.session_interface
    return bool(sessions.get_cookie_secure(current_app))


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], "known browser")


def _mark(user: User) -> str:
    """Of what signs the person in now; only who reads the server's secret can work it out."""
    secret: bytes = current_app.config["FLOWPULSE_KEY_SECRET"]
    held = json.dumps([user.email, user.password_hash, user.totp_sealed])
    return hmac.digest(secret, f"known browser {held}".encode(), hashlib.sha256).hex()[:40]
