"""One thing of each kind is renamed through all payloads, and its own page opened each time.

A name holds as many payloads as it has room for, so that each page is opened 57 times and not
100: what one of them broke would take the others' text away. The workflow has all as its labels.
What tests/hostile/test_hostile_content.py opens of these pages is a sample: things with every 25th
payload (of channels every 6th, of deliveries every 4th, and the last events, which hold all).
"""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy import delete, select

from app.extensions import db, writing
from app.models import Alert, AlertRule, ApiKey, Channel, Workflow, WorkflowLabel
from app.signs import show_signs
from tests.channels.deliveries import store_channels
from tests.factories import make_alert
from tests.hostile.payloads import PAYLOADS
from tests.hostile.watch import Watch
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import make_live_team

pytestmark = pytest.mark.timeout(900)

MOST = 120
"""Signs that all these names may have."""
NAMED = {
    Workflow: "/workflows/{}",
    AlertRule: "/alerts/rules/{}",
    Channel: "/alerts/channels/{}",
    ApiKey: "/keys/{}",
}
"""What people give names to, and the page of each."""


def first(kind: type[Any]) -> Any:
    return db.session.scalars(select(kind).order_by(kind.id)).first()


def make_one_of_each() -> list[str]:
    """The addresses of their pages, and of an alert's, which names the rule and the workflow."""
    workflow = first(Workflow)
    workspace_id, workflow_id = workflow.workspace_id, workflow.id
    store_channels(workspace_id, ["first"])
    make_alert(workspace_id, workflow_id)
    db.session.rollback()
    own = [path.format(first(kind).public_id) for kind, path in NAMED.items()]
    return [*own, f"/alerts/{first(Alert).public_id}"]


def label_with_all(workflow: Workflow) -> None:
    texts = {as_name(payload)[:40].strip() for payload in PAYLOADS}
    with writing() as session:
        own = {"workspace_id": workflow.workspace_id, "workflow_id": workflow.id}
        session.execute(delete(WorkflowLabel))
        session.add_all(WorkflowLabel(label=text, **own) for text in texts)


def name_all(name: str) -> None:
    with writing():
        for kind in NAMED:
            first(kind).name = name
        first(AlertRule).label = name[:40]
        first(Alert).rule_name = name


def as_name(payload: str) -> str:
    """As far as a name can hold it."""
    return " ".join(payload.replace("\0", "").split())[:MOST].strip()


def full_names() -> list[str]:
    """All payloads, one after the other, each of them whole or cut by itself."""
    names = [""]
    for text in map(as_name, PAYLOADS):
        joint = f"{names[-1]} {text}".strip()
        names[-1:] = [joint] if len(joint) <= MOST else [names[-1], text]
    return names


@pytest.mark.once
def test_each_payload_as_the_name_of_each_thing_is_text_on_its_page(
    make_server: Callable[..., LiveServer], app: Flask, page: Page
) -> None:
    server = make_server(WEB_CONCURRENCY="1")
    enter(page.context, server, make_live_team(server).email)
    watch = Watch(page, server.url)
    with app.app_context():
        paths = make_one_of_each()
        label_with_all(first(Workflow))
        for name in full_names():
            name_all(name)
            for path in paths:
                watch.visit(path)
                shown = " ".join(str(page.locator("html").text_content()).split())
                assert name in shown or show_signs(name) in shown, (path, name)
