"""Through the real proxies, which ask who comes: the header is their word, and nobody else's."""

import http.client
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from tests.console.pages import Page
from tests.deploy.proxies import PROXIES, WAYS, Proxy
from tests.deploy.sign_in import HEADER, QUESTION, Echo, SignIn, serving
from tests.ports import free_port
from tests.server import LiveServer
from tests.sessions import BROWSER
from tests.teams import LiveTeam, make_live_colleague, make_live_team

MACHINES = ("/api/v1/events", "/badge/x.svg", "/healthz", "/readyz", "/metrics", "/flowpulse-run")
CROOKED = ("/api/../account", "/api/%2e%2e/account", "//account", "/api%2f..%2faccount")
"""Paths that a proxy and FlowPulse may read differently."""
COOKIES = ("", "_oauth2_proxy=mark", "_oauth2_proxy=none")
HOPS = ("close", f"close, {HEADER}")
PEOPLE = ("/", "/account", "/events/stream", "/sign-in", "/apis", "/healthz/x", "/static/app.css")


class Place:
    """A server behind a proxy that asks `sign_in` who comes."""

    def __init__(
        self, server: LiveServer, way: str, url: str, team: LiveTeam, sign_in: SignIn
    ) -> None:
        self.server, self.way, self.url, self.team = server, way, url, team
        self.sign_in, self.viewer = sign_in, make_live_colleague(server, team, "viewer")
        self.origin = urljoin(url, "/").removesuffix("/")

    def forget(self) -> "Place":
        self.sign_in.people.clear()
        self.sign_in.comes, self.sign_in.is_silent = "", False
        return self

    def open(self, who: requests.Session, path: str, **more: Any) -> requests.Response:
        return who.get(self.url + path, timeout=15, **more)

    def come(self, email: str) -> requests.Session:
        """In a new browser, by way of the sign-in."""
        self.sign_in.comes = email
        who = person()
        self.open(who, "/account")
        self.sign_in.comes = ""
        return who

    def send(self, who: requests.Session, path: str, action: str, **values: str) -> Any:
        page = self.open(who, path)
        form = Page(page.text).form(urlsplit(self.url).path + action)
        return who.post(
            self.url + action,
            data={**form.fields, **values},
            headers={"Referer": page.url},
            timeout=15,
        )


def person() -> requests.Session:
    session = requests.Session()
    session.headers.update({"User-Agent": BROWSER, "Accept": "text/html,*/*;q=0.8"})
    return session


@pytest.fixture(scope="package")
def sign_in() -> Iterator[SignIn]:
    with serving(SignIn()) as server:
        yield server


