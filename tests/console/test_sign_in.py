"""Signing in and out, and the one-time set-up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.console.session_cookie import NAME
from app.extensions import db
from app.invocation import shell_command
from app.links import local_path
from app.models import Instance, User, UserSession
from app.workspaces.people import setup_token
from tests.console.pages import Page, open_page, send_form, sign_in
from tests.factories import PASSWORD, Team

ANSWERS = {"email": "ana@example.org", "password": PASSWORD, "workspace": "Acme"}


def set_up(client: FlaskClient, **values: str) -> Any:
    link = f"/setup?token={setup_token()}"
    return send_form(client, link, "/setup", **{**ANSWERS, **values})


# --- set-up --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "wanted"),
    [({"password": "password1234"}, "password"), ({"email": "no", "password": "short"}, "email")],
)
def test_the_first_field_that_is_wrong_has_the_focus(
    client: FlaskClient, values: dict[str, str], wanted: str
) -> None:
    page = Page(set_up(client, **values).text)
    focused = [each["name"] for tag, each in page.tags if tag == "input" and "autofocus" in each]
    assert focused == [wanted]
    assert page.text.count("a sentence is fine") == 1
    fresh = open_page(client, f"/setup?token={setup_token()}")
    assert [each["name"] for _, each in fresh.tags if "autofocus" in each] == ["workspace"]


def test_the_set_up_link_makes_the_owner_and_signs_in(client: FlaskClient) -> None:
    answer = set_up(client)
    assert (answer.status_code, answer.location) == (303, "/")
    page = open_page(client, "/")
    assert "ana@example.org" in page.text


def test_without_the_right_token_there_is_no_set_up(client: FlaskClient) -> None:
    for path in ("/setup", "/setup?token=", "/setup?token=wrong", "/setup?token=%ff"):
        page = open_page(client, path, 403)
        assert shell_command("prepare") in page.text
        assert client.post(path, data=ANSWERS).status_code == 403
    assert db.session.get(Instance, 1) is None


def test_after_the_set_up_the_page_is_gone(client: FlaskClient, team: Team) -> None:
    for path in (f"/setup?token={setup_token()}", "/setup"):
        for answer in (client.get(path), client.post(path)):
            assert answer.status_code == 410
            assert "/sign-in" in Page(answer.text).links


def test_the_set_up_needs_the_form_of_its_own_page(client: FlaskClient) -> None:
    answer = client.post("/setup", data={**ANSWERS, "token": setup_token()})
    assert answer.status_code == 400
    assert db.session.get(Instance, 1) is None


def test_a_slip_in_the_set_up_is_named_at_its_field(client: FlaskClient) -> None:
    for name, value, message in (
        ("password", "too short", "at least 12 characters"),
        ("password", "Password2024!", "a common password"),
        ("password", "ana-example-1", "a name that others know"),
        ("email", "nobody", "Enter an e-mail address"),
        ("email", "a\0b@example.org", "Enter an e-mail address"),
        ("workspace", "  ", "Enter a name"),
    ):
        answer = set_up(client, **{name: value})
        assert answer.status_code == 422
        page = Page(answer.text)
        assert message in page.text
        assert page.has_id(f"field-{name}-error")


def test_of_fifty_racing_set_ups_one_wins(app: Flask) -> None:
    token = setup_token()

    racers = []
    for number in range(50):
        client = app.test_client()
        form = open_page(client, f"/setup?token={token}").form("/setup")
        values = {**form.fields, **ANSWERS, "email": f"racer{number}@example.org"}
        racers.append((client, values))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda racer: racer[0].post("/setup", data=racer[1]), racers))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [303] + [410] * 49
    assert db.session.scalar(select(func.count(User.id))) == 1


# --- sign-in -------------------------------------------------------------------------------------


def test_before_the_set_up_the_sign_in_page_says_what_to_do(client: FlaskClient) -> None:
    page = open_page(client, "/sign-in")
    assert "not set up yet" in page.text
    assert not page.forms


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(
    client: FlaskClient, team: Team
) -> None:
    texts = []
    for email, password in [("nobody@example.org", PASSWORD), (team.email, "a wrong password")]:
        answer = send_form(client, "/sign-in", email=email, password=password)
        assert answer.status_code == 422
        texts.append(Page(answer.text).text)
    assert texts[0] == texts[1]


def test_after_ten_wrong_passwords_one_has_to_wait(client: FlaskClient, team: Team) -> None:
    for _ in range(10):
        assert send_form(client, "/sign-in", email=team.email, password="no").status_code == 422
    for password in ("no", PASSWORD):
        answer = send_form(client, "/sign-in", email=team.email, password=password)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["Retry-After"]) <= 90
        assert "Too many wrong passwords" in Page(answer.text).text


def test_no_address_breaks_the_sign_in(client: FlaskClient, team: Team) -> None:
    for email in ("a\0b@example.org", "\N{PILE OF POO}", "x" * 9999):
        answer = send_form(client, "/sign-in", email=email, password="\0")
        assert answer.status_code == 422


def test_a_form_without_its_token_is_refused(client: FlaskClient, team: Team) -> None:
    answer = client.post("/sign-in", data={"email": team.email, "password": PASSWORD})
    assert answer.status_code == 400
    assert "out of date" in answer.text


def test_after_signing_in_one_lands_where_one_wanted_to_go(client: FlaskClient, team: Team) -> None:
    wanted = client.get("/events?state=rejected")
    assert wanted.status_code == 302
    form = open_page(client, wanted.location).form("/sign-in")
    answer = client.post(
        "/sign-in", data={**form.fields, "email": team.email, "password": PASSWORD}
    )
    assert answer.location == "/events?state=rejected"


FOREIGN = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\x00/evil.example",
    "/ok\r\nSet-Cookie: a=b",
    "/\u2028evil",
    "",
]


@pytest.mark.parametrize("target", FOREIGN)
def test_what_is_no_path_of_this_server_is_no_target(target: str) -> None:
    assert local_path(target) == "/"


def test_next_never_leaves_this_server(client: FlaskClient, team: Team) -> None:
    answer = sign_in(client, team.email, next="//evil.example")
    assert (answer.status_code, answer.location) == (303, "/")
    for target in FOREIGN:
        again = client.get("/sign-in", query_string={"next": target})
        assert (again.status_code, again.location) == (302, "/"), target


def test_next_may_be_a_path_with_a_query() -> None:
    assert local_path("/events?state=failed&before=9#x") == "/events?state=failed&before=9#x"


def test_signing_in_gives_a_new_session(client: FlaskClient, team: Team) -> None:
    client.get("/sign-in")
    before = client.get_cookie(NAME)
    sign_in(client, team.email)
    after = client.get_cookie(NAME)
    assert before and after and before.value != after.value
    with client.session_transaction() as session:
        first = session["_user_id"]
        assert "csrf_token" not in session
    form = open_page(client, "/workflows").form("/sign-out")
    client.post("/sign-in", data={**form.fields, "email": team.email, "password": PASSWORD})
    with client.session_transaction() as session:
        assert session["_user_id"] != first
    assert db.session.scalar(select(func.count(UserSession.id))) == 1


# --- sign-out ------------------------------------------------------------------------------------


def test_after_signing_out_the_old_cookie_is_dead(app: Flask, owner: FlaskClient) -> None:
    cookie = owner.get_cookie(NAME)
    assert cookie is not None
    answer = send_form(owner, "/workflows", "/sign-out")
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    thief = app.test_client()
    thief.set_cookie(NAME, cookie.value)
    assert thief.get("/workflows").location.startswith("/sign-in")


def test_signing_out_is_a_post(owner: FlaskClient) -> None:
    assert owner.get("/sign-out").location == "/"
    assert owner.get("/workflows").status_code == 200


# --- the cookie ----------------------------------------------------------------------------------


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient, team: Team) -> None:
    cookie = sign_in(client, team.email).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_behind_https_the_cookie_stays_on_https(make_app: Callable[..., Flask]) -> None:
    client = make_app(FLOWPULSE_PUBLIC_URL="https://flowpulse.example.org").test_client()
    path = f"/setup?token={setup_token_of(client)}"
    answer = client.get(path, headers={"Host": "flowpulse.example.org"})
    assert "Secure" in answer.headers["Set-Cookie"]


def test_behind_a_proxy_that_speaks_https_too(make_app: Callable[..., Flask], team: Team) -> None:
    client = make_app(FLOWPULSE_TRUSTED_PROXIES=1).test_client()
    answer = client.get("/sign-in", headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "Secure" not in make_app().test_client().get("/sign-in").headers["Set-Cookie"]


def setup_token_of(client: FlaskClient) -> str:
    with client.application.app_context():
        return setup_token()


def test_the_api_neither_reads_nor_sets_a_cookie(owner: FlaskClient, team: Team) -> None:
    answer = owner.post("/api/v1/ingest/run-success", json={}, headers=team.headers)
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers
    assert owner.get("/api/v1/workflows").status_code == 401
