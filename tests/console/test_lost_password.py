"""A lost password: by a mail with a link, by real SMTP, for nobody but its receiver."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.channels import network
from app.clock import now
from app.extensions import db, writing
from app.models import NO_PASSWORD, Delivery, Identity, OutboxMessage, User
from app.workspaces import lost_password
from app.workspaces.lost_password import make_token
from app.workspaces.rescue import unlink
from app.workspaces.vouched import Vouched, let_in
from tests.channels.deliveries import deliver
from tests.channels.receivers import MailBox
from tests.console.pages import open_page, send_form, sign_in
from tests.factories import Team
from tests.sessions import make_client

ASK = "/sign-in/lost-password"
NEW = "an even longer password"
ISSUER = "https://id.example.org"


@pytest.fixture
def mail_box(app: Flask) -> Iterator[MailBox]:
    with MailBox() as box:
        app.config |= {
            "FLOWPULSE_SMTP_HOST": "127.0.0.1",
            "FLOWPULSE_SMTP_PORT": box.port,
            "FLOWPULSE_SMTP_SECURITY": "none",
            "FLOWPULSE_PUBLIC_URL": "http://localhost",
            "FLOWPULSE_ALLOW_PRIVATE_ADDRESSES": True,
        }
        yield box


def ask(app: Flask, email: str) -> tuple[int, str]:
    answer = send_form(app.test_client(), ASK, ASK, email=email)
    return answer.status_code, answer.text.replace(email, "…")


def link_in(box: MailBox) -> str:
    deliver()
    found = re.search(r"http://localhost(/\S+)", box.mails[-1].get_content())
    assert found
    return found[1]


def choose(app: Flask, link: str, password: str = NEW) -> int:
    status: int = send_form(app.test_client(), link, link, password=password).status_code
    return status


def person(email: str) -> User:
    db.session.rollback()
    return db.session.scalars(select(User).where(User.email == email)).one()


def test_a_mail_leads_to_a_new_password(app: Flask, team: Team, mail_box: MailBox) -> None:
    signed_in = make_client(app, team.email)
    assert ask(app, team.email.upper())[0] == 200
    link = link_in(mail_box)
    assert mail_box.mails[0]["To"] == team.email
    assert team.email in open_page(app.test_client(), link).text
    assert choose(app, link) == 303
    assert signed_in.get("/").status_code == 302
    browser = app.test_client()
    told = {"email": team.email, "password": NEW}
    assert send_form(browser, "/sign-in", **told).status_code == 303
    assert sign_in(app.test_client(), team.email).status_code == 422


def test_a_link_works_once_and_ends_with_the_password(
    app: Flask, team: Team, mail_box: MailBox
) -> None:
    ask(app, team.email)
    first = link_in(mail_box)
    ask(app, team.email)
    second = link_in(mail_box)
    assert choose(app, first) == 303
    for link in (first, second):
        open_page(app.test_client(), link, 410)


def test_a_weak_password_leaves_the_link_as_it_is(
    app: Flask, team: Team, mail_box: MailBox
) -> None:
    ask(app, team.email)
    link = link_in(mail_box)
    assert choose(app, link, "password1234") == 422
    assert choose(app, link) == 303


def test_a_link_ends_after_an_hour(
    app: Flask, team: Team, mail_box: MailBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_password, "VALID_FOR", timedelta(seconds=-1))
    token = make_token(person(team.email))
    open_page(app.test_client(), f"/sign-in/new-password/{token}", 410)


def link_to_provider(email: str) -> None:
    let_in(Vouched(email, "Team ID", issuer=ISSUER, subject="7"))


@pytest.mark.parametrize("had_password", [True, False])
@pytest.mark.parametrize("change", [link_to_provider, unlink])
def test_a_link_ends_where_the_account_is_linked_to_a_provider_or_unlinked(
    app: Flask, team: Team, change: Callable[[str], object], had_password: bool
) -> None:
    """Whoever asked for it may read the former owner's mails, also where no password was there."""
    app.config["FLOWPULSE_OIDC_ISSUER"] = ISSUER
    user_id = person(team.email).id
    with writing() as session:
        if change is unlink:
            session.add(Identity(user_id=user_id, issuer=ISSUER, subject="7"))
        if not had_password:
            session.get_one(User, user_id).password_hash = NO_PASSWORD
    link = f"/sign-in/new-password/{make_token(person(team.email))}"
    browser = app.test_client()
    token = open_page(browser, link).form(link).fields["csrf_token"]
    change(team.email)
    assert browser.post(link, data={"csrf_token": token, "password": NEW}).status_code == 410
    open_page(app.test_client(), link, 410)
    assert not person(team.email).has_password
    fresh = f"/sign-in/new-password/{make_token(person(team.email))}"
    assert choose(app, fresh) == 303, "Asked for afterwards"


