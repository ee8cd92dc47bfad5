"""People whom a proxy names by a header: believed from the proxy alone, and of pages alone."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.doctor.sign_in_health import check_who_comes
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import AuditEntry, Event, Membership, UserSession, Workspace
from app.workspaces.people import create_user
from app.workspaces.rescue import find_person, reset_password
from tests.console.pages import Page, send_form, sign_in
from tests.factories import PASSWORD, Team

HEADER, PROXY, STRANGER = "X-Forwarded-User", "10.0.0.1", "203.0.113.66"


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_app(
        FLOWPULSE_PROXY_USER_HEADER=HEADER, FLOWPULSE_TRUSTED_PROXIES=f"{PROXY}, 10.0.0.2"
    )
    with app.app_context():
        yield app
        db.session.remove()


class Browser:
    """Behind the proxy, which names somebody with each request; or past it."""

    def __init__(self, app: Flask, email: str = "", peer: str = PROXY) -> None:
        self.client, self.email, self.peer = app.test_client(), email, peer

    def open(self, path: str, method: str = "GET", says: Any = None, **options: Any) -> Any:
        """`says`: what it does in its headers; by itself, that it opens a page."""
        headers = {HEADER: self.email} if self.email else {}
        headers |= {"Accept": "text/html,*/*;q=0.8"} if says is None else says
        environ = {"REMOTE_ADDR": self.peer}
        return self.client.open(
            path, method=method, headers=headers, environ_overrides=environ, **options
        )

    def send(self, path: str, action: str, **values: str) -> Any:
        form = Page(self.open(path).text).form(action)
        return self.open(action, "POST", data={**form.fields, **values})

    @property
    def is_in(self) -> bool:
        return bool(self.open("/account").status_code == 200)


def sessions() -> int:
    db.session.rollback()
    return len(db.session.scalars(select(UserSession.id)).all())


def test_whom_the_proxy_names_is_in_at_once(app: Flask, team: Team) -> None:
    browser = Browser(app, team.email.upper())
    assert team.email in browser.open("/account").text and browser.is_in
    assert sessions() == 1, "One for all that follows"
    signed_in = select(AuditEntry.details).where(AuditEntry.what == "signed_in")
    assert list(db.session.scalars(signed_in)) == [{"by": "a proxy"}]
    assert browser.open("/sign-in?next=/events").location == "/events"
    told = {"name": "", "email": "boss@example.org", "password": PASSWORD}
    answer = browser.send("/account", "/account/profile", **told)
    assert answer.status_code == 422 and "knows people by their address" in answer.text


@pytest.mark.once
def test_only_who_opens_a_page_gets_a_session(app: Flask, team: Team) -> None:
    """Probes and scripts keep no cookie: each of their requests would begin one."""
    for says, status in (
        ({}, 302),
        ({"Accept": "*/*"}, 302),
        ({"Accept": "text/html", "Sec-Fetch-Mode": "cors"}, 302),
        ({"Accept": "text/event-stream", "Sec-Fetch-Mode": "no-cors"}, 401),
    ):
        browser = Browser(app, team.email)
        assert browser.open("/account", says=says).status_code == status, says
        assert Page(browser.open("/sign-in", says=says).text).has_id("field-password")
    assert sessions() == 0
    assert list(db.session.scalars(select(AuditEntry).where(AuditEntry.what == "signed_in"))) == []
    says = {"Accept": "*/*", "Sec-Fetch-Mode": "navigate"}
    assert Browser(app, team.email).open("/account", says=says).status_code == 200
    assert sessions() == 1


@pytest.mark.once
def test_a_header_from_elsewhere_is_nobody_s_word(app: Flask, team: Team) -> None:
    for peer in (STRANGER, "10.0.0.3", "127.0.0.1"):
        forged = Browser(app, team.email, peer)
        assert forged.open("/account").status_code == 302
        assert team.email not in forged.open("/sign-in").text
    for name in ("Remote-User", "X-Forwarded-Email"):
        answer = app.test_client().get(
            "/account",
            headers={name: team.email, "Accept": "text/html"},
            environ_overrides={"REMOTE_ADDR": PROXY},
        )
        assert answer.status_code == 302
    browser = Browser(app, team.email)
    assert browser.is_in
    browser.peer = STRANGER
    assert not browser.is_in, "Its cookie opens nothing without the proxy's word"
    assert sessions() == 1


@pytest.mark.once
def test_only_the_white_space_of_a_header_is_cut_off(app: Flask, team: Team) -> None:
    assert Browser(app, f" \t{team.email} ").is_in
    for blank in ("\xa0", "\x85"):
        assert not Browser(app, f"{team.email}{blank}").is_in


@pytest.mark.once
def test_the_session_is_of_whom_the_proxy_names_now(app: Flask, team: Team) -> None:
    workspace = db.session.get_one(Workspace, team.workspace_id)
    create_user("bo@example.org", PASSWORD, "viewer", workspace)
    browser = Browser(app, team.email)
    assert browser.is_in
    browser.email = "bo@example.org"
    assert "bo@example.org" in browser.open("/account").text
    browser.email = ""
    assert not browser.is_in
    browser.email = "stranger@example.org"
    answer = browser.open(browser.open("/events").location)
    assert answer.status_code == 200 and "neither an account nor an open" in answer.text
    assert Page(answer.text).has_id("field-password"), "Others sign in by a password"


@pytest.mark.once
def test_who_signs_out_stays_out_until_they_say_so(app: Flask, team: Team) -> None:
    browser = Browser(app, team.email)
    assert browser.is_in and browser.send("/account", "/sign-out").status_code == 303
    assert sessions() == 0 and not browser.is_in
    page = Page(browser.open("/sign-in").text)
    assert f"Go on as {team.email}" in page.text
    answer = browser.send("/sign-in?next=/keys", "/sign-in/proxy")
    assert (answer.status_code, answer.location) == (303, "/keys")
    assert browser.is_in


@pytest.mark.once
def test_roles_ends_and_removal_count_at_the_next_click(app: Flask, team: Team) -> None:
    workspace = db.session.get_one(Workspace, team.workspace_id)
    create_user("bo@example.org", PASSWORD, "owner", workspace)
    browser = Browser(app, "bo@example.org")
    assert browser.open("/settings/audit").status_code == 200
    person = find_person("bo@example.org")
    with writing() as session:
        mine = Membership.user_id == person.id
        session.execute(update(Membership).where(mine).values(role="viewer"))
        session.execute(update(UserSession).values(end_reason="role"))
    assert browser.open("/settings/audit").status_code == 403
    assert sessions() == 2, "A new session, with the new role"
    with writing() as session:
        session.delete(session.scalars(select(Membership).where(mine)).one())
    assert "belong to no workspace" in browser.open("/").text
    with writing() as session:
        session.delete(find_person("bo@example.org"))
    assert not browser.is_in


def test_what_has_opened_the_account_before_ends_at_the_first_sign_in_by_the_proxy(
    app: Flask, team: Team
) -> None:
    """An admin has opened the invitation's link themself, and chosen the password."""
    workspace = db.session.get_one(Workspace, team.workspace_id)
    create_user("bo@example.org", PASSWORD, "member", workspace)
    other = app.test_client()
    assert sign_in(other, "bo@example.org").status_code == 303
    person = Browser(app, "bo@example.org")
    page = person.open("/account")
    assert page.status_code == 200 and "linked to the proxy from now on" in Page(page.text).text
    assert other.get("/account").status_code == 302, "The session that the password has opened"
    assert sign_in(app.test_client(), "bo@example.org").status_code == 422
    assert not find_person("bo@example.org").has_password
    noted = select(AuditEntry.details).where(AuditEntry.what == "provider_linked")
    assert list(db.session.scalars(noted)) == [
        {"provider": "the proxy", "taken away": "password, sessions"}
    ]
    assert person.is_in
    reset_password("bo@example.org", PASSWORD)
    assert person.is_in, "Anew, by the proxy"
    assert sign_in(app.test_client(), "bo@example.org").status_code == 303, "Their own by now"
    assert len(db.session.scalars(noted).all()) == 1


