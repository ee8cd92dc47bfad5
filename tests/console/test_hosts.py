"""Pages are answered under the public URL's host alone once it is set, and links lead there."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.console.origins import UNDER_ANY_NAME
from tests.console.pages import Page, open_page
from tests.console.rules import addresses
from tests.factories import Team, report
from tests.sessions import make_client

PUBLIC = "https://flow.example.org"
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
