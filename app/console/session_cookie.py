"""The browser's session: a signed cookie that holds the token of a session in the database."""

from datetime import timedelta

from flask import Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

NAME = "flowpulse_session"
SECURE_NAME = f"__Host-{NAME}"
"""Browsers take it from HTTPS alone, for all paths, and from no other host of the domain (RFC
6265bis, 4.1.3.2): a neighbour can't plant a session of its own."""
_WITHOUT_SESSION = ("/api/", "/static/")


class ConsoleSessions(SecureCookieSessionInterface):
    """API and files neither read nor set a cookie, which keeps them quick and cacheable."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if request.path.startswith(_WITHOUT_SESSION):
            return self.make_null_session(app)
        return super().open_session(app, request)

    def get_cookie_name(self, app: Flask) -> str:
        return SECURE_NAME if self.get_cookie_secure(app) else NAME

    def get_cookie_secure(self, app: Flask) -> bool:
        """On HTTPS the cookie stays on HTTPS, whether a setting or the request tells of it."""
        return super().get_cookie_secure(app) or request.is_secure


def configure_session_cookie(app: Flask) -> None:
    """The cookie lives as long as a session may; the database can end it before."""
    app.config.from_mapping(
        SESSION_COOKIE_NAME=NAME,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # Strict would have whoever follows a mail's link sign in.
        SESSION_COOKIE_PATH="/",  # Under a sub-path of a proxy too, as `__Host-` asks for it.
        SESSION_COOKIE_SECURE=app.config["FLOWPULSE_PUBLIC_URL"].startswith("https://"),
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(days=app.config["FLOWPULSE_SESSION_DAYS"]),
        SESSION_PROTECTION=None,  # The session is a row; its end is in our hands.
        WTF_CSRF_SSL_STRICT=False,  # It insists on a Referer; app/console/origins.py looks at more.
        WTF_CSRF_TIME_LIMIT=None,  # A form is good as long as the session that it came with.
    )
