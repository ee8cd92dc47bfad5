"""Test events: each shows just what it promises, and is marked."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.console.test_events import TESTS, TestEvent
from app.extensions import db
from app.models import Event, Rollup, Run, Workflow
from app.processing.batch import process_batch
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, make_team


def page_of(team: Team) -> str:
    return f"/workflows/{team.workflow_public_id}"


def send(client: FlaskClient, team: Team, name: str, **headers: str) -> object:
    token = open_page(client, page_of(team)).form(f"{page_of(team)}/test").fields
    return client.post(f"{page_of(team)}/test", data={**token, "test": name}, headers=headers)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_each_gives_just_what_it_promises(owner: FlaskClient, team: Team, test: TestEvent) -> None:
    answer = send(owner, team, test.name)
    event = db.session.scalar(select(Event))
    assert event is not None
    assert (answer.status_code, answer.location) == (303, f"/events/{event.public_id}")
    assert (event.code, event.kind) == (test.code, test.kind)
    assert [error["code"] for error in event.errors or []] == [test.finding] * bool(test.finding)
    assert event.warnings is None or test.finding is not None
    assert (event.origin, event.sent_by) == ("test", team.email)
    # What can't be read, or names another one, belongs to none.
    assert event.workflow_id in ((team.workflow_id, None) if test.code else (team.workflow_id,))
    assert f'"{team.slug}"'.encode() in event.body or test.code == "workflow_not_found"
    assert b'"external_execution_id": "test-' in event.body
    assert event.fingerprint is None


def test_in_place_the_answer_says_what_happened(owner: FlaskClient, team: Team) -> None:
    done = Page(send(owner, team, "success", **{"HX-Request": "true"}).text)
    assert "Success: accepted with 202" in done.text
    refused = Page(send(owner, team, "unix-timestamp", **{"HX-Request": "true"}).text)
    assert "refused with 400 validation_failed" in refused.text
    assert "Unix timestamp in seconds" in refused.text
    events = db.session.scalars(select(Event.public_id).order_by(Event.id)).all()
    assert [*done.links, *refused.links] == [f"/events/{each}" for each in events]


def test_two_tests_are_two_runs_that_no_statistics_know(owner: FlaskClient, team: Team) -> None:
    for name in ("success", "success", "failure"):
        send(owner, team, name)
    while process_batch(10):
        pass
    runs = db.session.scalars(select(Run)).all()
    assert len(runs) == 3 and all(run.is_test for run in runs)
    assert db.session.scalar(select(Rollup)) is None
    page = open_page(owner, page_of(team))
    assert page.text.count("Left out of statistics") == 0
    assert page.text.count(" Test ") == 6
    assert "Never reported" in open_page(owner, "/workflows").text


def test_what_is_no_test_is_not_sent(owner: FlaskClient, team: Team) -> None:
    assert send(owner, team, "nothing").status_code == 404
    assert db.session.scalar(select(Event)) is None


def test_an_archived_workflow_has_no_tests(owner: FlaskClient, team: Team) -> None:
    send_form(owner, page_of(team), f"{page_of(team)}/archive")
    page = open_page(owner, page_of(team))
    assert "Restore the workflow first" in page.text
    assert f"{page_of(team)}/test" not in [form.action for form in page.forms]


def test_a_viewer_and_another_workspace_send_none(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    viewer = colleague("viewer")
    token = open_page(viewer, page_of(team)).form("/sign-out").fields
    data = {**token, "test": "success"}
    assert viewer.post(f"{page_of(team)}/test", data=data).status_code == 403
    other = make_team("Elsewhere", first=False)
    data = {**open_page(owner, "/keys").form("/sign-out").fields, "test": "success"}
    assert owner.post(f"{page_of(other)}/test", data=data).status_code == 404
    assert owner.post(f"{page_of(team)}/test", data={"test": "success"}).status_code == 400
    assert db.session.scalar(select(Event)) is None


def test_the_longest_slug_fits_every_test(owner: FlaskClient, team: Team) -> None:
    workflow = db.session.get(Workflow, team.workflow_id)
    assert workflow is not None
    send_form(owner, page_of(team), name="n" * 120, slug="s" * 80)
    assert send(owner, team, "unknown-workflow").status_code == 303
    assert db.session.scalar(select(Event.code)) == "workflow_not_found"
