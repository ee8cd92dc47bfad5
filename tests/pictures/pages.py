"""Which pages are pictured, how, and what stands for {…} in their addresses."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page
from sqlalchemy import Select, select

from app.models import Alert, AlertRule, ApiKey, Channel, Delivery, Event, Workflow
from tests.pictures.made_up import SHOP, SILENT, show_import

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDE, PHONE = (1280, 860), (390, 844)
SMALL = (900, 700)
"""Of a page that has little on it."""
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
    "integration": "/docs/n8n?workflow=invoice-sync-demo",
    "alerts": "/alerts?view=all",
    "alert-rule": "/alerts/rules/{rule}",
    "channels": "/alerts/channels",
    "channel": "/alerts/channels/{channel}",
    "delivery": "/alerts/deliveries/{delivery}",
    "schedule": "/workflows/{scheduled}/schedule",
    "silent-workflow": "/workflows/{silent}",
    "connect": "/connect?tool=n8n&workflow={workflow}",
    "settings": "/settings",
    "export": "/settings#export",
    "audit-log": "/settings/audit",
    "doctor": "/settings/doctor",
    "import-preview": "/workflows/import",
}
"""By the picture's name, its address on a server with the demo's data."""
ON_A_NEW_SERVER = {"set-up": SMALL, "first-key": WIDE}
"""What the quick start shows (tests/pictures/first_steps.py)."""
OF_PEOPLE = {"sign-in": SMALL, "invitation": SMALL, "workspaces": SMALL}
"""Who comes in there, and how, once it is set up (tests/pictures/people.py)."""
SIZES = {"export": (1280, 464)}
"""Of what stands at the end of its page, where there is no more to scroll to."""
DONE: dict[str, Callable[[Page], None]] = {"import-preview": show_import}
"""What is done on a page before it is taken."""
ON_A_PHONE = {
    *("overview", "live-log", "event", "problems", "workflow", "connect", "troubleshooting"),
    *("runs", "insights", "schedule", "silent-workflow"),
}
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


def list_names() -> set[str]:
    return {*PAGES, *ON_A_NEW_SERVER, *OF_PEOPLE}


def list_pictures() -> set[str]:
    """Names of all files."""
    wide = {f"{name}-{scheme}" for name in list_names() for scheme in SCHEMES}
    return {f"{name}.webp" for name in wide | {f"{name}-phone" for name in ON_A_PHONE}}


SCHEMES = ("light", "dark")
