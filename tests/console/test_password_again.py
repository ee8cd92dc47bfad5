"""Before keys, people and channels are changed, the password is asked for once more."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from app.channels.sealing import unseal
from app.clock import now
from app.console import guards
from app.console.access import FRESH
from app.extensions import db, writing
from app.models import ApiKey, Channel, UserSession
from tests.console.pages import Page, open_page, send_form, sign_in, submit
from tests.factories import PASSWORD, Team
from tests.sessions import make_client
from tests.simulated_time import simulated_time

SOME_ID = "a" * 24
SECRET = "s3cr3t-of-a-channel"


def let_pass(minutes: float | None = 16) -> None:
    """So long ago the password was given in all sessions; None: before that was noted."""
    given = None if minutes is None else now() - timedelta(minutes=minutes)
    with writing() as session:
        session.execute(update(UserSession).values(password_at=given))


def keys() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(ApiKey.name).order_by(ApiKey.id)))


def fresh_rules(app: Flask) -> list[tuple[str, str]]:
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint in FRESH:
            method = "GET" if "GET" in (rule.methods or ()) else "POST"
            found.append((method, re.sub("<[^>]+>", SOME_ID, rule.rule)))
    return found


def test_whatever_needs_it_is_there_and_asks(app: Flask, owner: FlaskClient) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= FRESH
    token = open_page(owner, "/account").form("/sign-out").fields
    let_pass()
    for method, path in fresh_rules(app):
        answer = owner.open(path, method=method, data=token)
        assert answer.status_code == 403, path
        assert "Your password again" in Page(answer.text).text, path


GUARDED = {
    "keys",
    "key_page",
    "addresses",
    "channel",
    "settings",
    "two_factor",
    "importing",
    "workspace_export",
}
NOT_ASKED = {
    "channel.test": "sends to where the channel sends anyway",
    "settings.save_name": "opens nothing, and is changed back as easily",
    "settings.save_retention": "opens nothing",
    "two_factor.switch_off": "asks for the password in its own form, each time",
    "importing.show_plan": "makes nothing: its second step asks",
}
"""Why these go without it."""


@pytest.mark.once
def test_what_changes_keys_people_and_channels_asks_or_is_written_down_with_a_reason(
    app: Flask,
) -> None:
    concerned = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if (rule.endpoint.partition(".")[0] in GUARDED and "POST" in (rule.methods or ()))
        or "/export" in rule.rule
    }
    assert concerned - FRESH == NOT_ASKED.keys()
    assert all(NOT_ASKED.values()) and len(concerned) > 20


@pytest.mark.once
@pytest.mark.parametrize("minutes", [16, None])
def test_a_form_goes_on_once_the_password_is_given(
    owner: FlaskClient, team: Team, minutes: float | None
) -> None:
    form = open_page(owner, "/keys").form("/keys")
    let_pass(minutes)
    answer = submit(owner, form, name="Second key")
    page = Page(answer.text)
    assert answer.status_code == 403 and keys() == ["n8n-prod"]
    assert "What you typed is kept" in page.text
    answer = submit(owner, page.form("/keys"), password_again="wrong")
    page = Page(answer.text)
    assert answer.status_code == 422 and keys() == ["n8n-prod"]
    assert page.has_id("field-password_again-error")
    answer = submit(owner, page.form("/keys"), password_again=PASSWORD)
    assert answer.status_code == 200 and keys() == ["n8n-prod", "Second key"]
    assert submit(owner, open_page(owner, "/keys").form("/keys"), name="Third").status_code == 200


@pytest.mark.once
def test_lately_is_fifteen_minutes(owner: FlaskClient, team: Team) -> None:
    form = open_page(owner, "/keys").form("/keys")
    let_pass(14.5)
    assert submit(owner, form, name="Second").status_code == 200
    let_pass(15)
    assert submit(owner, form, name="Third").status_code == 403
    let_pass(-5)  # As a clock says that has been set back since.
    assert submit(owner, form, name="Fourth").status_code == 403


def test_signing_in_counts_and_each_browser_by_itself(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    let_pass()
    other = app.test_client()
    sign_in(other, team.email)
    assert send_form(other, "/keys", name="Second").status_code == 200
    assert send_form(owner, "/keys", name="Third").status_code == 403


@pytest.mark.once
def test_the_secrets_of_a_channel_are_neither_lost_nor_shown(
    owner: FlaskClient, team: Team
) -> None:
    path = "/alerts/channels/new/ntfy"
    form = replace(open_page(owner, path).form(""), action=path)
    let_pass()
    typed = {"name": "Phone", "server": "https://ntfy.example.org", "topic": "ops", "token": SECRET}
    answer = submit(owner, form, **typed)
    assert answer.status_code == 403 and SECRET not in answer.text
    answer = submit(owner, Page(answer.text).form(path), password_again=PASSWORD)
    assert answer.status_code == 303, answer.text
    channel = db.session.scalars(select(Channel)).one()
    assert (channel.name, unseal(channel.sealed_settings)["token"]) == ("Phone", SECRET)


@pytest.mark.once
def test_who_guesses_has_to_wait(owner: FlaskClient, team: Team) -> None:
    form = open_page(owner, "/keys").form("/keys")
    let_pass()
    page = Page(submit(owner, form, name="Second").text)
    for _ in range(10):
        assert submit(owner, page.form("/keys"), password_again="no").status_code == 422
    answer = submit(owner, page.form("/keys"), password_again=PASSWORD)
    assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 90
    assert keys() == ["n8n-prod"]


@pytest.mark.once
def test_a_sealed_form_is_good_for_its_own_person_and_address_alone(
    app: Flask, owner: FlaskClient, colleague: Any, team: Team
) -> None:
    admin = colleague("admin")
    let_pass()
    sealed = (
        Page(send_form(admin, "/keys", name="Planted").text).form("/keys").fields["sealed_form"]
    )
    form = open_page(owner, "/keys").form("/keys")
    form.fields |= {"sealed_form": sealed, "name": "Own"}
    answer = submit(owner, form, password_again=PASSWORD)
    assert answer.status_code == 403
    answer = submit(owner, Page(answer.text).form("/keys"), password_again=PASSWORD)
    assert answer.status_code == 200 and keys() == ["n8n-prod", "Own"]
    let_pass(0)
    path = "/alerts/channels/new/webhook"
    form = replace(open_page(admin, path).form(""), action=path)
    answer = submit(admin, form, sealed_form=sealed)
    assert answer.status_code == 422 and "Planted" not in answer.text


@pytest.mark.once
def test_what_goes_on_outlives_the_session_too(owner: FlaskClient, team: Team) -> None:
    form = open_page(owner, "/keys").form("/keys")
    let_pass()
    page = Page(submit(owner, form, name="Second").text)
    with writing() as session:
        session.execute(delete(UserSession))
    answer = submit(owner, page.form("/keys"), password_again=PASSWORD)
    form = Page(answer.text).form("/sign-in")
    answer = submit(owner, form, email=team.email, password=PASSWORD)
    answer = submit(owner, Page(answer.text).form("/keys"))
    assert answer.status_code == 200 and keys() == ["n8n-prod", "Second"]


def test_a_sealed_form_is_shown_to_nobody_else_once_the_session_is_over(
    app: Flask, owner: FlaskClient, colleague: Any, team: Team
) -> None:
    """Neither to a stranger, nor to who had signed in as somebody else, nor to them signed in."""
    admin = colleague("admin")
    form = open_page(owner, "/keys").form("/keys")
    let_pass()
    held = Page(submit(owner, form, name="Not for strangers").text).form("/keys").fields
    form = open_page(admin, "/keys").form("/keys")
    answer = submit(admin, form, sealed_form=held["sealed_form"], csrf_token="old")
    assert answer.status_code == 400 and "Not for strangers" not in answer.text
    with writing() as session:
        session.execute(delete(UserSession))
    for client in (app.test_client(), admin):
        answer = client.post("/keys", data=held)
        assert "Not for strangers" not in answer.text
        assert held["sealed_form"] not in answer.text
    assert "Not for strangers" in owner.post("/keys", data=held).text


@pytest.mark.once
def test_a_sealed_form_is_good_for_a_day(owner: FlaskClient, team: Team) -> None:
    form = open_page(owner, "/keys").form("/keys")
    let_pass()
    page = Page(submit(owner, form, name="Second").text)
    for hours, is_good in ((23, True), (25, False)):
        with simulated_time(datetime.now(UTC) + timedelta(hours=hours)), writing() as session:
            session.execute(update(UserSession).values(seen_at=now(), password_at=None))
        with simulated_time(datetime.now(UTC) + timedelta(hours=hours)):
            answer = submit(owner, page.form("/keys"), password_again="no")
        assert answer.status_code == (422 if is_good else 403)


@pytest.mark.once
def test_htmx_is_told_to_send_the_form_as_a_page(owner: FlaskClient, team: Team) -> None:
    fields = open_page(owner, "/keys").form("/keys").fields
    let_pass()
    answer = owner.post("/keys", data=fields, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.text) == (403, "")
    assert "form:plain" in answer.headers["HX-Trigger"]


@pytest.mark.once
def test_a_page_or_a_file_opens_behind_it(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "FRESH", FRESH | {"live_log.show_events"})
    let_pass()
    answer = owner.get("/events", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (403, "/events")
    page = open_page(owner, "/events?state=rejected", 403)
    form = page.form("/account/password/again")
    answer = submit(owner, form, password_again="no")
    assert answer.status_code == 422
    answer = submit(owner, Page(answer.text).form(form.action), password_again=PASSWORD)
    assert (answer.status_code, answer.location) == (303, "/events?state=rejected")
    assert owner.get(answer.location).status_code == 200
    form.fields["next"] = "//evil.example"
    assert submit(owner, form, password_again=PASSWORD).location == "/"


@pytest.mark.once
def test_a_person_is_removed_with_the_password_alone(
    app: Flask, owner: FlaskClient, colleague: Any, team: Team
) -> None:
    """Without a script the question comes first, then the password."""
    colleague("member")
    page = open_page(owner, "/settings")
    form = next(form for form in page.forms if form.action.endswith("/remove"))
    let_pass()
    answer = submit(owner, form)
    answer = submit(owner, Page(answer.text).form(form.action), password_again=PASSWORD)
    assert answer.status_code == 303
    assert "member@example.org is no longer" in open_page(owner, "/settings").text
    assert make_client(app, team.email).get("/settings").status_code == 200
