"""What a page of another site tries with a signed-in person's browser, in a real one."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import BrowserContext, Page, Route, expect
from sqlalchemy import func, select

from app.console.session_cookie import SECURE_NAME
from app.extensions import db
from app.models import Workflow
from tests.apps import close_app, make_app
from tests.factories import PASSWORD
from tests.ports import free_port
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam, make_live_team

PUBLIC = "https://flow.example.org"

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def server(share_server: Callable[..., LiveServer]) -> LiveServer:
    return share_server(WEB_CONCURRENCY="1", worker=False)


@pytest.fixture(scope="module")
def team(server: LiveServer) -> LiveTeam:
    return make_live_team(server)


def made(server: LiveServer) -> int:
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        count = db.session.scalar(select(func.count()).where(Workflow.name == "Planted"))
    close_app(app)
    return count or 0


def serve(context: BrowserContext, origin: str, html: str) -> None:
    """Another site."""
    context.route(f"{origin}/**", lambda route: route.fulfill(body=html, content_type="text/html"))


def test_a_form_in_a_page_of_another_origin_changes_nothing(
    server: LiveServer, team: LiveTeam, page: Page
) -> None:
    """Not even where cookies go along, as between the ports of one host, and with a good token."""
    enter(page.context, server, team.email)
    page.goto(server.url + "/workflows")
    token = page.locator("[name=csrf_token]").first.get_attribute("value")
    form = (
        f"<form method=post action={server.url}/workflows><input name=name value=Planted>"
        f"<input name=csrf_token value={token}></form><button form=x>x</button>"
    )
    for origin in (f"http://127.0.0.1:{free_port()}", "http://evil.example"):
        serve(page.context, origin, form)
        page.goto(origin + "/")
        with page.expect_navigation(url=server.url + "/workflows"):
            page.evaluate("document.forms[0].submit()")
        expect(page.get_by_role("main")).to_contain_text("This form came from elsewhere")
        expect(page.get_by_role("main")).to_contain_text(origin)
    assert made(server) == 0
    page.goto(server.url + "/workflows")  # The same form, where it belongs.
    page.locator("form[action='/workflows'] [name=name]").fill("Planted")
    page.locator("form[action='/workflows'] [name=name]").press("Enter")
    expect(page.get_by_role("main")).to_contain_text("Planted")
    assert made(server) == 1


def test_no_other_site_frames_a_page_or_keeps_a_hand_on_it(
    server: LiveServer, team: LiveTeam, page: Page
) -> None:
    enter(page.context, server, team.email)
    origin = f"http://127.0.0.1:{free_port()}"
    serve(page.context, origin, f"<iframe src={server.url}/workflows></iframe>")
    page.goto(origin + "/")
    frame = page.frames[-1]
    frame.wait_for_load_state()
    assert "Workflows" not in frame.content()
    with page.expect_popup() as popup:
        page.evaluate(
            "(address) => { window.other = window.open(address) }", server.url + "/workflows"
        )
    popup.value.wait_for_load_state()
    assert popup.value.evaluate("window.opener") is None
    assert page.evaluate("window.other.closed")  # As far as the other site can see.


def test_behind_a_proxy_with_tls_a_browser_keeps_the_host_cookie(
    make_server: Callable[..., LiveServer], page: Page
) -> None:
    """The proxy passes the Host header on, and speaks plain HTTP with the server."""
    server = make_server(WEB_CONCURRENCY="1", worker=False, FLOWPULSE_PUBLIC_URL=PUBLIC)
    team = make_live_team(server)

    def pass_on(route: Route) -> None:
        parts, headers = urlsplit(route.request.url), route.request.all_headers()
        headers["host"] = parts.netloc
        answer = requests.request(
            route.request.method,
            f"{server.url}{parts.path}?{parts.query}",
            headers={name: text for name, text in headers.items() if not name.startswith(":")},
            data=route.request.post_data_buffer,
            allow_redirects=False,
            timeout=20,
        )
        cookies = "\n".join(answer.raw.headers.getlist("Set-Cookie"))
        headers = {**answer.headers, **({"Set-Cookie": cookies} if cookies else {})}
        if not answer.is_redirect:
            route.fulfill(status=answer.status_code, headers=headers, body=answer.content)
            return
        # Playwright passes no request on that a redirect leads to: a page leads there instead.
        onward = f"<script>location.replace({answer.headers['Location']!r})</script>"
        html = {"Content-Type": "text/html", "Set-Cookie": cookies}
        route.fulfill(status=200, headers=html, body=onward)

    page.route(f"{PUBLIC}/**", pass_on)
    page.goto(PUBLIC + "/sign-in")
    page.get_by_label("E-mail").fill(team.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{PUBLIC}/")
    cookies = {str(each["name"]): each for each in page.context.cookies()}
    zone = cookies.pop("time_zone")
    assert SECURE_NAME in cookies
    for each in (zone, *cookies.values()):
        assert (each["domain"], each["path"]) == ("flow.example.org", "/")
        assert each["secure"] and each["sameSite"] == "Lax"
    assert all(each["httpOnly"] and name.startswith("__Host-") for name, each in cookies.items())
    assert page.evaluate("document.cookie") == f"time_zone={zone['value']}"
    page.goto(server.url + "/workflows")
    expect(page.get_by_role("main")).to_contain_text("FlowPulse has another address")
