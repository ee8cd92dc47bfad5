"""Lists in pages: beyond the end stands the last page, on every list."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.clock import now
from app.console import (
    alert_rules,
    alerts,
    channel,
    insights,
    maintenance,
    overview,
    problem_groups,
    runs,
)
from app.extensions import db
from app.models import Channel
from app.processing.worker import Worker
from app.workspaces.workflows import create_workflow
from tests.channels.deliveries import store_channels
from tests.console.pages import Page, open_page
from tests.console.refusals import store_refusals
from tests.factories import Team, make_alert, report

NAMES = ("Night shift", "Day shift")
LISTS: dict[str, tuple[Any, str]] = {
    "/": (overview, "PAGE_SIZE"),
    "/alerts": (alerts, "PAGE_SIZE"),
    "/alerts?view=all&kind=failed": (alerts, "PAGE_SIZE"),
    "/alerts/channels/{channel}": (channel, "PAGE_SIZE"),
    "/alerts/maintenance": (maintenance, "PAGE_SIZE"),
    "/alerts/rules": (alert_rules, "PAGE_SIZE"),
    "/insights": (insights, "WORKFLOWS_SHOWN"),
    "/problems": (problem_groups, "PAGE_SIZE"),
    "/problems?code=validation_failed&window=7d": (problem_groups, "PAGE_SIZE"),
    "/runs/errors": (runs, "ERRORS_SHOWN"),
}
"""By address: the module whose page it is, and the name of its size."""


@pytest.fixture
def filled(owner: FlaskClient, team: Team) -> str:
    """Two of each thing that is listed; the id of a channel with deliveries."""
    store_channels(team.workspace_id, ["On call"])
    for number, name in enumerate(NAMES):
        make_alert(team.workspace_id, team.workflow_id, name)
        store_refusals(team, 1, f"{number}" * 16, reference=name)
        ended_at = now().isoformat()
        report(owner, team, "failure", error_message=name, ended_at=ended_at)
        workflow = create_workflow(team.workspace_id, name)
        report(owner, team, workflow_slug=workflow.slug, ended_at=ended_at)
    Worker().work()
    return str(db.session.scalar(db.select(Channel.public_id)))


@pytest.mark.parametrize("path", LISTS)
def test_beyond_the_end_stands_the_last_page(
    owner: FlaskClient, team: Team, filled: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = path.format(channel=filled)
    mark = "&" if "?" in path else "?"
    monkeypatch.setattr(*LISTS[path], 1)
    last = open_page(owner, address)
    assert next_of(last)
    while onward := next_of(last):
        last = open_page(owner, onward)
    beyond = open_page(owner, f"{address}{mark}page=99")
    shown = [[name for name in NAMES if name in page.text] for page in (last, beyond)]
    assert shown[0] == shown[1]
    assert [each for each in last.links if "page" in each] == [
        each for each in beyond.links if "page" in each
    ]


def next_of(page: Page) -> str | None:
    links = [values for tag, values in page.tags if tag == "a" and values.get("rel") == "next"]
    return links[0]["href"] if links else None
