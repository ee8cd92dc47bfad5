"""Forms of other sites change nothing; under another name than its own the console is silent."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.console.origins import UNDER_ANY_NAME
from app.extensions import db
from app.models import Workflow
from tests.console.pages import Page, open_page
from tests.factories import Team, report
from tests.sessions import make_client

SOME_ID = "a" * 24
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
PUBLIC = "https://flow.example.org"
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "new-word"},
    {"Origin": "null"},
    {"Origin": "http://sub.localhost"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost@evil.example"},
    {"Origin": "http://[::1"},
    {"Referer": "https://evil.example/http://localhost/"},
]
OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    {"Origin": "http://localhost"},
    {"Origin": "https://localhost"},  # Behind a proxy that the settings do not tell of.
    {"Sec-Fetch-Site": "none"},
    {"Referer": "http://localhost/workflows"},
]


def addresses(app: Flask, methods: set[str]) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and path of each address of the console, with ids that lead nowhere."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            path = re.sub("<[^>]+>", SOME_ID, rule.rule)
            yield from ((rule.endpoint, each, path) for each in (rule.methods or set()) & methods)


def token_of(client: FlaskClient, **options: Any) -> dict[str, str]:
    """The good token of a signed-in person's session."""
    page = Page(client.get("/workflows", **options).text)
    return {"csrf_token": page.form("/sign-out").fields["csrf_token"]}


# --- Forms ---------------------------------------------------------------------------------------


