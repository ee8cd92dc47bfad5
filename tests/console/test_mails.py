"""Mails, and those without a channel: who was to get them, and what came of each try."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.channels import courier
from app.channels.kinds import KINDS
from app.channels.message import Message
from app.channels.network import NO_MAIL
from app.channels.outbox import put_mail
from app.clock import now
from app.extensions import db, writing
from app.models import Delivery, OutboxMessage, User
from tests.channels.conftest import make_channel
from tests.channels.deliveries import deliver, make_message
from tests.channels.receivers import MailBox
from tests.console.pages import open_page, send_form
from tests.factories import Team, make_team, report

LIST, CHANNELS = "/alerts/mails", "/alerts/channels"
FAILS = "450 Come back later"


@pytest.fixture
def mails(app: Flask) -> Iterator[MailBox]:
    """A mail server that takes nothing from us yet."""
    with MailBox() as mail_box:
        app.config.update(mail_box.settings)
        yield mail_box


def put(team: Team, mail_id: str = "week-20260112-1", to: str | None = None) -> Delivery:
    message: Message = make_message(id=mail_id, kind="digest", title="Demo: 12 runs", incident="")
    with writing() as session:
        put_mail(session.connection(), message, team.workspace_id, [to or team.email], now())
    return db.session.scalars(select(Delivery).order_by(Delivery.id.desc())).all()[0]


def turn_clock(monkeypatch: pytest.MonkeyPatch, **amount: float) -> None:
    moment = now() + timedelta(**amount)
    monkeypatch.setattr(courier, "now", lambda: moment)


def test_the_log_names_each_mail_and_shows_each_try(
    owner: FlaskClient, team: Team, mails: MailBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing():
        db.session.scalars(select(User)).one().name = "Ana"
    assert "No mails yet" in open_page(owner, LIST).text
    mails.refuse = {team.email: FAILS}
    path = f"/alerts/deliveries/{put(team).public_id}"
    deliver()
    page = open_page(owner, LIST)
    assert "Weekly digest to Ana" in page.text and "Demo: 12 runs" in page.text
    assert "Tried again soon" in page.text and path in page.links
    assert LIST in open_page(owner, CHANNELS).links
    tried = open_page(owner, path)
    assert FAILS in tried.text and LIST in tried.links
    mails.refuse = {}
    assert send_form(owner, path, f"{path}/again").status_code == 303
    turn_clock(monkeypatch, minutes=1)
    assert deliver() == 1
    assert "250 Kept as number 1" in open_page(owner, path).text
    put(team, "off-1", "bo@example.org")
    assert "E-mail to bo@example.org" in open_page(owner, LIST).text


def test_the_overview_names_mails_that_keep_failing_until_one_arrives(
    owner: FlaskClient, team: Team, mails: MailBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(owner, team)
    mails.refuse = {team.email: FAILS, "left@example.org": FAILS}
    first = put(team)
    put(team, "off-1", "left@example.org")
    assert "Weekly digest" not in open_page(owner, "/").text
    deliver()
    page = open_page(owner, "/")
    assert "Weekly digest to" in page.text and "it is tried again" in page.text
    assert "left@example.org" not in page.text
    assert f"/alerts/deliveries/{first.public_id}" in page.links
    with writing():
        first.state, first.next_try_at = "given_up", None
    assert "is no longer tried" in open_page(owner, "/").text
    mails.refuse = {}
    put(team, "week-20260119-1")
    turn_clock(monkeypatch, minutes=1)
    deliver()
    assert "Weekly digest to" not in open_page(owner, "/").text


def test_what_failed_long_ago_is_not_on_the_overview(owner: FlaskClient, team: Team) -> None:
    report(owner, team)
    put(team)
    deliver()  # No mail server is set.
    assert "Weekly digest to" in open_page(owner, "/").text
    with writing():
        db.session.scalars(select(OutboxMessage)).one().created_at = now() - timedelta(days=9)
    assert "Weekly digest to" not in open_page(owner, "/").text


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("member", 403), ("viewer", 403)])
def test_only_who_runs_the_workspace_sees_the_addresses(
    colleague: Callable[[str], FlaskClient],
    owner: FlaskClient,
    team: Team,
    role: str,
    status: int,
) -> None:
    report(owner, team)
    path = f"/alerts/deliveries/{put(team).public_id}"
    deliver()
    client = colleague(role)
    assert client.get(LIST).status_code == status
    assert (client.get(path).status_code == 200) == (status == 200)
    assert ("Weekly digest to" in client.get("/").text) == (status == 200)
    assert (LIST in open_page(client, CHANNELS).links) == (status == 200)


def test_mails_of_another_workspace_are_not_there(owner: FlaskClient, team: Team) -> None:
    other = put(make_team("Other", first=False), to="eve@example.org")
    deliver()
    assert "eve@example.org" not in open_page(owner, LIST).text
    assert owner.get(f"/alerts/deliveries/{other.public_id}").status_code == 404


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_for_mail_warns_where_none_is_sent(
    app: Flask, owner: FlaskClient, team: Team, kind: str
) -> None:
    channel = make_channel(team, kind, recipients="a@example.org")
    paths = (f"{CHANNELS}/new/{kind}", f"{CHANNELS}/{channel.public_id}")
    for path in paths:
        assert (NO_MAIL in open_page(owner, path).text) == (kind == "email")
    assert NO_MAIL in open_page(owner, "/account").text
    app.config["FLOWPULSE_SMTP_HOST"] = "smtp.example.org"
    for path in paths:
        assert NO_MAIL not in open_page(owner, path).text
