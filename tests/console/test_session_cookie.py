"""The cookie of the console: on HTTPS it can neither leave it nor be planted by a neighbour."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.console.session_cookie import NAME, SECURE_NAME
from tests.console.pages import open_page, sign_in
from tests.factories import PASSWORD, Team
from tests.sessions import make_client, make_cookie

HOST = "flow.example.org"


def attributes(header: str) -> dict[str, str]:
    """Of a Set-Cookie header, by their names in lower case; `name` is the cookie's own."""
    first, *others = header.split("; ")
    pairs = dict(each.partition("=")[::2] for each in others)
    return {"name": first.partition("=")[0]} | {name.lower(): text for name, text in pairs.items()}


def of_session(answer: TestResponse) -> str:
    """Beside it stands the cookie of a known browser."""
    return next(each for each in answer.headers.getlist("Set-Cookie") if NAME in each)


def test_on_plain_http_the_cookie_is_kept_from_scripts_and_other_sites(
    client: FlaskClient, team: Team
) -> None:
    found = attributes(of_session(sign_in(client, team.email)))
    assert found.pop("expires")
    assert found == {"name": NAME, "httponly": "", "samesite": "Lax", "path": "/"}


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({"FLOWPULSE_PUBLIC_URL": f"https://{HOST}"}, {}),
        ({"FLOWPULSE_PUBLIC_URL": f"https://{HOST}/pulse"}, {}),
        ({"FLOWPULSE_TRUSTED_PROXIES": 1}, {"X-Forwarded-Proto": "https"}),
        (
            {"FLOWPULSE_TRUSTED_PROXIES": 1},
            {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/pulse"},
        ),
    ],
    ids=str,
)
def test_on_https_it_is_a_host_cookie(
    make_app: Callable[..., Flask], team: Team, settings: dict[str, object], headers: dict[str, str]
) -> None:
    """RFC 6265bis, 4.1.3.2: Secure, Path=/, and no Domain; a browser refuses any other."""
    client = make_app(**settings).test_client()
    headers = {"Host": HOST, **headers}
    fields = {"email": team.email, "password": PASSWORD}
    page = client.get("/sign-in", headers=headers)
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = client.post("/sign-in", data={**fields, "csrf_token": token}, headers=headers)
    assert answer.status_code == 303
    found = attributes(of_session(answer))
    assert found.pop("expires")
    wanted = {"secure": "", "httponly": "", "samesite": "Lax", "path": "/"}
    assert found == {"name": SECURE_NAME, **wanted}
    assert client.get("/workflows", headers=headers).status_code == 200


def test_signing_out_removes_it(make_app: Callable[..., Flask], team: Team) -> None:
    client = make_client(make_app(FLOWPULSE_PUBLIC_URL=f"https://{HOST}"), team.email, HOST)
    headers = {"Host": HOST}
    page = client.get("/workflows", headers=headers)
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = client.post("/sign-out", data={"csrf_token": token}, headers=headers)
    found = attributes(answer.headers["Set-Cookie"])
    assert (found["name"], found["max-age"], found["path"]) == (SECURE_NAME, "0", "/")
    assert "secure" in found


def test_on_https_a_cookie_of_the_plain_name_opens_nothing(
    make_app: Callable[..., Flask], team: Team
) -> None:
    """Any other host of the domain, and any page on plain HTTP, could have set it."""
    app = make_app(FLOWPULSE_PUBLIC_URL=f"https://{HOST}")
    client = app.test_client()
    with app.app_context():
        client.set_cookie(NAME, make_cookie(app, team.email), domain=HOST)
    assert client.get("/workflows", headers={"Host": HOST}).status_code == 302


def test_the_token_of_a_form_is_the_session_s_own(client: FlaskClient, team: Team) -> None:
    """A page's source does not hold what the cookie holds."""
    sign_in(client, team.email)
    cookie = client.get_cookie(NAME)
    assert cookie is not None
    page = open_page(client, "/workflows")
    assert cookie.value not in client.get("/workflows").text
    assert page.form("/sign-out").fields["csrf_token"] not in cookie.value
