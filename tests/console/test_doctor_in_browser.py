"""The doctor's page asks the browser what time it is: with SQLite nobody else knows better."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from app.clock import now
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import make_live_team

PATH, NAME = "/settings/doctor", "this request: clock"


@pytest.fixture
def server(make_server: Callable[..., LiveServer]) -> LiveServer:
    return make_server()


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (timedelta(0), None),
        (timedelta(hours=1), "s ahead of the server."),
        (timedelta(minutes=-5), "s behind the server."),
    ],
)
def test_a_clock_that_is_wrong_is_told(
    server: LiveServer, page: Page, apart: timedelta, said: str | None
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    enter(page.context, server, make_live_team(server).email)
    moment = now() + apart
    page.clock.set_fixed_time(moment)
    page.goto(f"{server.url}{PATH}")
    found = page.locator(".diagnosis:visible", has_text=NAME)
    expect(found).to_have_count(1)
    others = page.locator(".diagnosis:visible .state:text-is('Look'), .state:text-is('Mend')")
    title = page.get_by_role("heading", level=2).inner_text()
    assert title.startswith(f"{others.locator('visible=true').count()} finding")
    if said is None:
        expect(found).to_contain_text("say the same, within 30 s")
        expect(found.locator(".state")).to_have_text("OK")
    else:
        expect(found).to_contain_text(f"This browser says that it is {moment:%Y-%m-%d %H:%M:%S}Z")
        expect(found).to_contain_text(said)
        expect(found).to_contain_text("Set the clock that is wrong")
        expect(found.locator(".state")).to_have_text("Look")
    assert errors == []


def test_without_javascript_it_says_what_to_compare(server: LiveServer, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    enter(context, server, make_live_team(server).email)
    page = context.new_page()
    page.goto(f"{server.url}{PATH}")
    found = page.locator(".diagnosis:visible", has_text=NAME)
    expect(found).to_have_count(1)
    expect(found).to_contain_text("compare that with a clock that you trust")
    context.close()