@pytest.fixture(scope="package", params=WAYS)
def behind(
    request: pytest.FixtureRequest, sign_in: SignIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Nothing listens at its address yet: one proxy after the other will."""
    url = f"http://127.0.0.1:{free_port()}{WAYS[request.param]}"
    settings = {
        "FLOWPULSE_PUBLIC_URL": url,
        "FLOWPULSE_TRUSTED_PROXIES": "127.0.0.1",
        "FLOWPULSE_PROXY_USER_HEADER": HEADER,
        "FLOWPULSE_PASSWORD_SIGN_IN": "0",
    }
    with LiveServer(tmp_path_factory.mktemp("vouched") / "data", **settings) as server:
        yield Place(server, request.param, url, make_live_team(server), sign_in)


@pytest.fixture(scope="module", params=PROXIES)
def proxied(
    request: pytest.FixtureRequest, behind: Place, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    port, folder = urlsplit(behind.url).port or 0, tmp_path_factory.mktemp(request.param) / "proxy"
    ends = (port, behind.server.port, behind.sign_in.server_port)
    with Proxy(request.param, folder, behind.way, *ends):
        yield behind


@pytest.fixture
def place(proxied: Place) -> Place:
    return proxied.forget()


def test_a_person_signs_in_there_and_comes_back_to_the_page_that_was_asked_for(
    place: Place,
) -> None:
    place.sign_in.comes = place.team.email
    who = person()
    asked = "/workflows?q=lead&rd=https://evil.example/"
    page = place.open(who, asked)
    assert page.url == place.url + asked
    assert page.status_code == 200, page.text
    assert place.team.email in place.open(who, "/account").text
    astray = [
        link
        for link in Page(page.text).links
        if link.startswith("/") and not f"{link}/".startswith(f"{urlsplit(place.url).path}/")
    ]
    assert astray == []


def test_a_form_works_and_its_body_does_not_go_to_who_signs_in(place: Place) -> None:
    who = place.come(place.team.email)
    del place.sign_in.bodies[:]
    name = f"Through {place.way} at {time.monotonic()}"
    assert place.send(who, "/workflows", "/workflows", name=name).status_code == 200
    assert name in place.open(who, "/workflows").text
    assert set(place.sign_in.bodies) == {0}


def test_who_claims_to_be_somebody_is_asked_who_they_are(place: Place) -> None:
    for name in (HEADER, HEADER.lower(), HEADER.replace("-", "_"), "X-Forwarded-Email"):
        who = person()
        page = place.open(who, "/account", headers={name: place.team.email})
        assert page.text == QUESTION, name
        past = place.open(who, "/sign-in", headers={name: place.team.email})
        assert past.text == QUESTION, name


def test_who_is_somebody_else_stays_that(place: Place) -> None:
    who = place.come(place.viewer)
    for name in (HEADER, HEADER.lower(), HEADER.replace("-", "_")):
        page = place.open(who, "/account", headers={name: place.team.email}).text
        assert place.viewer in page and f"{place.team.email}<" not in page.replace(place.viewer, "")
        refused = place.open(who, "/settings/audit", headers={name: place.team.email})
        assert refused.status_code == 403, "A viewer"


def test_where_the_sign_in_names_nobody_a_claim_is_not_taken_in_its_place(place: Place) -> None:
    """Some proxies copy what the sign-in tells over a claim, and nothing where it tells none."""
    who = place.come(place.viewer)
    place.sign_in.is_silent = True
    page = place.open(who, "/account", headers={HEADER: place.team.email})
    assert "/sign-in" in page.url and place.team.email not in page.text


def test_machines_pass_without_a_sign_in_and_no_header_opens_them(place: Place) -> None:
    event = {"workflow_slug": place.team.slug, "ended_at": datetime.now(UTC).isoformat()}
    address, claim = f"{place.url}/api/v1/ingest/run-success", {HEADER: place.team.email}
    sent = requests.post(address, json=event, headers=place.team.headers, timeout=15)
    assert sent.status_code == 202
    assert sent.headers["Location"].startswith(f"{urlsplit(place.url).path}/api/v1/events/")
    assert requests.post(address, json=event, headers=claim, timeout=15).status_code == 401
    listed = requests.get(f"{place.url}/api/v1/events", headers=claim, timeout=15)
    assert listed.status_code == 401
    assert requests.get(f"{place.url}/readyz", timeout=15).status_code == 200
    assert requests.get(f"{place.url}/flowpulse-run", timeout=15).text.startswith("#!")


def test_signing_out_here_ends_the_session_until_they_go_on(place: Place) -> None:
    who = place.come(place.team.email)
    stale = dict(who.cookies)
    assert place.send(who, "/account", "/sign-out").status_code == 200
    left = place.open(who, "/account")
    assert "/sign-in" in left.url and f"Go on as {place.team.email}" in left.text
    other = person()
    other.cookies.update(stale)
    other.headers["Sec-Fetch-Mode"] = "cors"  # Not a page, which would begin a session anew.
    assert "/sign-in" in place.open(other, "/account").url, "The former cookie opens nothing"
    back = place.send(who, "/sign-in", "/sign-in/proxy")
    assert back.status_code == 200 and place.team.email in place.open(who, "/account").text


def test_signing_out_there_leaves_a_cookie_that_opens_nothing(place: Place) -> None:
    who = place.come(place.team.email)
    who.get(f"{place.origin}/oauth2/sign_out", timeout=15)
    assert place.open(who, "/account").text == QUESTION
    place.sign_in.comes = place.viewer
    assert place.viewer in place.open(who, "/account").text, "Whoever comes next is themself"
    assert place.open(who, "/settings/audit").status_code == 403


def test_the_live_log_comes_at_once_and_ends_with_the_sign_out(place: Place) -> None:
    who = place.come(place.team.email)
    told = {"Accept": "text/event-stream"}
    with place.open(who, "/events/stream", stream=True, headers=told) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines(chunk_size=1)
        next(line for line in lines if line)
        event = {"workflow_slug": place.team.slug, "ended_at": datetime.now(UTC).isoformat()}
        sent_at = time.monotonic()
        sent = requests.post(
            f"{place.url}/api/v1/ingest/run-success",
            json=event,
            headers=place.team.headers,
            timeout=15,
        )
        next(line for line in lines if sent.json()["event_id"].encode() in line)
        assert time.monotonic() - sent_at < 3
        place.send(who, "/account", "/sign-out")
        left_at = time.monotonic()
        assert all(b"event_id" not in line for line in lines), "Nothing more of the log"
        assert time.monotonic() - left_at < 10
    nobodys = requests.get(f"{place.url}/events/stream", headers={HEADER: place.team.email})
    assert nobodys.text == QUESTION


# --- What reaches FlowPulse -----------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", PROXIES)
def test_no_path_lets_a_claim_through(name: str, way: str, sign_in: SignIn, tmp_path: Path) -> None:
    """Past the proxies FlowPulse would believe any of these."""
    port = free_port()
    with (
        serving(Echo()) as echo,
        Proxy(name, tmp_path / "proxy", way, port, echo.server_port, sign_in.server_port),
    ):
        sign_in.people = {"mark": "bo@example.org"}
        sign_in.comes, sign_in.is_silent = "", False
        for path, cookie, hop in product((*MACHINES, *PEOPLE, *CROOKED), COOKIES, HOPS):
            del echo.seen[:]
            ask(port, WAYS[way] + path, cookie, hop)
            believed = [each for seen in echo.seen for each in seen.get(HEADER.lower(), [])]
            is_in = cookie == "_oauth2_proxy=mark"
            assert set(believed) <= ({"bo@example.org"} if is_in else set()), (path, cookie, hop)
            if path in MACHINES:
                assert len(echo.seen) == 1 and believed == [], (path, cookie, hop)
            elif path in PEOPLE:
                assert len(echo.seen) == is_in, (path, cookie, hop)
                # With the header named in Connection, a proxy may take it away: nobody comes then.
                assert len(believed) == is_in or (hop != HOPS[0] and not believed), (path, hop)
        sign_in.is_silent = True
        for path in (*MACHINES, *PEOPLE):
            del echo.seen[:]
            ask(port, WAYS[way] + path, "_oauth2_proxy=mark", "close")
            (seen,) = echo.seen
            # Caddy 2.6 sends its placeholder's name where it has no value.
            assert [each for each in seen.get(HEADER.lower(), []) if "@" in each] == [], path


def ask(port: int, path: str, cookie: str, hop: str) -> None:
    """With the claim in several forms; `hop`: what is for the next hop alone."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.putrequest("GET", path)
    for name in (HEADER, HEADER, HEADER.upper(), HEADER.replace("-", "_")):
        connection.putheader(name, "ana@example.org")
    connection.putheader("Connection", hop)
    connection.putheader("X-Forwarded-Prefix", "/evil")
    if cookie:
        connection.putheader("Cookie", cookie)
    connection.endheaders()
    connection.getresponse().read()
    connection.close()
