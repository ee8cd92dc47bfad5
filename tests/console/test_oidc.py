"""Signing in by a provider: a real one, run by node, and every refusal."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import select, update

from app.clock import now
from app.extensions import db, writing
from app.models import (
    AuditEntry,
    Identity,
    Invitation,
    Membership,
    User,
    UserSession,
    Workspace,
)
from app.workspaces.invitations import invite
from app.workspaces.people import create_user
from tests.console.pages import Page, open_page, send_form, sign_in, submit
from tests.factories import PASSWORD, Team
from tests.lighthouse import MissingError
from tests.provider.running import CLIENT_ID, CLIENT_SECRET, Person, find_path, running

BACK = "http://localhost/sign-in/oidc/callback"
NAME = "Team ID"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    try:
        with running(BACK) as issuer:
            yield issuer
    except MissingError as error:
        pytest.skip(f"THE SIGN-IN PROVIDER WAS NOT RUN: {error}")


@pytest.fixture
def make_own(
    make_app: Callable[..., Flask], issuer: str, compiled_templates: FileSystemBytecodeCache
) -> Callable[..., Flask]:
    def make(**settings: object) -> Flask:
        own = {
            "FLOWPULSE_PUBLIC_URL": "http://localhost",
            "FLOWPULSE_OIDC_ISSUER": issuer,
            "FLOWPULSE_OIDC_CLIENT_ID": CLIENT_ID,
            "FLOWPULSE_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "FLOWPULSE_OIDC_NAME": NAME,
        }
        app = make_app(**{**own, **settings})
        app.jinja_env.bytecode_cache = compiled_templates
        return app

    return make


@pytest.fixture
def app(make_own: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_own()
    with app.app_context():
        yield app
        db.session.remove()


def leave(client: FlaskClient, path: str = "/sign-in/oidc") -> str:
    """The address at the provider that a link leads to."""
    answer = client.get(path)
    assert answer.status_code == 302, answer.text
    return str(answer.location)


def enter(client: FlaskClient, login: str, path: str = "/sign-in/oidc") -> Any:
    """Through the provider and back, in a browser that is new to it."""
    return client.get(find_path(Person(login).come_back(leave(client, path), BACK)))


def invited(team: Team, email: str, role: str = "member") -> str:
    """Returns the invitation's token."""
    query = select(Membership).join(Membership.user).where(User.email == team.email)
    _, token = invite(db.session.scalars(query).one(), email, role)
    return token


def refusals() -> list[tuple[str | None, str]]:
    db.session.rollback()
    query = select(AuditEntry).where(AuditEntry.what == "sign_in_refused").order_by(AuditEntry.id)
    return [(each.about, each.details["step"]) for each in db.session.scalars(query)]


def test_from_the_button_through_the_provider_into_the_console(
    client: FlaskClient, team: Team, issuer: str
) -> None:
    wanted = client.get("/events?state=rejected").location
    page = open_page(client, wanted)
    assert f"Sign in with {NAME}" in page.text
    (button,) = [link for link in page.links if link.startswith("/sign-in/oidc")]
    url = leave(client, button)
    for part in ("code_challenge_method=S256", "state=", "nonce=", "response_type=code"):
        assert part in url
    back = Person(team.email).come_back(url, BACK)
    answer = client.get(find_path(back))
    assert (answer.status_code, answer.location) == (303, "/events?state=rejected")
    account = open_page(client, "/account")
    assert f"Linked since" in account.text and f"to {team.email} at {issuer}" in account.text
    entries = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    told = [(each.what, each.who, each.details) for each in entries[-2:]]
    assert told == [
        ("provider_linked", team.email, {"provider": NAME}),
        ("signed_in", team.email, {"by": NAME}),
    ]
    assert client.get(find_path(back)).status_code == 400, "A way back counts once"
