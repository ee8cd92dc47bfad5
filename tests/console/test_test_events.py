"""Test events: each shows just what it promises, and is marked."""

from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.console.test_events import make_attempts
from app.console.test_kind import TestEvent
from app.console.test_kinds import NOT_SHOWN, TESTS
from app.extensions import db
from app.ingest.attempts import Outcome
from app.ingest.attempts import send as send_attempt
from app.models import Event, Rollup, Run, Workflow
from app.problems import PROBLEMS
from app.processing.batch import process_batch
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, make_team

ALSO = {"plus_not_escaped": ("form_encoded",)}
"""What a kind shows besides."""


def page_of(team: Team) -> str:
    return f"/workflows/{team.workflow_public_id}"


def send(client: FlaskClient, team: Team, name: str, **headers: str) -> object:
    token = open_page(client, page_of(team)).form(f"{page_of(team)}/test").fields
    return client.post(f"{page_of(team)}/test", data={**token, "test": name}, headers=headers)


def test_each_gives_just_what_it_promises(app: Flask, team: Team) -> None:
    """All in one test: an app and a database for each would take a minute."""
    workflow = db.session.get(Workflow, team.workflow_id)
    assert workflow is not None
    attempts = {test: [*make_attempts(test, workflow, team.email)] for test in TESTS.values()}
    outcomes = {test: [*map(send_attempt, each)][-1] for test, each in attempts.items()}
    db.session.rollback()
    events = {each.public_id: each for each in db.session.scalars(select(Event))}
    assert len(events) == len(TESTS) + 1, "A retry is no second event, and one kind sends two"
    for test, outcome in outcomes.items():
        check_promise(test, outcome, events[outcome.event_id], team)


def check_promise(test: TestEvent, outcome: Outcome, event: Event, team: Team) -> None:
    found = [each["code"] for each in [*(event.errors or []), *(event.warnings or [])]]
    refused_with = outcome.problem.code if outcome.problem else None
    assert event.code == test.code == refused_with, test.name
    assert set(found) <= {test.shows, *ALSO.get(test.name, ())}, test.name
    assert not test.is_explained or test.shows in (*found, event.code), test.name
    assert event.status == (PROBLEMS[test.shows].status if test.is_explained else 202), test.name
    assert event.kind in (test.kind, None), test.name
    assert (event.origin, event.sent_by, event.fingerprint) == ("test", team.email, None)
    # What can't be read, or names another one, belongs to none.
    assert event.workflow_id in ((team.workflow_id, None) if test.code else (team.workflow_id,))


def test_each_row_of_the_table_is_shown_by_a_kind_or_can_not_be() -> None:
    shown = {test.shows for test in TESTS.values() if test.is_explained}
    assert shown | NOT_SHOWN.keys() == PROBLEMS.keys()
    assert not shown & NOT_SHOWN.keys()
    titles = [test.title for test in TESTS.values()]
    assert sorted(set(titles)) == sorted(titles), "Each can be told from the others"


def test_in_place_the_answer_says_what_happened(owner: FlaskClient, team: Team) -> None:
    done = Page(send(owner, team, "success", **{"HX-Request": "true"}).text)
    assert "Success: accepted with 202" in done.text
    refused = Page(send(owner, team, "epoch_number", **{"HX-Request": "true"}).text)
    assert "refused with 400 validation_failed" in refused.text
    assert "Unix timestamp in seconds" in refused.text
    events = db.session.scalars(select(Event.public_id).order_by(Event.id)).all()
    links = [each for each in (*done.links, *refused.links) if each.startswith("/events/")]
    assert links == [f"/events/{each}" for each in events]
    assert "/troubleshooting#epoch_number" in refused.links
    assert '"code": "validation_failed"' in refused.text, "The answer as the sender gets it"


def test_the_latest_events_are_read_anew_until_the_test_is_a_run(
    owner: FlaskClient, team: Team
) -> None:
    def repeats() -> bool:
        tags = open_page(owner, page_of(team)).tags
        (latest,) = [values for _, values in tags if values.get("id") == "latest"]
        return latest.get("hx-get") == page_of(team)

    assert not repeats()
    done = Page(send(owner, team, "success", **{"HX-Request": "true"}).text)
    assert [each.get("hx-target") for _, each in done.tags if each.get("hx-get")] == ["#latest"]
    assert repeats()
    process_batch(10)
    db.session.rollback()
    assert not repeats()


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
    assert send(owner, team, "workflow_not_found").status_code == 303
    assert db.session.scalar(select(Event.code)) == "workflow_not_found"
