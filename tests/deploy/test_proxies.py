"""Through the real proxies, at a host of its own and under a path: nothing is lost or mistaken."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from requests.adapters import HTTPAdapter

from app.console.session_cookie import NAME
from tests.apps import close_app, make_app
from tests.deploy.proxies import PROXIES, STRICT, WAYS, Proxy
from tests.factories import PASSWORD
from tests.ports import free_port
from tests.server import LiveServer
from tests.sessions import BROWSER, make_cookie
from tests.teams import LiveTeam, make_live_team


class Place:
    """A server behind a proxy, and what a person and a sender of its team have."""

    def __init__(self, server: LiveServer, way: str, url: str, team: LiveTeam) -> None:
        self.server, self.way, self.url, self.team = server, way, url, team
        self.origin, _, path = url[len("http://") :].partition("/")
        self.prefix = f"/{path}" if path else ""
        app = make_app(server.database_url, server.data_dir)
        with app.app_context():
            self.cookie = make_cookie(app, team.email, BROWSER)
        close_app(app)

    def person(self) -> requests.Session:
        session = requests.Session()
        session.cookies.set(NAME, self.cookie)
        session.headers["User-Agent"] = BROWSER
        return session

    def send(self, headers: dict[str, str] | None = None, **more: Any) -> requests.Response:
        event = {"workflow_slug": self.team.slug, "ended_at": datetime.now(UTC).isoformat(), **more}
        return requests.post(
            f"{self.url}/api/v1/ingest/run-success",
            json=event,
            headers=self.team.headers | (headers or {}),
        )


@pytest.fixture(scope="package", params=WAYS)
def behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Nothing listens at its address yet: one proxy after the other will. (Of a module, each proxy
    would have a server of its own.)"""
    port, folder = free_port(), tmp_path_factory.mktemp("proxied")
    url = f"http://127.0.0.1:{port}{WAYS[request.param]}"
    settings = {
        "FLOWPULSE_PUBLIC_URL": url,
        "FLOWPULSE_TRUSTED_PROXIES": "127.0.0.1",
        "FLOWPULSE_PROXY_USER_HEADER": "X-Forwarded-Email",
    }
    with LiveServer(folder / "data", **settings) as server:
        yield Place(server, request.param, url, make_live_team(server))


@pytest.fixture(scope="module", params=PROXIES)
def place(
    request: pytest.FixtureRequest, behind: Place, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    port = int(behind.origin.rpartition(":")[2])
    folder = tmp_path_factory.mktemp(request.param) / "proxy"
    with Proxy(request.param, folder, behind.way, port, behind.server.port):
        yield behind


def test_an_event_is_taken_and_the_address_of_its_answer_leads_to_it(place: Place) -> None:
    answer = place.send()
    assert answer.status_code == 202
    address = requests.compat.urljoin(answer.url, answer.headers["Location"])
    found = requests.get(address, headers=place.team.headers)
    assert found.status_code == 200, address


def test_no_client_says_who_it_is(place: Place) -> None:
    """To FlowPulse both come from where proxies are believed, whose word takes a password away."""
    person = make_live_team(place.server)
    names = ("X-Forwarded-User", "Remote-User", "X-Forwarded-Email", "Remote-Email")
    names += ("X-Auth-Request-Email",)
    claims = dict.fromkeys(names, person.email) | {"Accept": "text/html"}
    forged = requests.get(f"{place.url}/account", headers=claims, allow_redirects=False)
    assert forged.status_code == 302 and "/sign-in" in forged.headers["Location"]
    past = requests.get(f"{place.server.url}/account", headers=claims, allow_redirects=False)
    assert past.status_code == 200, "As the proxy's own would"


CLIENT = "127.0.0.2"
"""A sender's address that is not the proxy's own, 127.0.0.1."""


class _FromClient(HTTPAdapter):
    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named, source_address=(CLIENT, 0))


@pytest.mark.parametrize("claimed", [None, "203.0.113.7", "127.0.0.1"])
def test_the_log_tells_the_clients_own_address_whatever_it_claims(
    place: Place, claimed: str | None
) -> None:
    claims = {"X-Forwarded-For": claimed, "X-Forwarded-Prefix": "/evil"} if claimed else {}
    with requests.Session() as sender:
        sender.mount("http://", _FromClient())
        answer = sender.post(
            f"{place.url}/api/v1/ingest/run-success", json={}, headers=place.team.headers | claims
        )
    page = place.person().get(f"{place.url}/events/{answer.json()['event_id']}").text
    assert re.findall(r"<dt>Address</dt>\s*<dd[^>]*>([^<]+)</dd>", page) == [CLIENT]
    assert "203.0.113.7" not in re.sub(r"X-Forwarded-For.*?</", "", page, flags=re.S)
    assert answer.json()["inspect"].startswith(f"{place.url}/events/")


