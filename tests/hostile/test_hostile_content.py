"""Hostile content in every field, header, path and name is text on every page, and no more."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from string import Formatter
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import ConsoleMessage, Page, Request, expect
from sqlalchemy import func, select

from app.console.signs import show_signs
from app.extensions import db, writing
from app.models import (
    Alert,
    AlertRule,
    ApiKey,
    Channel,
    Delivery,
    Event,
    Run,
    User,
    Workflow,
    Workspace,
)
from app.workspaces.api_keys import create_api_key
from app.workspaces.people import RefusedError
from app.workspaces.profile import change_profile
from app.workspaces.settings import rename_workspace
from app.workspaces.workflows import create_workflow
from tests.channels.deliveries import store_channels
from tests.factories import make_alert
from tests.hostile.payloads import PAYLOADS
from tests.pages_map import PAGES, SIGNED_OUT, addresses
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam, make_live_team

pytestmark = pytest.mark.timeout(900)

CANARY = """
  Object.defineProperty(window, "__pwned", {set() { console.error("PWNED: a script ran"); }});
  document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`PWNED: stopped by the policy: ${event.blockedURI} ${event.sample}`));
"""
ODD_NAMES = ("X-<img/src=x/onerror=window.__pwned=1>", "X-{{7*7}}-pwned", 'X-"><svg/onload=1>')
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
        check_names(watch)
    check_dialog_and_toast(watch)
    page.context.clear_cookies()
    for path in addresses({}, SIGNED_OUT):
        for payload in PAYLOADS[::8]:
            joint = "&" if "?" in path else "?"
            watch.visit(f"{path}{joint}token={quote(payload[:500])}&next={quote(payload[:500])}")


def name_everything() -> None:
    """Workflows and keys by the payloads' names, as far as a name may hold them."""
    workspace_id = db.session.scalars(select(Workspace.id)).one()
    for payload in PAYLOADS:
        for make in (create_workflow, create_api_key):
            try:
                extra = [["ingest"]] if make is create_api_key else []
                make(workspace_id, payload, *extra)
            except RefusedError:
                continue
    store_channels(workspace_id, PAYLOADS)


def make_alerts() -> None:
    """Each payload as the name of a rule, a window and a label, in an alert and its message."""
    workflows = db.session.execute(select(Workflow.workspace_id, Workflow.id)).all()
    for payload, (workspace_id, workflow_id) in zip(PAYLOADS, workflows, strict=False):
        make_alert(workspace_id, workflow_id, payload.replace("\0", ""))


def send_everything(server: LiveServer, team: LiveTeam) -> None:
    """Each payload in each place, in a request of its own for each kind of answer."""
    for number, payload in enumerate(PAYLOADS):
        headers = {**team.headers, **hostile_headers(payload)}
        fields = {
            "workflow_slug": team.slug,
            "ended_at": "2026-01-15T09:31:00Z",
            "external_execution_id": f"{number}{payload}"[:255],
            "correlation_id": payload[:255],
            "source_platform": payload[:64],
            "source_workflow_id": payload[:255],
            "metadata": {payload[:500]: payload},
            payload[:500]: payload,
        }
        failed = {**fields, "error_message": payload, "error_type": payload[:255]}
        wrong = dict.fromkeys((*fields, "workflow_id", "workflow_name", "duration_ms"), payload)
        sent = (
            ("run-success", json.dumps(without_nul(fields)), headers),
            ("run-failure", json.dumps({**without_nul(failed), "error_message": payload}), headers),
            ("run-failure", json.dumps({**fields, "workflow_slug": payload[:255]}), headers),
            ("run-success", json.dumps(wrong), headers),
            ("run-success", payload.encode(), headers),
            (f"{quote(payload[:300])}?q={quote(payload[:300])}", "{}", headers),
            ("run-success", "{}", {**headers, "X-API-Key": as_header(payload)}),
        )
        for place, (path, body, own) in enumerate(sent):
            own = {**own, "Idempotency-Key": f"{number}-{place} {as_header(payload)}"[:255]}
            answer = server.post(f"/api/v1/ingest/{path}", data=body, headers=own)
            assert answer.status_code < 500, answer.text
    for payload in PAYLOADS[::6]:
        send_signals(server, team, payload)
    for name in ("X-<img/src=x/onerror=window.__pwned=1>", "X-{{7*7}}-pwned", 'X-"><svg/onload=1>'):
        server.post(
            "/api/v1/ingest/run-success", data="{}", headers={**team.headers, name: "pwned"}
        )