@pytest.mark.once
def test_the_password_is_asked_for_again_from_who_has_one(app: Flask, team: Team) -> None:
    browser = Browser(app, team.email)
    assert browser.is_in
    reset_password(team.email, PASSWORD)
    answer = browser.send("/keys", "/keys", name="n8n")
    assert answer.status_code == 403 and Page(answer.text).has_id("field-password_again")
    app.config.update(
        FLOWPULSE_SIGN_UP_DOMAINS=("*",),
        FLOWPULSE_SIGN_UP_WORKSPACE=db.session.get_one(Workspace, team.workspace_id).public_id,
        FLOWPULSE_SIGN_UP_ROLE="member",
    )
    new = Browser(app, "new@example.org")
    assert new.send("/keys", "/keys", name="n8n").status_code == 200
    assert HEADER in check_who_comes().message


@pytest.mark.once
def test_no_form_is_taken_by_the_proxy_s_word_alone(app: Flask, team: Team) -> None:
    browser = Browser(app, team.email)
    answer = browser.open("/workflows", "POST", data={"name": "Forged"})
    assert answer.status_code == 400 and "Forged" in answer.text
    assert "Forged" not in browser.open("/workflows").text


@pytest.mark.once
def test_a_form_of_whom_the_proxy_named_before_is_not_sent_by_who_comes_now(
    app: Flask, team: Team
) -> None:
    workspace = db.session.get_one(Workspace, team.workspace_id)
    create_user("bo@example.org", PASSWORD, "owner", workspace)
    browser = Browser(app, team.email)
    form = Page(browser.open("/workflows").text).form("/workflows")
    browser.email = "bo@example.org"
    answer = browser.open("/workflows", "POST", data={**form.fields, "name": "Not hers"})
    assert answer.status_code == 400 and "Not hers" in answer.text
    assert "Not hers" not in browser.open("/workflows").text
    assert browser.send("/workflows", "/workflows", name="Her own").status_code == 303


@pytest.mark.once
def test_senders_are_not_concerned_and_no_header_is_kept(
    app: Flask, team: Team, client: FlaskClient
) -> None:
    event = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    for peer in (PROXY, STRANGER):
        told: Any = {"environ_overrides": {"REMOTE_ADDR": peer}}
        headers = {HEADER: team.email}
        sent = client.post(
            "/api/v1/ingest/run-success", json=event, headers=headers | team.headers, **told
        )
        assert sent.status_code == 202
        assert client.get("/api/v1/events", headers=headers, **told).status_code == 401
    ingest_service().recorder.flush()
    kept = db.session.scalars(select(Event.headers)).all()
    assert kept and team.email not in str(kept)


@pytest.mark.once
def test_without_the_setting_a_header_says_nothing(
    make_app: Callable[..., Flask], team: Team
) -> None:
    app = make_app(FLOWPULSE_TRUSTED_PROXIES=PROXY)
    assert not Browser(app, team.email).is_in
    answer = send_form(app.test_client(), "/sign-in", email=team.email, password=PASSWORD)
    assert answer.status_code == 303
