"""`python -m docs.screenshots [NAME…]`: starts a server with the demo's data and takes the pictures
of all pages, or of those that are named."""

import base64
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy import Select, select

from app.extensions import db
from app.models import Alert, AlertRule, ApiKey, Channel, Delivery, Event, Workflow
from docs.pictured import SHOP, SILENT, prepare
from tests import browser
from tests.apps import close_app, make_app
from tests.factories import PASSWORD
from tests.server import LiveServer

IMAGES = Path(__file__).parent / "images"
EMAIL = "ana@example.org"
LOOKS = {
    "light": ("light", 1280, 860),
    "dark": ("dark", 1280, 860),
    "phone": ("light", 390, 844),
}
"""Scheme, width and height by the ending of the file's name."""
QUALITY = 46
"""Of WebP: the letters are still sharp, and all pictures together stay below 2 MB."""
PAGES = {
    "overview": "/",
    "live-log": "/events",
    "live-log-event": "/events?event={refused}",
    "event": "/events/{refused}",
    "problems": "/problems",
    "troubleshooting": "/troubleshooting?q=ended_at",
    "runs": "/runs",
    "insights": "/insights?range=30d",
    "workflows": "/workflows",
    "workflow": "/workflows/{workflow}",
    "keys": "/keys",
    "key": "/keys/{rotated}",
    "reference": "/docs#run_success",
    "alerts": "/alerts?view=all",
    "alert-rule": "/alerts/rules/{rule}",
    "channels": "/alerts/channels",
    "channel": "/alerts/channels/{channel}",
    "delivery": "/alerts/deliveries/{delivery}",
    "schedule": "/workflows/{scheduled}/schedule",
    "silent-workflow": "/workflows/{silent}",
    "connect": "/connect?tool=n8n&workflow={workflow}",
    "settings": "/settings",
}
ONLY_WIDE = {"key", "keys", "live-log-event", "reference", "settings", "workflows"}
"""Of these no document shows a phone's picture; there an event opens in the place of the log."""
COMES_LATER = {"live-log-event": "Why this request was refused"}
"""What is loaded after its page."""
IDS: dict[str, Select[tuple[str]]] = {
    "refused": select(Event.public_id)
    .where(Event.code == "validation_failed")
    .order_by(Event.id.desc()),
    "workflow": select(Workflow.public_id).where(Workflow.slug == "invoice-sync-demo"),
    "rule": select(AlertRule.public_id)
    .join(Alert, Alert.rule_id == AlertRule.id)
    .order_by(Alert.id.desc()),
    "channel": select(Channel.public_id).where(Channel.disabled_at.is_not(None)),
    "delivery": select(Delivery.public_id)
    .where(Delivery.state != "waiting")
    .order_by(Delivery.attempts.desc(), Delivery.id),
    "rotated": select(ApiKey.public_id).where(ApiKey.name == f"{SHOP} (old)"),
    "scheduled": select(Workflow.public_id).where(Workflow.slug == "nightly-backup-demo"),
    "silent": select(Workflow.public_id).where(Workflow.name == SILENT),
}
"""What stands for {…} in an address: the first of each."""


def main(names: Collection[str]) -> None:
    """Raises SystemExit for a name that is no page's."""
    unknown = set(names) - PAGES.keys()
    if unknown:
        raise SystemExit(
            f"No such page: {', '.join(sorted(unknown))}. There are: {', '.join(PAGES)}."
        )
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, LiveServer(Path(folder), "") as server:
        server.cli(
            *("user", "create", EMAIL, "--role", "owner", "--password-stdin"), stdin=PASSWORD
        )
        server.cli("demo")
        prepare(server, EMAIL)
        ids = choose(server)
        with sync_playwright() as playwright:
            executable = browser.find_chromium(playwright)
            options = browser.launch_options(str(executable))
            with playwright.chromium.launch(**options) as chromium:
                for ending in LOOKS:
                    take_all(chromium, server, ids, ending, names or PAGES)


def choose(server: LiveServer) -> dict[str, str]:
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        found = {name: db.session.scalars(query.limit(1)).one() for name, query in IDS.items()}
        db.session.remove()
    close_app(app)
    return found


def take_all(
    chromium: Browser,
    server: LiveServer,
    ids: dict[str, str],
    ending: str,
    names: Collection[str],
) -> None:
    with signed_in(chromium, server, *LOOKS[ending]) as page:
        for name in names:
            if ending == "phone" and name in ONLY_WIDE:
                continue
            page.goto(server.url + PAGES[name].format(**ids))
            page.wait_for_load_state("load")
            if name in COMES_LATER:
                expect(page.get_by_text(COMES_LATER[name])).to_be_visible()
            page.wait_for_timeout(400)
            take(page, IMAGES / f"{name}-{ending}.webp")


def take(page: Page, path: Path) -> None:
    """As WebP, which the browser writes and Playwright does not ask it for."""
    session = page.context.new_cdp_session(page)
    options = {"format": "webp", "quality": QUALITY}
    path.write_bytes(base64.b64decode(session.send("Page.captureScreenshot", options)["data"]))
    session.detach()


@contextmanager
def signed_in(
    chromium: Browser, server: LiveServer, scheme: str, width: int, height: int
) -> Iterator[Page]:
    context = chromium.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(server.url + "/sign-in")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("main")).to_be_visible()
    yield page
    context.close()


if __name__ == "__main__":
    main(sys.argv[1:])