def test_no_client_chooses_the_host_or_the_path(place: Place) -> None:
    """Both would be believed, as the proxy's own word, and stand in addresses of the answer."""
    claims = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    page = place.person().get(f"{place.url}/workflows", headers=claims, allow_redirects=False)
    assert page.status_code == 200 and "/evil" not in page.text
    answer = place.send(headers=claims)
    assert answer.status_code == 202
    assert answer.headers["Location"].startswith(f"{place.prefix}/api/v1/events/")


@pytest.mark.parametrize(("size", "status"), [(1_000_000, 202), (1_100_000, 413), (4_000_000, 413)])
def test_a_large_body_is_judged_by_flowpulse_and_not_by_the_proxy(
    place: Place, size: int, status: int
) -> None:
    answer = place.send(metadata={"text": "x" * size})
    assert answer.status_code == status
    assert status == 202 or answer.json()["code"] == "body_too_large"


def test_a_host_of_its_own_is_for_tls_alone(place: Place) -> None:
    told = STRICT.items() <= place.person().get(f"{place.url}/healthz").headers.items()
    assert told == (place.way == "host")


def test_who_is_not_signed_in_comes_back_to_the_page_that_was_asked_for(place: Place) -> None:
    session = requests.Session()
    page = session.get(f"{place.url}/workflows?q=lead")
    assert page.status_code == 200 and page.url.startswith(f"{place.url}/sign-in?next=")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    target = re.search(r'name="next" value="([^"]+)"', page.text)
    action = re.search(r'<form[^>]+method="post"[^>]+action="([^"]+)"', page.text)
    assert token and target and action
    came = session.post(
        requests.compat.urljoin(page.url, action[1]),
        data={
            "email": place.team.email,
            "password": PASSWORD,
            "csrf_token": token[1],
            "next": target[1],
        },
        headers={"Referer": page.url},
    )
    assert (came.status_code, came.url) == (200, f"{place.url}/workflows?q=lead")


def test_every_address_in_the_pages_lies_under_the_public_one(place: Place) -> None:
    event_id = place.send(colour="red").json()["event_id"]
    person = place.person()
    for path in ("/", "/events", f"/events/{event_id}", "/workflows", "/runs", "/connect", "/docs"):
        page = person.get(place.url + path)
        assert page.status_code == 200, path
        found = re.findall(r'(?:href|src|action|hx-[a-z:-]+)="(/[^"]*)"', page.text)
        assert found, path
        astray = [each for each in found if not f"{each}/".startswith(f"{place.prefix}/")]
        assert astray == [], path
        assert f"{place.prefix}{place.prefix}/" not in page.text or not place.prefix, path
        files = {each for each in found if "/static/" in each}
        for address in sorted(files)[:4]:
            assert person.get(f"http://{place.origin}{address}").status_code == 200, address


def test_the_live_log_comes_through_at_once(place: Place) -> None:
    with place.person().get(f"{place.url}/events/stream", stream=True, timeout=15) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines(chunk_size=1)
        next(line for line in lines if line)
        sent_at = time.monotonic()
        event_id = place.send().json()["event_id"]
        next(line for line in lines if event_id.encode() in line)
    assert time.monotonic() - sent_at < 3


def test_refusals_name_addresses_under_the_public_one(place: Place) -> None:
    answer = requests.post(f"{place.url}/api/v1/ingest/run-success", data="{")
    assert answer.status_code == 401
    assert json.loads(answer.text)["type"].startswith(f"{place.url}/troubleshooting#")


@pytest.mark.browser
@pytest.mark.parametrize("place", ["nginx"], indirect=True)
def test_a_person_works_in_the_browser(place: Place, page: Page) -> None:
    broken: list[str] = []
    page.on("response", lambda answer: broken.append(answer.url) if answer.status >= 400 else None)
    page.context.add_cookies(
        [{"name": NAME, "value": place.cookie, "url": f"http://{place.origin}"}]
    )
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{place.url}/events")
    event_id = place.send(error="no field").json()["event_id"]
    row = page.locator(f'a.row-link[href*="{event_id}"]').first
    expect(row).to_be_visible(timeout=10_000)
    row.click()
    expect(page.locator("#event-panel-body #event")).to_be_visible(timeout=10_000)
    link = page.locator("[data-panel-page]").get_attribute("href")
    assert link == f"{place.prefix}/events/{event_id}"
    page.locator("header a[aria-label], header a.brand, a.brand").first.click()
    page.wait_for_url(f"{place.url}/")
    assert broken == []
