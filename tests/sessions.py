"""People who are signed in, without the form that `tests/console/test_sign_in.py` is about."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import BrowserContext
from sqlalchemy import select

from app.console.session_cookie import NAME, SECURE_NAME
from app.extensions import db
from app.models import User
from app.workspaces.sessions import start_session
from tests.apps import close_app, make_app
from tests.server import LiveServer

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"


def make_cookie(app: Flask, email: str, user_agent: str = "") -> str:
    """What the browser holds of a new session of this person's."""
    user = db.session.scalars(select(User).where(User.email == email)).one()
    token = start_session(user, "127.0.0.1", user_agent).session_token
    interface: Any = app.session_interface
    held = {"_permanent": True, "_user_id": token, "_fresh": True}
    return str(interface.get_signing_serializer(app).dumps(held))


def make_client(
    app: Flask, email: str, domain: str = "localhost", *, is_https: bool = False
) -> FlaskClient:
    """The signed-in client of a person, in a test with an app of its own.

    `is_https`: to the app as well, by what a proxy tells it.
    """
    client = app.test_client()
    is_secure = is_https or app.config["SESSION_COOKIE_SECURE"]
    with app.app_context():
        client.set_cookie(
            SECURE_NAME if is_secure else NAME, make_cookie(app, email), domain=domain
        )
    db.session.rollback()  # What the test reads later is newer than this.
    return client


def enter(context: BrowserContext, server: LiveServer, email: str) -> None:
    """Sign this browser in on a live server."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        cookie = make_cookie(app, email, BROWSER)
    close_app(app)
    context.add_cookies([{"name": NAME, "value": cookie, "url": server.url, "httpOnly": True}])
