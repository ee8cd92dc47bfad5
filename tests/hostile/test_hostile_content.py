"""Hostile content in every field, header, path and name is text on every page, and no more."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from string import Formatter
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect
from sqlalchemy import select

from app.console.headers import CONTENT_SECURITY_POLICY
from app.extensions import db, writing
from app.models import (
    Event,
    User,
    Workflow,
    Workspace,
)
from app.workspaces.badges import renew_badge
from app.workspaces.people import RefusedError
from app.workspaces.profile import change_profile
from app.workspaces.sessions import start_session
from app.workspaces.settings import rename_workspace
from tests.browser import hear_policy
from tests.hostile.contents import (
    find_ids,
    make_alerts,
    name_everything,
    send_all_at_once,
    send_everything,
)
from tests.hostile.payloads import PAYLOADS
from tests.pages_map import PAGES, SIGNED_OUT, addresses
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam, make_live_team

pytestmark = pytest.mark.timeout(900)

CANARY = """
  Object.defineProperty(window, "__pwned", {set() { console.error("PWNED: a script ran"); }});
  document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`PWNED: stopped by the policy: ${event.blockedURI} ${event.sample}`));
"""
LIVING = """() => {
  const alive = /^(on|hx-|style$|srcdoc$|formaction$|src$|srcset$|action$|http-equiv$)/i;
  const ours = /^(data-copy|data-confirm-slot|data-label|data-correction)/;
  const found = [];
  for (const element of document.querySelectorAll("*")) {
    const name = element.localName;
    if (["iframe", "object", "embed", "base", "style", "marquee", "math", "video"].includes(name)) {
      found.push(element.outerHTML);
    }
    if (name === "script" && !element.src.startsWith(location.origin + "/static/")) {
      found.push(element.outerHTML);
    }
    for (const {name: attribute, value} of element.attributes) {
      const acts = alive.test(attribute) || attribute.startsWith("data-") && !ours.test(attribute);
      if (/^on/i.test(attribute) || acts && value.includes("pwned")) found.push(element.outerHTML);
      if (attribute === "href" && !/^(https?|data):/.test(element.protocol ?? "https:")) {
        found.push(element.outerHTML);
      }
    }
  }
  return found.map((html) => html.slice(0, 300));
}"""


SEND_LATE = """(payloads) => {
  const form = document.querySelector("form[action='/workflows'][method=post]");
  form.querySelector("[name=csrf_token]").value = "too late";
  payloads.forEach((payload, number) => {
    const field = document.createElement("input");
    [field.type, field.name, field.value] = ["hidden", `${number} ${payload}`, payload];
    form.append(field);
  });
  HTMLFormElement.prototype.submit.call(form);
}"""


class Watch:
    """Notes whatever a page does that text would not."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.heard: list[str] = []
        page.add_init_script(CANARY)
        page.on("dialog", lambda dialog: (self.heard.append("dialog"), dialog.dismiss()))
        page.on("console", self._hear)
        page.on("request", self._see)
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))

    def _hear(self, line: ConsoleMessage) -> None:
        if "PWNED" in line.text or "Content Security Policy" in line.text:
            self.heard.append(line.text)

    def _see(self, request: Request) -> None:
        address = urlsplit(request.url)
        is_ours = f"{address.scheme}://{address.netloc}" == self.url or address.scheme == "data"
        if not is_ours or "pwned" in address.path:
            self.heard.append(f"request: {request.url[:200]}")

    def check(self, where: str) -> None:
        assert self.page.evaluate(LIVING) == [], where
        assert self.heard == [], where

    def visit(self, path: str) -> None:
        answer = self.page.goto(self.url + path, wait_until="domcontentloaded")
        assert answer is not None and answer.status < 500, path
        self.check(path)


def test_there_are_enough_payloads_and_each_could_tell() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 60
    assert [each for each in PAYLOADS if "pwned" not in each] == []


@pytest.mark.parametrize(
    "html",
    [
        "<script>window.__pwned=1</script>",
        "<img src=x onerror=window.__pwned=1>",
        "<img src=/pwned.png>",
        "<svg onload=window.__pwned=1>",
        "<link rel=stylesheet href=//pwned.example/x.css>",
        "<div hx-get=/pwned hx-trigger=load></div>",
        "<a href=javascript:window.__pwned=1>x</a>",
        "<section data-live=pwned></section>",
        "<script>alert(1)</script>",
    ],
)
def test_the_watch_sees_what_comes_to_life(page: Page, html: str) -> None:
    url = "http://127.0.0.1:1"
    page.route("**/*", lambda route: route.fulfill(body=f"<p>{html}", content_type="text/html"))
    with pytest.raises(AssertionError):
        Watch(page, url).visit("/events")


def test_what_the_policy_stops_is_heard(browser: Browser) -> None:
    """In every test that takes a page: tests/conftest.py."""
    context = browser.new_context()
    stopped = hear_policy(context)
    page = context.new_page()
    policy = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Content-Type": "text/html"}
    page.route("**/*", lambda route: route.fulfill(body="<p style='top:0'>", headers=policy))
    page.goto("http://flow.example/")
    page.wait_for_timeout(100)
    assert len(stopped) == 1 and "http://flow.example/" in stopped[0]
    context.close()


