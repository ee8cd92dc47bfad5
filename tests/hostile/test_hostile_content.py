"""Hostile content in every field, header, path and name is text on every page, and no more.

Each payload goes into each place. Where a page shows one thing at a time, it is opened once with
all payloads in that thing, one after the other, or with as many as an address can hold: opened for
each of them, every page of the console would take an hour. Samples are left in two places, since
others show the same for all: things that have pages of their own (`find_ids`; all payloads go
through one of each kind in tests/hostile/test_hostile_details.py), and badges that a browser opens
(of all of them the source is read).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from string import Formatter
from typing import Any
from urllib.parse import quote

import pytest
import requests
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.console.headers import CONTENT_SECURITY_POLICY
from app.console.url_filter import MAX_TEXT
from app.extensions import db, writing
from app.models import (
    AuditEntry,
    Event,
    User,
    UserSession,
    Workflow,
    Workspace,
)
from app.signs import show_signs
from app.workspaces.badges import renew_badge
from app.workspaces.people import RefusedError
from app.workspaces.profile import change_profile
from app.workspaces.sessions import start_session
from app.workspaces.settings import rename_workspace
from tests.browser import hear_policy
from tests.console.pages import Page as Source
from tests.hostile.contents import (
    AT_ONCE,
    find_ids,
    join_payloads,
    make_alerts,
    name_everything,
    send_all_at_once,
    send_all_signals,
    send_everything,
)
from tests.hostile.payloads import ADDRESSES, PAYLOADS
from tests.hostile.watch import Watch
from tests.pages_map import PAGES, SIGNED_OUT, addresses
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam, make_live_team

pytestmark = pytest.mark.timeout(900)

BADGE_PARTS = {"svg", "title", "clippath", "rect", "g", "path", "text"}
ACTS = re.compile(r"^(on|style)|href", re.IGNORECASE)
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
    send_all_signals(server, team)  # Before: the live log tells a flood of rows in part.
    with live_log_open(page, server) as log:
        send_everything(server, team)
        send_all_at_once(server, team)
        check_live_log(app, log)
    with app.app_context():
        make_alerts()
        failures, ids = find_ids()
    last = {**ids, "event": ids["event"][-AT_ONCE:]}
    for path in (*addresses(last), *(f"/events/{each}" for each in ids["event"][:-AT_ONCE])):
        watch.visit(path)
        if path in failures:
            assert failures[path] in str(page.locator("main").text_content()), path
    for text in join_payloads(MAX_TEXT):
        watch.visit(f"/events?q={quote(text)}&state={quote(text)}")


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
        for text in join_payloads(3_000, size=lambda text: len(quote(text))):
            joint = "&" if "?" in path else "?"
            watch.visit(f"{path}{joint}token={quote(text)}&next={quote(text)}")
    for address in ADDRESSES:  # They act only where an address begins with them.
        watch.visit(f"/sign-in?next={quote(address)}")


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
    """The names of the workspace and of the person, their address, where they are signed in and
    what they did: as people give them, one after the other, and then all at once, on every page."""
    for payload in PAYLOADS:
        try:
            rename_workspace(db.session.scalars(select(Workspace)).one(), payload[:120])
            change_profile(
                user := db.session.scalars(select(User)).one(), payload[:120], user.email, ""
            )
            start_session(user, payload[:40], payload[:255])  # From where, and with which browser.
        except RefusedError:
            continue
    everything = " ".join(join_payloads(20_000)[0].replace("\0", "").split())
    name_people(everything)
    for path in addresses({name: [] for name in ids_of_pages()}):
        watch.visit(path)
        assert is_shown(everything, watch.page, ".menu"), path
    for path in ("/settings", "/account", "/settings/audit"):
        watch.visit(path)
        assert is_shown(everything, watch.page, "main"), path


def name_people(text: str) -> None:
    """More than a name may hold, which SQLite does not mind."""
    where: dict[str, Any] = {"remote_addr": text, "user_agent": text}
    with writing() as session:
        workspace, user = (
            session.scalars(select(Workspace)).one(),
            session.scalars(select(User)).one(),
        )
        workspace.name = user.name = text
        user.email = "<svg/onload=window.__pwned=1>@pwned.example"  # A QR code holds no more.
        for each in session.scalars(select(UserSession).order_by(UserSession.id)).all()[-1:]:
            each.remote_addr = each.user_agent = text
        session.add(
            AuditEntry(
                workspace_id=workspace.id,
                actor="person",
                who=text,
                who_id=user.public_id,
                what="workspace_renamed",
                about=text,
                about_id=workspace.public_id,
                details={"name": {"was": text, "is": text}},
                **where,
            )
        )


def is_shown(text: str, page: Page, place: str) -> bool:
    """Whole, as it is or with its odd signs spelt out."""
    shown = " ".join(str(page.locator(place).first.text_content()).split())
    return text in shown or show_signs(text) in shown


def ids_of_pages() -> set[str]:
    """The names of all the ids that addresses are made with."""
    templates = " ".join(template for each in PAGES.values() for template in each)
    return {name for _, name, _, _ in Formatter().parse(templates) if name}


def check_badges(watch: Watch) -> None:
    """Pictures that are opened as pages of their own: each is read, some in the browser."""
    workflows = db.session.scalars(select(Workflow).order_by(Workflow.id)).all()
    for number, workflow in enumerate(workflows):
        renew_badge(workflow)
        path = f"/badge/{workflow.badge_token}.svg"
        tags = Source(requests.get(watch.url + path, timeout=30).text).tags
        assert {tag for tag, _ in tags} == BADGE_PARTS, path
        assert [name for _, values in tags for name in values if ACTS.search(name)] == [], path
        if number % 20 == 0:
            watch.visit(path)


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
