"""What the second factor, turned on or off, does to sessions: one's own too."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.console.session_cookie import NAME
from app.extensions import db
from app.models import UserSession
from tests.console.pages import open_page, send_form, submit
from tests.console.test_two_factor import OFFER_PATH, code_of, offered_key
from tests.factories import PASSWORD, Team
from tests.sessions import make_client


def copy_of(client: FlaskClient, app: Flask) -> FlaskClient:
    """A browser that holds the same cookie, as whoever has stolen it."""
    thief, cookie = app.test_client(), client.get_cookie(NAME)
    assert cookie
    thief.set_cookie(NAME, cookie.value)
    assert thief.get("/account").status_code == 200
    return thief


def test_on_and_off_leave_a_copied_cookie_and_all_other_sessions_with_nothing(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    thief, page = copy_of(owner, app), open_page(owner, OFFER_PATH)
    assert submit(owner, page.form(OFFER_PATH), code="000000").status_code == 422
    assert thief.get("/account").status_code == 200
    submit(owner, page.form(OFFER_PATH), code=code_of(offered_key(page)))
    assert (thief.get("/account").status_code, owner.get("/account").status_code) == (302, 200)
    thief, other = copy_of(owner, app), make_client(app, team.email)
    wrong = send_form(owner, "/account", f"{OFFER_PATH}/off", two_factor_password="wrong")
    assert (wrong.status_code, thief.get("/account").status_code) == (422, 200)
    send_form(owner, "/account", f"{OFFER_PATH}/off", two_factor_password=PASSWORD)
    assert (thief.get("/account").status_code, other.get("/account").status_code) == (302, 302)
    account = open_page(owner, "/account")
    assert "All other sessions have ended." in account.text
    assert "turned off in another browser" in open_page(other, "/sign-in").text


@pytest.mark.once
def test_turning_it_on_is_no_password(app: Flask, owner: FlaskClient, team: Team) -> None:
    """Another token alone does not make an older password a new one."""
    given = select(UserSession.password_at)
    before = db.session.scalars(given).one()
    page = open_page(owner, OFFER_PATH)
    submit(owner, page.form(OFFER_PATH), code=code_of(offered_key(page)))
    assert db.session.scalars(given).one() == before