def test_every_change_is_refused_without_the_token_of_its_own_session(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    stolen = token_of(make_client(app, team.email))
    assert stolen != token_of(owner)
    found = list(addresses(app, UNSAFE))
    assert len(found) > 50
    for endpoint, method, path in found:
        refused = 410 if endpoint == "sign_in.set_up_server" else 400  # It is set up already.
        for data in ({}, stolen, {"csrf_token": "x"}):
            answer = owner.open(path, method=method, data=data)
            assert answer.status_code == refused, path
    assert owner.get("/workflows").status_code == 200  # Not signed out.


@pytest.mark.once
def test_every_change_that_another_site_asks_for_is_refused_even_with_a_good_token(
    app: Flask, owner: FlaskClient
) -> None:
    token = token_of(owner)
    for number, (_, method, path) in enumerate(addresses(app, UNSAFE)):
        for headers in (*FOREIGN[:3], FOREIGN[3 + number % (len(FOREIGN) - 3)]):
            answer = owner.open(path, method=method, data=token, headers=headers)
            assert answer.status_code == 403, path
            assert "This form came from elsewhere" in answer.text, path
    assert owner.get("/workflows").status_code == 200


@pytest.mark.once
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_whatever_a_browser_says_of_another_site_is_understood(
    owner: FlaskClient, headers: dict[str, str]
) -> None:
    data = {**token_of(owner), "name": "Planted"}
    assert owner.post("/workflows", data=data, headers=headers).status_code == 403
    assert db.session.scalar(select(func.count()).where(Workflow.name == "Planted")) == 0


@pytest.mark.once
@pytest.mark.parametrize("headers", OWN, ids=str)
def test_the_console_s_own_forms_are_taken_whatever_the_browser_says_of_them(
    owner: FlaskClient, headers: dict[str, str]
) -> None:
    data = {**token_of(owner), "name": "Made here"}
    assert owner.post("/workflows", data=data, headers=headers).status_code == 303
    made = select(func.count()).where(Workflow.name == "Made here")
    assert db.session.scalar(made) == 1


@pytest.mark.once
def test_the_refusal_says_what_came_and_what_to_do(owner: FlaskClient) -> None:
    for headers, words in (
        ({"Origin": "https://flow.example.org:8443"}, "under https://flow.example.org:8443"),
        ({"Origin": "https://a.example"}, "this server is the host “localhost”"),
        ({"Origin": "null"}, "FLOWPULSE_PUBLIC_URL"),
        ({"Origin": "https://a.example"}, "FLOWPULSE_TRUSTED_PROXIES"),
        ({"Sec-Fetch-Site": "same-site"}, "Sec-Fetch-Site: same-site"),
        ({"Sec-Fetch-Site": "<b>" + "x" * 500}, f"<b>{'x' * 97}…"),
    ):
        page = Page(owner.post("/workflows", headers=headers).text)
        assert words in page.text, headers
        assert "Nothing was changed" in page.text


def test_htmx_is_told_in_a_toast(owner: FlaskClient) -> None:
    headers = {"HX-Request": "true", "Origin": "https://evil.example"}
    answer = owner.post("/workflows", data=token_of(owner), headers=headers)
    assert (answer.status_code, answer.text) == (403, "")
    assert "came from elsewhere" in answer.headers["HX-Trigger"]


def test_with_a_public_url_its_origin_alone_counts(
    make_app: Callable[..., Flask], team: Team
) -> None:
    app = make_app(FLOWPULSE_PUBLIC_URL=PUBLIC)
    client = make_client(app, team.email, "flow.example.org")
    data = {**token_of(client, base_url="http://flow.example.org"), "name": "Made here"}
    for origin, status in (
        (PUBLIC, 303),
        ("http://flow.example.org", 403),
        ("https://flow.example.org:8443", 403),
        ("https://www.flow.example.org", 403),
        ("https://localhost", 403),
        ("null", 403),
    ):
        # As it comes from a proxy that speaks plain HTTP with us.
        answer = client.post(
            "/workflows", data=data, headers={"Host": "flow.example.org", "Origin": origin}
        )
        assert answer.status_code == status, origin


def test_what_a_proxy_says_counts_where_it_is_trusted(
    make_app: Callable[..., Flask], team: Team
) -> None:
    headers = {"X-Forwarded-Host": "flow.example.org", "X-Forwarded-Proto": "https"}
    for hops, status in ((1, 303), (0, 403)):
        app = make_app(FLOWPULSE_TRUSTED_PROXIES=hops)
        client = make_client(app, team.email, is_https=bool(hops))
        data = {**token_of(client, headers=headers), "name": "Made here"}
        by_http = {**headers, "Origin": PUBLIC.replace("https", "http")}
        assert client.post("/workflows", data=data, headers=by_http).status_code == 403
        answer = client.post("/workflows", data=data, headers={**headers, "Origin": PUBLIC})
        assert answer.status_code == status


def test_senders_may_come_from_any_site(client: FlaskClient, team: Team) -> None:
    """No cookie opens the API: there is nothing to forge."""
    for headers in FOREIGN:
        sent = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
        answer = client.post(
            "/api/v1/ingest/run-success", json=sent, headers={**team.headers, **headers}
        )
        assert answer.status_code == 202


# --- The name of the server ----------------------------------------------------------------------

UNKNOWN = [
    "evil.example",
    "flow.example.org.evil.example",
    "flow.example.org@evil.example",
    "evil.example/flow.example.org",
    "wwwflow.example.org",
    "flow.example.org:x",
    "127.0.0.1",
    "127.0.0.1:8000",
    "localhost",
    "[::1]:8000",
    "",
    "<script>alert(1)</script>",
]


@pytest.fixture
def named(make_app: Callable[..., Flask]) -> Flask:
    """A server that knows its address."""
    return make_app(FLOWPULSE_PUBLIC_URL=PUBLIC)


@pytest.mark.once
def test_every_page_is_refused_under_an_unknown_host(named: Flask, team: Team) -> None:
    client = named.test_client()
    for endpoint, method, path in addresses(named, {"GET", "POST"}):
        if endpoint not in UNDER_ANY_NAME:
            answer = client.open(path, method=method, headers={"Host": "evil.example"})
            assert answer.status_code == 421, path
    assert client.get("/nowhere", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.once
@pytest.mark.parametrize("host", UNKNOWN)
def test_the_refusal_names_the_host_and_the_setting(named: Flask, host: str) -> None:
    answer = named.test_client().get("/sign-in", headers={"Host": host})
    assert answer.status_code == 421
    page = Page(answer.text)
    assert "FLOWPULSE_PUBLIC_URL" in page.text and "FLOWPULSE_TRUSTED_PROXIES" in page.text
    assert f"{PUBLIC}/" in page.links
    if re.fullmatch("[a-z.]+", host):
        assert f"“{host}”" in page.text
    assert "<script>alert" not in answer.text


@pytest.mark.once
@pytest.mark.parametrize(
    "host",
    ["flow.example.org", "FLOW.example.org", "flow.example.org:8443", "flow.example.org."],
)
def test_its_own_name_is_known_in_all_its_forms(named: Flask, team: Team, host: str) -> None:
    assert named.test_client().get("/sign-in", headers={"Host": host}).status_code == 200


@pytest.mark.once
@pytest.mark.parametrize(
    ("public", "host"),
    [
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://flöwe.example", "xn--flwe-6qa.example"),
        ("http://192.0.2.7:8000/pulse", "192.0.2.7:8000"),
    ],
)
def test_an_address_or_a_name_with_umlauts_may_be_the_public_one(
    make_app: Callable[..., Flask], team: Team, public: str, host: str
) -> None:
    client = make_app(FLOWPULSE_PUBLIC_URL=public).test_client()
    assert client.get("/sign-in", headers={"Host": host}).status_code == 200
    assert client.get("/sign-in", headers={"Host": "evil.example"}).status_code == 421


def test_load_balancers_and_senders_may_come_under_any_name(named: Flask, team: Team) -> None:
    client = named.test_client()
    for host in UNKNOWN:
        headers = {**team.headers, "Host": host}
        assert client.get("/healthz", headers=headers).json == {"status": "ok"}, host
        assert client.get("/api/v1/workflows", headers=headers).status_code == 200, host
        sent = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
        answer = client.post("/api/v1/ingest/run-success", json=sent, headers=headers)
        assert answer.status_code == 202, host
        pinged = client.get(f"/api/v1/ping/{team.slug}", headers=headers)
        assert pinged.status_code == 202, host


@pytest.mark.once
def test_without_a_public_url_every_name_will_do(client: FlaskClient, team: Team) -> None:
    for host in ("evil.example", "10.0.0.7:8000", "localhost"):
        assert client.get("/sign-in", headers={"Host": host}).status_code == 200, host


@pytest.mark.once
def test_only_a_trusted_proxy_tells_the_name(make_app: Callable[..., Flask], team: Team) -> None:
    for hops, host, forwarded, status in (
        (0, "evil.example", "flow.example.org", 421),
        (0, "flow.example.org", "evil.example", 200),
        (1, "web:8000", "flow.example.org", 200),
        (1, "web:8000", "evil.example", 421),
        (1, "flow.example.org", "evil.example", 421),
    ):
        app = make_app(FLOWPULSE_PUBLIC_URL=PUBLIC, FLOWPULSE_TRUSTED_PROXIES=hops)
        headers = {"Host": host, "X-Forwarded-Host": forwarded}
        assert app.test_client().get("/sign-in", headers=headers).status_code == status, headers


FORGED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Server": "evil.example",
    "Forwarded": "host=evil.example",
    "X-Host": "evil.example",
    "X-Original-Url": "//evil.example/",
    "X-Rewrite-Url": "//evil.example/",
}


def test_links_of_the_api_are_the_public_url_s(named: Flask, team: Team) -> None:
    client = named.test_client()
    for path in ("run-success", "run-failure", "nowhere"):
        headers = {**team.headers, **FORGED}
        answer = client.post(f"/api/v1/ingest/{path}", json={}, headers=headers)
        assert answer.json["type"].startswith(f"{PUBLIC}/troubleshooting#")
        assert answer.json["inspect"].startswith(f"{PUBLIC}/events/")
        assert "evil" not in answer.text + str(answer.headers)
    document = client.get("/api/v1/openapi.json", headers=FORGED)
    assert document.status_code == 200 and "evil" not in document.text


def test_links_of_pages_are_the_public_url_s(named: Flask, team: Team) -> None:
    client = make_client(named, team.email, "flow.example.org")
    sent = report(client, team, ended_at=None).json["event_id"]
    headers = {**FORGED, "Host": "flow.example.org"}
    connect = f"/connect?tool=n8n&workflow={team.workflow_public_id}&key=own"
    for path in (f"/events/{sent}", "/docs", connect):
        answer = client.get(path, headers=headers, follow_redirects=True)
        assert answer.status_code == 200, path
        assert PUBLIC in answer.text and "evil" not in answer.text, path
    redirected = client.get("/sign-out", headers=headers)
    assert redirected.location == "/"


def test_only_the_link_from_outside_is_refused_in_the_page_that_says_so(named: Flask) -> None:
    page = open_page(named.test_client(), "/sign-in", 421)
    assert [each for each in page.links if each.startswith("http")] == [f"{PUBLIC}/"]
