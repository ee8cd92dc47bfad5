"""Lists in pages: beyond the end stands the last page of one with numbers; of a long one, whose
pages are not counted, a way back."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.channels.outbox import put_mail
from app.clock import now
from app.console import (
    alert_rules,
    alerts,
    channel,
    insights,
    mails,
    maintenance,
    overview,
    problem_groups,
    runs,
)
from app.extensions import db, writing
from app.models import Alert, Channel
from app.processing.worker import Worker
from app.workspaces.workflows import create_workflow
from tests.channels.deliveries import make_message, post_to, store_channels
from tests.console.pages import Page, open_page
from tests.console.refusals import store_refusals
from tests.factories import Team, make_alert, report

NAMES = ("Night shift", "Day shift")
LISTS: dict[str, tuple[Any, str]] = {
    "/": (overview, "PAGE_SIZE"),
    "/alerts/maintenance": (maintenance, "PAGE_SIZE"),
    "/alerts/rules": (alert_rules, "PAGE_SIZE"),
    "/insights": (insights, "WORKFLOWS_SHOWN"),
    "/problems": (problem_groups, "PAGE_SIZE"),
    "/problems?code=validation_failed&window=7d": (problem_groups, "PAGE_SIZE"),
    "/runs/errors": (runs, "ERRORS_SHOWN"),
}
"""By address: the module whose page it is, and the name of its size."""
LONG_LISTS: dict[str, Any] = {
    "/alerts": alerts,
    "/alerts?view=all&kind=failed": alerts,
    "/alerts?view=past": alerts,
    "/alerts?view=all&workflow={workflow}": alerts,
    "/alerts/channels/{channel}": channel,
    "/alerts/mails": mails,
}
"""Those that are not counted, with their modules."""
MOST_PAGES = 10


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
    return str(db.session.scalar(select(Channel.public_id).order_by(Channel.id)))


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


@pytest.fixture
def long_list(filled: str, team: Team, request: pytest.FixtureRequest) -> str:
    """The address of a list with three rows or more."""
    make_alert(team.workspace_id, team.workflow_id, "Evening shift")
    store_channels(team.workspace_id, ["Not this one"])
    with writing() as session:
        for alert in session.scalars(select(Alert)) if "past" in request.param else ():
            alert.ended_at = now()
        for name in ("Noon", "Evening"):
            mail = make_message(title=f"{name} shift")
            put_mail(session.connection(), mail, team.workspace_id, ["bo@example.org"], now())
    post_to(db.session.get_one(Channel, 1), title="Evening shift")
    return str(request.param.format(channel=filled, workflow=team.workflow_public_id))


@pytest.mark.parametrize("long_list", LONG_LISTS, indirect=True)
def test_a_long_list_goes_on_in_both_directions_and_shows_each_row_once(
    owner: FlaskClient,
    long_list: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    path = request.node.callspec.params["long_list"]
    whole = rows_of(open_page(owner, long_list))
    assert len(whole) >= 3
    monkeypatch.setattr(LONG_LISTS[path], "PAGE_SIZE", 1)
    address: str | None = long_list
    down, page = [], open_page(owner, long_list)
    assert step_of(page, "prev") is None
    while address:
        page = open_page(owner, address)
        down.append(rows_of(page))
        address = next_of(page)
    assert [row for rows in down for row in rows] == whole
    up = [rows_of(page)]
    while address := step_of(page, "prev"):
        page = open_page(owner, address)
        up.insert(0, rows_of(page))
    assert up == down


@pytest.mark.parametrize("long_list", LONG_LISTS, indirect=True)
def test_beyond_the_end_of_a_long_list_is_a_way_back(owner: FlaskClient, long_list: str) -> None:
    mark = "&" if "?" in long_list else "?"
    beyond = open_page(owner, f"{long_list}{mark}before=1")
    assert "This is beyond the oldest of them." in beyond.text
    back = step_of(beyond, "prev")
    assert back is not None
    assert rows_of(open_page(owner, back)) == rows_of(open_page(owner, long_list))


@pytest.mark.parametrize("long_list", LONG_LISTS, indirect=True)
def test_a_place_that_can_not_be_read_is_told(owner: FlaskClient, long_list: str) -> None:
    mark = "&" if "?" in long_list else "?"
    for place in ("before=x", "after=-1", "before=1&before=2"):
        page = open_page(owner, f"{long_list}{mark}{place}", 422)
        assert "This page can't be found" in page.text
        assert long_list in [link.partition("#")[0] for link in page.links]


def rows_of(page: Page) -> list[str]:
    """Where the rows of the list lead to."""
    one = re.compile(r"/alerts/(deliveries/)?[a-z0-9]{24}")
    return list(dict.fromkeys(link for link in page.links if one.fullmatch(link)))


def next_of(page: Page) -> str | None:
    return step_of(page, "next")


def step_of(page: Page, rel: str) -> str | None:
    links = [values for tag, values in page.tags if tag == "a" and values.get("rel") == rel]
    return links[0]["href"] if links else None
