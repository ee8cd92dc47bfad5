"""What the audit log tells of sign-ins, passwords and second factors."""

from flask import Flask, current_app
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.extensions import db, writing
from app.models import AuditEntry, User, UserSession
from app.workspaces.refused_sign_ins import NO_ADDRESS
from tests.console.pages import Page, open_page, send_form, sign_in, submit
from tests.console.test_two_factor import CODE_PATH, OFFER_PATH, code_of, switch_on
from tests.factories import PASSWORD, Team

NEW = "quite another long password"
NO_ADDRESSES = ("my secret password", "s3cret@home", "p@ss word.org", "a@b@example.org", "")
"""People write their password into the wrong field."""


def told() -> list[tuple[str, str | None, str | None, object]]:
    """What, who, about whom, and details, since it was asked last."""
    db.session.rollback()
    last = current_app.extensions.get("told_up_to", 0)
    query = select(AuditEntry).where(AuditEntry.id > last).order_by(AuditEntry.id)
    entries = db.session.scalars(query).all()
    if entries:
        current_app.extensions["told_up_to"] = entries[-1].id
    return [(each.what, each.who, each.about, each.details) for each in entries]


def test_sign_ins_are_told_right_wrong_and_of_strangers(client: FlaskClient, team: Team) -> None:
    told()
    for email in (team.email, "Eve@Example.org ", *NO_ADDRESSES):
        send_form(client, "/sign-in", email=email, password="no")
    sign_in(client, team.email)
    send_form(client, "/account", "/sign-out")
    me, refused = team.email, {"step": "password"}
    assert told() == [
        ("sign_in_refused", None, me, refused),
        ("sign_in_refused", None, "eve@example.org", refused),
        *[("sign_in_refused", None, NO_ADDRESS, refused)] * len(NO_ADDRESSES),
        ("signed_in", me, me, {"by": "password"}),
        ("signed_out", me, me, None),
    ]


def test_a_person_is_told_of_whatever_form_the_address_has(client: FlaskClient, team: Team) -> None:
    with writing() as session:
        session.execute(update(User).values(email="root@localhost"))
    told()
    send_form(client, "/sign-in", email="Root@localhost", password="no")
    assert [about for _, _, about, _ in told()] == ["root@localhost"]


def test_second_factors_are_told(app: Flask, client: FlaskClient, team: Team) -> None:
    secret, codes = switch_on(team.email)
    assert told()[-1] == ("two_factor_on", None, team.email, None)
    page, other, me = Page(sign_in(client, team.email).text), app.test_client(), team.email
    submit(client, page.form(CODE_PATH), code="000000")
    submit(client, page.form(CODE_PATH), code=code_of(secret))
    page = Page(sign_in(other, team.email).text)
    submit(other, page.form(CODE_PATH), recovery_code=codes[0])
    assert told() == [
        ("sign_in_refused", None, me, {"step": "code"}),
        ("signed_in", me, me, {"by": "password and code"}),
        ("recovery_code_used", me, me, {"left": 9}),
        ("signed_in", me, me, {"by": "password and recovery code"}),
    ]
    send_form(client, "/account", f"{OFFER_PATH}/codes")
    send_form(client, "/account", f"{OFFER_PATH}/off", two_factor_password=PASSWORD)
    assert [what for what, *_ in told()] == ["recovery_codes_made", "two_factor_off"]


def test_changes_of_the_account_are_told(app: Flask, owner: FlaskClient, team: Team) -> None:
    sign_in(app.test_client(), team.email)
    told()
    send_form(owner, "/account", "/account/profile", name="Ana")
    send_form(owner, "/account", "/account/sessions/end-others")
    for old in ("no", PASSWORD):
        values = {"old_password": old, "new_password": NEW}
        send_form(owner, "/account", "/account/password", **values)
    with writing() as session:
        session.execute(update(UserSession).values(password_at=None))
    form = open_page(owner, OFFER_PATH, 403).form("/account/password/again")
    submit(owner, form, password_again=NEW)
    assert [(what, who, details) for what, who, _, details in told()] == [
        ("profile_changed", team.email, {"name": {"was": None, "is": "Ana"}}),
        ("sessions_ended", team.email, {"count": 1}),
        ("password_refused", team.email, None),
        ("password_changed", team.email, None),
        ("password_confirmed", team.email, None),
    ]