@pytest.fixture
def server(make_server: Callable[..., LiveServer]) -> LiveServer:
    return make_server(WEB_CONCURRENCY="1")


@pytest.fixture
def team(server: LiveServer, app: Flask, page: Page) -> LiveTeam:
    """With everything named by payloads, and its owner signed in."""
    team = make_live_team(server)
    with app.app_context():
        name_everything()
    enter(page.context, server, team.email)
    return team


@pytest.mark.once
def test_what_requests_hold_is_shown_as_text_and_does_nothing(
    server: LiveServer, team: LiveTeam, app: Flask, page: Page
) -> None:
    watch = Watch(page, server.url)
    with live_log_open(page, server) as log:
        send_everything(server, team)
        send_all_at_once(server, team)
        check_live_log(app, log)
    with app.app_context():
        make_alerts()
        failures, ids = find_ids()
    last = {**ids, "event": ids["event"][-3:]}
    for path in (*addresses(last), *(f"/events/{each}" for each in ids["event"][:-3])):
        watch.visit(path)
        if path in failures:
            assert failures[path] in str(page.locator("main").text_content()), path
    for payload in PAYLOADS[::4]:
        watch.visit(f"/events?q={quote(payload[:500])}&state={quote(payload[:500])}")


@pytest.mark.once
@pytest.mark.usefixtures("team")
def test_names_and_addresses_are_shown_as_text_and_do_nothing(
    server: LiveServer, app: Flask, page: Page
) -> None:
    watch = Watch(page, server.url)
    with app.app_context():
        make_alerts()
        check_badges(watch)
        check_names(watch)
    check_dialog_and_toast(watch)
    check_kept_form(watch)
    page.context.clear_cookies()
    for path in addresses({}, SIGNED_OUT):
        for payload in PAYLOADS[::12]:
            joint = "&" if "?" in path else "?"
            watch.visit(f"{path}{joint}token={quote(payload[:500])}&next={quote(payload[:500])}")


@contextmanager
def live_log_open(page: Page, server: LiveServer) -> Iterator[Watch]:
    log = page.context.new_page()
    watch = Watch(log, server.url)
    watch.visit("/events")
    expect(log.locator("[data-live-pill][data-state=live]")).to_be_visible()
    yield watch
    log.close()


def check_live_log(app: Flask, watch: Watch) -> None:
    """All rows have come, over the stream, and the stream goes on."""
    with app.app_context():
        newest = db.session.scalars(select(Event).order_by(Event.id.desc()).limit(300)).all()
        names = [event.public_id for event in newest if event.workspace_id is not None]
    for name in (names[0], names[-1]):
        expect(watch.page.locator(f"#event-{name}")).to_be_attached(timeout=30_000)
    shown = watch.page.locator("#events > tr")
    assert shown.count() == shown.evaluate_all("rows => new Set(rows.map(row => row.id)).size")
    expect(watch.page.locator("[data-live-pill][data-state=live]")).to_be_visible()
    watch.check("the live log")


def check_names(watch: Watch) -> None:
    """The names of the workspace and of the person, and their address, one after the other."""
    for payload in PAYLOADS[::8]:
        try:
            rename_workspace(db.session.scalars(select(Workspace)).one(), payload[:120])
            change_profile(
                user := db.session.scalars(select(User)).one(), payload[:120], user.email, ""
            )
            start_session(user, payload[:40], payload[:255])  # From where, and with which browser.
        except RefusedError:
            continue
        for path in ("/settings", "/account"):
            watch.visit(path)
        assert " ".join(payload[:120].split()) in str(watch.page.locator(".menu").text_content())
    with writing() as session:
        session.scalars(select(User)).one().email = "<svg/onload=window.__pwned=1>@pwned.example"
    for path in addresses({name: [] for name in ids_of_pages()}):
        watch.visit(path)


def ids_of_pages() -> set[str]:
    """The names of all the ids that addresses are made with."""
    templates = " ".join(template for each in PAGES.values() for template in each)
    return {name for _, name, _, _ in Formatter().parse(templates) if name}


def check_badges(watch: Watch) -> None:
    """Pictures that are opened as pages of their own."""
    workflows = db.session.scalars(select(Workflow).order_by(Workflow.id)).all()
    for workflow in workflows[::20]:
        renew_badge(workflow)
        watch.visit(f"/badge/{workflow.badge_token}.svg")


def check_kept_form(watch: Watch) -> None:
    """What was typed into a form that came too late: shown to be sent again."""
    page = watch.page
    watch.visit("/workflows")
    with page.expect_navigation():
        page.evaluate(SEND_LATE, PAYLOADS)
    assert "pwned" in str(page.locator("main").text_content())
    watch.check("the kept form")


def check_dialog_and_toast(watch: Watch) -> None:
    """What a script puts into a dialog and into a toast is text as well."""
    page = watch.page
    watch.visit("/keys")
    page.locator("form:has([name=asked]) button").first.click()
    expect(page.locator("#confirm")).to_contain_text("pwned")
    watch.check("the dialog")
    page.locator("#confirm button[value=yes]").click()
    expect(page.locator("#toasts > li").first).to_contain_text("pwned")
    watch.check("the toast")
