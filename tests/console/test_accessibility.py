"""axe-core finds nothing on any page, wide and narrow, in light and in dark."""

from collections.abc import Callable, Iterable

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from sqlalchemy import select

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
    Workspace,
)
from tests.axe import ALL, COLOURS, violations
from tests.channels.deliveries import store_channels
from tests.factories import PASSWORD, make_alert
from tests.pages_map import SIGNED_OUT, addresses
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team

BY_SCHEME = {"light": ALL, "dark": COLOURS}
"""Nothing but colours is different in the dark."""

pytestmark = pytest.mark.timeout(600)


@pytest.mark.looks
def test_axe_finds_nothing_on_any_page(
    make_server: Callable[..., LiveServer],
    app: Flask,
    browser: Browser,
) -> None:
    server = make_server()
    team = make_live_team(server)
    assert server.cli("demo").returncode == 0
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    found = look(page, server, addresses({}, SIGNED_OUT))
    sign_in(page, server, team)
    with app.app_context():
        store_channels(db.session.scalars(select(Workspace.id)).one(), ["Ops", "Boss's chat"])
        workflow = db.session.scalars(select(Workflow).limit(1)).one()
        make_alert(workflow.workspace_id, workflow.id)
        ids = some_of_each()
    found |= look(page, server, addresses(ids))
    page.set_viewport_size({"width": 390, "height": 844})
    found |= look(page, server, addresses(ids))
    context.close()
    assert found == {}


def look(page: Page, server: LiveServer, paths: Iterable[str]) -> dict[str, list[str]]:
    """What axe has to say, by address and scheme; nothing for a page that is as it should be."""
    found = {}
    for path in paths:
        page.emulate_media(color_scheme="light")
        page.goto(server.url + path)
        for scheme, rules in BY_SCHEME.items():
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            told = violations(page, rules)
            if told:
                found[f"{path} ({scheme}, {page.viewport_size})"] = told
    return found


def some_of_each() -> dict[str, list[str]]:
    """The newest event of each state and code, a workflow, a key."""
    events = db.session.scalars(select(Event).order_by(Event.id.desc()).limit(500)).all()
    by_kind = {(event.state, event.code, event.kind): event.public_id for event in events}
    return {
        "event": list(by_kind.values())[:6],
        "workflow": list(db.session.scalars(select(Workflow.public_id).limit(2))),
        "problem": [str(event.fingerprint) for event in events if event.fingerprint][:1],
        "alert": list(db.session.scalars(select(Alert.public_id)))[:1],
        "rule": list(db.session.scalars(select(AlertRule.public_id)))[:1],
        "run": list(
            db.session.scalars(
                select(Run.public_id)
                .where(Run.correlation_id.is_not(None))
                .order_by(Run.outcome)
                .limit(1)
            )
        ),
        "key": list(db.session.scalars(select(ApiKey.public_id).limit(1))),
        "channel": list(db.session.scalars(select(Channel.public_id))),
        "delivery": list(db.session.scalars(select(Delivery.public_id).limit(1))),
    }


def sign_in(page: Page, server: LiveServer, team: LiveTeam) -> None:
    page.goto(server.url + "/sign-in")
    page.get_by_label("E-mail").fill(team.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state("load")
