"""axe finds nothing on any page, and nothing is cut off: wide and narrow, in light and in dark."""

from itertools import islice

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from app.cli import demo, demo_month
from app.extensions import db
from app.models import (
    Alert,
    AlertRule,
    ApiKey,
    Channel,
    Delivery,
    Event,
    Run,
    Workflow,
)
from tests.apps import close_app, make_app
from tests.axe import ALL, violations
from tests.channels.deliveries import store_channels
from tests.factories import make_alert
from tests.layout import cut_off
from tests.pages_map import SIGNED_OUT, addresses
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam, find_workspace, make_live_team

DAYS = 8
"""Of the demo's month, so that there is something of each kind, and no more than that."""
FURTHER = (
    "/connect?tool=n8n",
    "/connect?tool=make&workflow={workflow}",
    "/connect?tool=make&workflow={workflow}&key=own",
    "/problems?show=ignored&window=7d",
    "/troubleshooting?q=zzz",
)
"""Pages that look quite different with something else in their address."""
NARROW = ("wcag2a", "wcag22aa")
VIEWS = {
    "wide, light first": (1280, {"light": ALL, "dark": ALL}, 0),
    "wide, dark first": (1280, {"dark": ALL, "light": ALL}, 1),
    "narrow, light": (390, {"light": NARROW}, 0),
    "narrow, dark": (390, {"dark": NARROW}, 1),
}
"""Each looks at every other page, which the next one leaves out. Nothing but places and sizes is
different on a phone, except for the navigation, which is looked at on one page."""


@pytest.fixture(scope="module")
def furnished(live_server: LiveServer, live_team: LiveTeam) -> tuple[LiveTeam, list[str]]:
    """A team with something of each kind, and the addresses of all pages that show it."""
    team = make_live_team(live_server)
    odd_id = send_something_odd(live_server, team)
    app = make_app(live_server.database_url, live_server.data_dir)
    with app.app_context(), pytest.MonkeyPatch.context() as patch:
        for module in (demo, demo_month):
            patch.setattr(module, "DAYS", DAYS)
        workspace_id = find_workspace(team).id
        demo.make_demo(workspace_id)
        store_channels(workspace_id, ["Ops", "Boss's chat"])
        workflow = db.session.scalars(select(Workflow).filter_by(workspace_id=workspace_id)).first()
        assert workflow is not None
        make_alert(workspace_id, workflow.id)
        ids = some_of_each(workspace_id)
    close_app(app)
    shown = {**ids, "event": [odd_id]}
    others = [f"/events/{event_id}" for event_id in ids["event"]]
    return team, [*addresses(shown), *addresses(shown, {"further": FURTHER}), *others]


def test_axe_tells_what_is_wrong_and_where(page: Page) -> None:
    pale = "<p style='color: #eee; background: #fff'>pale</p>"
    page.set_content(f"<html lang=en><title>x</title><main><h1>x</h1><img src=data:,>{pale}</main>")
    told = {each.partition(": ")[0]: each for each in violations(page)}
    assert told.keys() >= {"image-alt", "color-contrast"}
    assert "<img src" in told["image-alt"] and "contrast of" in told["color-contrast"]


@pytest.mark.once
@pytest.mark.parametrize("view", VIEWS)
def test_every_page_is_for_everybody(
    live_server: LiveServer, furnished: tuple[LiveTeam, list[str]], browser: Browser, view: str
) -> None:
    team, paths = furnished
    width, schemes, start = VIEWS[view]
    viewport = {"width": width, "height": 900}
    context = browser.new_context(reduced_motion="reduce", viewport=viewport)  # type: ignore[arg-type]
    page = context.new_page()
    found = {}
    for path in islice(addresses({}, SIGNED_OUT), start, None, 2):
        found[path] = look(page, live_server.url + path, schemes)
    enter(context, live_server, team.email)
    for path in islice(paths, start, None, 2):
        found[path] = look(page, live_server.url + path, schemes)
    found["/ once more"] = look(page, live_server.url, {next(iter(schemes)): ALL})
    context.close()
    assert len(found) > 15
    assert {path: told for path, told in found.items() if told} == {}


def look(page: Page, url: str | None, schemes: dict[str, tuple[str, ...]]) -> list[str]:
    """What is wrong with a page, by scheme; nothing for a page that is as it should be. Without
    `url`: with what is open."""
    told: list[str] = []
    for number, (scheme, rules) in enumerate(schemes.items()):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        if url and number == 0:
            page.goto(url)
        told += (f"{scheme}: {each}" for each in violations(page, rules))
    return told + cut_off(page)


def send_something_odd(server: LiveServer, team: LiveTeam) -> str:
    """A refused request with a misspelt name, and with all that can be long without a break."""
    body = {"workflow_slug": team.slug, "endedAt": "2026-11-24T03:00:00Z", "duration_ms": "x"}
    body |= {"source_platform": "W" * 64, "x" * 70: "y" * 500}
    body |= {"external_execution_id": "W" * 255, "correlation_id": "W" * 255}
    answer = server.post("/api/v1/ingest/run-success", json=body, headers=team.headers).json()
    path = f"/api/v1/events/{answer['event_id']}"
    wait_for(lambda: server.get(path, headers=team.headers).ok)
    return str(answer["event_id"])


def some_of_each(workspace_id: int) -> dict[str, list[str]]:
    """The newest event of each state and code, a workflow, a key."""

    def some(column: InstrumentedAttribute[str], most: int = 1) -> list[str]:
        own = select(column).where(column.class_.workspace_id == workspace_id)
        return list(db.session.scalars(own.limit(most)))

    query = select(Event).filter_by(workspace_id=workspace_id).order_by(Event.id.desc()).limit(500)
    events = db.session.scalars(query).all()
    by_kind = {(event.state, event.code, event.kind): event.public_id for event in events}
    sent = select(Delivery.public_id).join(Channel, Channel.id == Delivery.channel_id)
    sent = sent.where(Channel.workspace_id == workspace_id)
    linked = select(Run.public_id).where(Run.workspace_id == workspace_id)
    linked = linked.where(Run.correlation_id.is_not(None)).order_by(Run.outcome)
    return {
        "event": list(by_kind.values())[:6],
        "workflow": some(Workflow.public_id, 2),
        "problem": [str(event.fingerprint) for event in events if event.fingerprint][:1],
        "alert": some(Alert.public_id),
        "rule": some(AlertRule.public_id),
        "run": list(db.session.scalars(linked.limit(1))),
        "key": some(ApiKey.public_id),
        "channel": some(Channel.public_id, 2),
        "delivery": list(db.session.scalars(sent.limit(1))),
    }