def test_a_link_of_another_person_or_time_is_none(app: Flask, team: Team) -> None:
    public_id, until, signature = make_token(person(team.email)).split("-")
    for token in (
        f"{'a' * 24}-{until}-{signature}",
        f"{public_id}-{int(until) + 1}-{signature}",
        f"{public_id}-{until}-{signature[:-1]}0",
        f"{public_id}-{until}-",
        f"{public_id}-9{until}9-{signature}",
        f"{public_id}",
        "%00-1-x",
        "é-²-ß",
        "--",
    ):
        if token != "-".join((public_id, until, signature)):
            open_page(app.test_client(), f"/sign-in/new-password/{token}", 410)


def test_who_is_unknown_gets_the_same_answer_and_no_mail(
    app: Flask, team: Team, mail_box: MailBox
) -> None:
    assert ask(app, "nobody@example.org") == ask(app, team.email)
    deliver()
    assert [mail["To"] for mail in mail_box.mails] == [team.email]
    assert db.session.scalar(select(func.count(OutboxMessage.id))) == 2
    assert db.session.scalar(select(func.count(Delivery.id))) == 1


def test_so_many_mails_an_hour(app: Flask, team: Team, mail_box: MailBox) -> None:
    app.config["FLOWPULSE_FAILED_SIGN_IN_LIMIT"] = 2
    assert [ask(app, team.email)[0] for _ in range(3)] == [200, 200, 429]


def test_the_link_stands_nowhere_but_in_the_mail(
    app: Flask, owner: FlaskClient, team: Team, mail_box: MailBox, tmp_path: Path
) -> None:
    ask(app, team.email)
    link = link_in(mail_box)
    message = db.session.scalars(select(OutboxMessage)).one()
    delivery = db.session.scalars(select(Delivery)).one()
    assert link.rpartition("-")[2] not in str(vars(message))
    page = open_page(owner, f"/alerts/deliveries/{delivery.public_id}").text
    assert "only its receiver sees it" in page and "sealed:" not in page


def test_without_mail_the_command_is_shown(app: Flask, team: Team) -> None:
    assert "user reset-password" in open_page(app.test_client(), ASK).text
    assert not network.can_mail_links()
    browser = app.test_client()
    token = open_page(browser, "/sign-in").form("/sign-in").fields["csrf_token"]
    told = {"csrf_token": token, "email": team.email}
    assert browser.post(ASK, data=told).status_code == 403


def test_the_sign_in_page_leads_to_it(app: Flask, team: Team) -> None:
    assert ASK in open_page(app.test_client(), "/sign-in").links


def test_an_invitation_goes_out_by_mail_too(
    app: Flask, owner: FlaskClient, mail_box: MailBox
) -> None:
    answer = send_form(
        owner,
        "/settings",
        "/settings/invitations",
        invited_email="bo@example.org",
        invited_role="viewer",
    )
    assert "A mail with the link is on its way" in answer.text
    link = link_in(mail_box)
    assert mail_box.mails[0]["To"] == "bo@example.org"
    assert link in answer.text
    assert send_form(app.test_client(), link, link, password=NEW).status_code == 303
    assert now() > person("bo@example.org").created_at
