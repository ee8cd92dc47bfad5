"""Workflows in the browser."""

from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.models import Workflow
from app.processing.batch import process_batch
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, report

RECENT = "2026-11-24T03:00:00Z"
HOSTILE = "<script>alert(1)</script>\" onload='x' {{7*7}}"


def address(team: Team) -> str:
    return f"/workflows/{team.workflow_public_id}"


def test_a_new_workflow_shows_its_id_and_slug(owner: FlaskClient) -> None:
    answer = send_form(owner, "/workflows", name="Nightly import")
    assert answer.status_code == 303
    page = open_page(owner, answer.location)
    assert "nightly-import" in page.text
    assert answer.location.removeprefix("/workflows/") in page.text
    copied = {values.get("data-copy") for tag, values in page.tags if tag == "button"}
    assert {"nightly-import", answer.location.removeprefix("/workflows/")} <= copied


def test_a_workflow_may_have_a_slug_of_ones_own(owner: FlaskClient) -> None:
    answer = send_form(owner, "/workflows", name="Nightly import", slug="night")
    assert "night" in open_page(owner, answer.location).text


def test_a_slip_is_named_at_its_field_and_what_was_typed_stays(owner: FlaskClient) -> None:
    for values, field, message in (
        ({"name": "  "}, "name", "Enter a name"),
        ({"name": "Lead enrichment"}, "name", "Another workflow has the name"),
        ({"name": "New", "slug": "Not A Slug"}, "slug", "such as not-a-slug"),
        ({"name": "New", "slug": "lead-enrichment"}, "slug", "Another workflow has the slug"),
        ({"name": "a\0b"}, "name", "Enter a name"),
    ):
        answer = send_form(owner, "/workflows", **values)
        assert answer.status_code == 422
        page = Page(answer.text)
        assert message in page.text
        assert page.has_id(f"field-{field}-error")
        if "\0" not in values["name"]:
            assert page.form("/workflows").fields["name"] == values["name"]


def test_renaming_changes_name_and_slug_and_keeps_the_id(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, address(team), name="Enrich leads", slug="enrich")
    assert answer.location == address(team)
    page = open_page(owner, address(team))
    assert "Enrich leads" in page.text
    assert page.form(address(team)).fields["slug"] == "enrich"
    assert team.workflow_public_id in page.text


def test_a_refused_new_name_leaves_the_old_one(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, address(team), name="Enrich leads", slug="No Slug")
    assert answer.status_code == 422
    assert Page(answer.text).has_id("field-slug-error")
    workflow = db.session.get(Workflow, team.workflow_id)
    assert workflow is not None and workflow.name == team.name


def test_an_archived_workflow_takes_no_events_until_it_is_restored(
    owner: FlaskClient, team: Team
) -> None:
    send_form(owner, address(team), f"{address(team)}/archive")
    assert "Archived" in open_page(owner, "/workflows").text
    assert report(owner, team).json["code"] == "workflow_archived"
    send_form(owner, address(team), f"{address(team)}/restore")
    assert report(owner, team).status_code == 202


def test_archiving_asks_first_and_names_the_workflow(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, address(team))
    titles = [values.get("data-confirm-title") for tag, values in page.tags if tag == "form"]
    assert "Archive Lead enrichment?" in titles


def test_the_page_shows_runs_events_and_the_command_to_send(owner: FlaskClient, team: Team) -> None:
    assert "No runs yet" in open_page(owner, address(team)).text
    report(owner, team, "failure", error_message="boom 42", ended_at=RECENT)
    process_batch(10)
    page = open_page(owner, address(team))
    assert page.text.count("boom 42") == 2
    assert "curl -X POST http://localhost/api/v1/ingest/run-success" in page.text
    assert '"workflow_slug": "lead-enrichment"' in page.text
    assert "Failing" in open_page(owner, "/workflows").text


def test_a_hostile_name_is_only_text(owner: FlaskClient, app: Flask) -> None:
    answer = send_form(owner, "/workflows", name=HOSTILE)
    for path in ("/workflows", answer.location):
        page = open_page(owner, path)
        assert HOSTILE in page.text
        assert not [values for tag, values in page.tags if tag == "script" and not values]
        assert not [values for _, values in page.tags if "onload" in values]