def send_signals(server: LiveServer, team: LiveTeam, payload: str) -> None:
    """Starts, which stay open, and pings."""
    headers = {**team.headers, **hostile_headers(payload)}
    started = {"workflow_slug": team.slug, "started_at": "2026-01-15T09:31:00Z"}
    started["external_execution_id"] = f"open {payload}".replace("\0", "")[:255]
    answer = server.post("/api/v1/ingest/run-start", data=json.dumps(started), headers=headers)
    assert answer.status_code < 500, answer.text
    rid, slug = (quote(each, safe="") for each in (f"ping {payload}"[:100], payload[:60]))
    for place in (f"{team.slug}/1", f"{team.slug}/start?rid={rid}", slug):
        answer = server.post(f"/api/v1/ping/{place}", data=payload.encode(), headers=headers)
        assert answer.status_code < 500, answer.text


def send_all_at_once(server: LiveServer, team: LiveTeam) -> None:
    """All payloads on one event's page: in its headers, and in each kind of body."""
    many = {f"X-Pwned-{number}": as_header(each) for number, each in enumerate(PAYLOADS[:80])}
    short = [each[:500] for each in PAYLOADS]
    fields = {
        "workflow_slug": team.slug,
        "ended_at": "2026-01-15T09:31:00Z",
        "error_message": "\n".join(short),
        "metadata": {each: [each] for each in short},
    }
    bodies = (
        json.dumps(fields),
        json.dumps({**fields, **{each: each for each in short}, "ended_at": short[0]}),
        "\n".join(short),
    )
    for body in bodies:
        headers = {**many, **team.headers}
        answer = server.post("/api/v1/ingest/run-failure", data=body.encode(), headers=headers)
        assert answer.status_code in (202, 400), answer.text


def hostile_headers(payload: str) -> dict[str, str]:
    names = ("User-Agent", "Content-Type", "X-Pwned", "Referer", "Accept-Language", "Origin")
    return {name: as_header(payload) for name in names}


def as_header(payload: str) -> str:
    """What HTTP can carry of it."""
    kept = "".join(sign for sign in payload if sign.isprintable() or ord(sign) > 160)
    return kept.encode()[:1000].decode("latin-1").strip()


def without_nul(fields: dict[str, object]) -> dict[str, object]:
    """Identifiers with NUL are refused; the other kinds of request hold it."""
    return {
        name: value.replace("\0", "") if isinstance(value, str) else value
        for name, value in fields.items()
    }


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


def find_ids() -> tuple[dict[str, str], dict[str, list[str]]]:
    """What failed runs' pages must show; and the ids of everything that was made."""

    def waiting() -> int:
        db.session.rollback()
        accepted = select(func.count()).where(Event.state == "accepted")
        return db.session.scalar(accepted) or 0

    wait_for(lambda: waiting() == 0, 60, 0.2)
    events = db.session.scalars(select(Event).order_by(Event.id)).all()
    failures = {
        f"/events/{event.public_id}": show_signs(event.run.error_message.replace("\0", "\ufffd"))
        for event in events
        if event.run is not None and event.run.error_message
    }
    failures = {path: text for path, text in failures.items() if len(text) < 5_000}
    ids = {
        "event": pick_events(events),
        "workflow": list(db.session.scalars(select(Workflow.public_id)))[::25],
        "alert": list(db.session.scalars(select(Alert.public_id)))[::25],
        "rule": list(db.session.scalars(select(AlertRule.public_id)))[::25],
        "run": list(db.session.scalars(select(Run.public_id).order_by(Run.id.desc()).limit(3))),
        "key": list(db.session.scalars(select(ApiKey.public_id)))[::25],
        "problem": [str(event.fingerprint) for event in events if event.fingerprint][-1:],
        "channel": list(db.session.scalars(select(Channel.public_id)))[::6],
        "delivery": list(db.session.scalars(select(Delivery.public_id)))[::4],
    }
    return failures, ids


def pick_events(events: Sequence[Event]) -> list[str]:
    """The last ones, which hold all payloads, and one more of each kind."""
    kinds = {(event.state, event.code, event.kind): event.public_id for event in events[:-3]}
    return [*kinds.values(), *(event.public_id for event in events[-3:])]


def check_names(watch: Watch) -> None:
    """The names of the workspace and of the person, and their address, one after the other."""
    for payload in PAYLOADS[::6]:
        try:
            rename_workspace(db.session.scalars(select(Workspace)).one(), payload[:120])
            change_profile(
                user := db.session.scalars(select(User)).one(), payload[:120], user.email, ""
            )
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
