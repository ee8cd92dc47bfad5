"""`python -m docs.screenshots`: starts a server with the demo's data and takes its pictures."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import select

from app.extensions import db
from app.models import Alert, Schedule, User, Workflow, Workspace
from app.workspaces.alert_rules import suggest_rule
from app.workspaces.channels import add_channel
from tests import browser
from tests.apps import close_app, make_app
from tests.channels.receivers import Receiver
from tests.factories import PASSWORD
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team

IMAGES = Path(__file__).parent / "images"
SCHEMES = ("light", "dark")
SIZES = {"": (1280, 860), "-phone": (390, 844)}
PAGES = {
    "overview": "/",
    "insights": "/insights?range=30d",
    "live-log": "/events",
    "runs": "/runs?outcome=failure",
    "event": "/events?state=rejected",
    "problems": "/problems",
    "connect": "/connect?tool=n8n",
    "workflows": "/workflows",
    "workflow": "/workflows/{busy}",
    "schedule": "/workflows/{busy}/schedule",
    "alerts": "/alerts?view=all",
    "alert": "/alerts/{alert}",
    "alert-rule": "/alerts/rules/{rule}",
    "channels": "/alerts/channels",
    "channel": "/alerts/channels/{channel}",
    "api-keys": "/keys",
    "reference": "/docs",
    "troubleshooting": "/troubleshooting",
    "account": "/account",
    "settings": "/settings",
}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Receiver() as receiver,
        LiveServer(Path(folder), "", FLOWPULSE_ALLOW_PRIVATE_ADDRESSES="1") as server,
    ):
        team = make_live_team(server)
        server.cli("demo")
        ids = watch(server, receiver)
        send_some(server, team)
        ids["alert"] = wait_for_alert(server, receiver)
        with sync_playwright() as playwright:
            executable = browser.find_chromium(playwright)
            options = browser.launch_options(str(executable))
            with playwright.chromium.launch(**options) as chromium:
                take_all(chromium, server, team, ids)


@contextmanager
def inside(server: LiveServer) -> Iterator[None]:
    """The application on the server's database."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        yield
        db.session.remove()
    close_app(app)


def watch(server: LiveServer, receiver: Receiver) -> dict[str, str]:
    """A channel, and a rule that tells it of any failure; their ids, and a busy workflow's."""
    with inside(server):
        user = db.session.scalars(select(User)).one()
        workspace_id = db.session.scalars(select(Workspace.id)).one()
        settings = {"name": "On call", "url": f"{receiver.url}/flowpulse"}
        channel, _ = add_channel(workspace_id, "webhook", settings, user)
        channel_id = channel.public_id
        rule_id = suggest_rule(workspace_id, user).public_id
        scheduled = select(Workflow.public_id).join(Schedule).order_by(Workflow.id)
        busy = db.session.scalars(scheduled.limit(1)).one()
    return {"channel": channel_id, "rule": rule_id, "busy": busy}


def wait_for_alert(server: LiveServer, receiver: Receiver) -> str:
    """The id of the alert that `send_some` has set off, once it has been told."""
    deadline = time.monotonic() + 30
    while not receiver.received and time.monotonic() < deadline:
        time.sleep(0.2)
    with inside(server):
        return db.session.scalars(select(Alert.public_id).limit(1)).one()


def send_some(server: LiveServer, team: LiveTeam) -> None:
    """A few reports by hand, so that the top of the log has one of each kind."""
    good = {"workflow_slug": team.slug, "ended_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    bodies = {
        "run-success": [
            {**good, "source_platform": "n8n", "duration_ms": 1240},
            {**good, "ended_at": "15.01.2026 09:31", "endedAt": "x"},
            {"workflow_slug": team.slug, "endedAt": "2026-01-15T09:31:00Z"},
        ],
        "run-failure": [{**good, "error_message": "429 from the CRM", "source_platform": "make"}],
    }
    for kind, sent in bodies.items():
        for body in sent:
            server.post(f"/api/v1/ingest/{kind}", data=json.dumps(body), headers=team.headers)


def take_all(chromium: Browser, server: LiveServer, team: LiveTeam, ids: dict[str, str]) -> None:
    for scheme in SCHEMES:
        for suffix, (width, height) in SIZES.items():
            with signed_in(chromium, server, team, scheme, width, height) as page:
                for name, path in PAGES.items():
                    page.goto(server.url + path.format(**ids))
                    if name == "event":
                        opened = page.locator("a.row-link").first.get_attribute("href")
                        page.goto(server.url + str(opened))
                    page.wait_for_load_state("load")
                    page.wait_for_timeout(400)
                    page.screenshot(path=IMAGES / f"{name}-{scheme}{suffix}.png")


@contextmanager
def signed_in(
    chromium: Browser, server: LiveServer, team: LiveTeam, scheme: str, width: int, height: int
) -> Iterator[Page]:
    context = chromium.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(server.url + "/sign-in")
    page.get_by_label("E-mail").fill(team.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("main")).to_be_visible()
    yield page
    context.close()


if __name__ == "__main__":
    main()
