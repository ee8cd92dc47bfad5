"""Workflows in the browser."""

import re
from datetime import timedelta
from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete

from app.clock import now
from app.console.formatting import date
from app.console.workflow_list import load_workflows
from app.extensions import db, writing
from app.models import FORMER_SLUG_LIFETIME, Workflow
from app.processing.batch import process_batch
from app.workspaces.workflows import archive_workflow, create_workflow
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, report
from tests.server import wait_for

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


def test_a_heading_that_is_cut_on_a_small_screen_says_all_of_it_elsewhere(
    owner: FlaskClient, team: Team
) -> None:
    name = "Zahlungs<übersicht>" * 6
    workflow = create_workflow(team.workspace_id, name)
    page = open_page(owner, f"/workflows/{workflow.public_id}")
    assert ("h1", {"title": name}) in page.tags
    assert ("h1", {}) in open_page(owner, f"/workflows/{team.workflow_public_id}").tags


def test_a_workflow_may_have_a_slug_of_ones_own(owner: FlaskClient) -> None:
    answer = send_form(owner, "/workflows", name="Nightly import", slug="night")
    assert "night" in open_page(owner, answer.location).text


def test_a_slip_is_named_at_its_field_and_what_was_typed_stays(owner: FlaskClient) -> None:
    for values, field, message in (
        ({"name": "  "}, "name", "Enter a name"),
        ({"name": "Lead enrichment"}, "name", "Another workflow has the name"),
        ({"name": "New", "slug": "Not A Slug"}, "slug", "such as not-a-slug"),
        ({"name": "New", "slug": "lead-enrichment"}, "slug", "Another workflow has the slug"),
        ({"name": "a\0b"}, "name", "U+0000"),
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
    titles = [title for title, *_ in page.questions]
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


def test_renaming_tells_before_and_after_what_becomes_of_the_old_slug(
    owner: FlaskClient, team: Team
) -> None:
    told = "the old slug works for 30 more days, with a warning"
    assert told in open_page(owner, address(team)).text
    send_form(owner, address(team), name="Enrich leads", slug="enrich")
    page = open_page(owner, address(team))
    assert "The slug lead-enrichment works for 30 more days." in page.text
    assert f"Works until {date(now() + FORMER_SLUG_LIFETIME)}, " in page.text
    assert "None of the newest events used it." in page.text
    assert report(owner, team).status_code == 202
    page = open_page(owner, address(team))
    assert "with the key n8n-prod, from 127.0.0.1" in page.text
    assert "by 1 of the newest events" in page.text


def test_a_taken_name_or_slug_is_told_at_its_field_when_renaming(
    owner: FlaskClient, team: Team
) -> None:
    create_workflow(team.workspace_id, "Invoice sync")
    for values in ({"name": "Invoice sync"}, {"slug": "invoice-sync"}):
        answer = send_form(owner, address(team), **values)
        assert answer.status_code == 422
        assert Page(answer.text).has_id(f"field-{next(iter(values))}-error")


def test_an_archived_workflow_tells_how_many_came_since(owner: FlaskClient, team: Team) -> None:
    report(owner, team, ended_at="nonsense")
    send_form(owner, address(team), f"{address(team)}/archive")
    assert "None has come since then." in open_page(owner, address(team)).text
    for reference in ({}, {"workflow_slug": None, "workflow_id": team.workflow_public_id}):
        assert report(owner, team, **reference).json["code"] == "workflow_archived"
    wait_for(lambda: "2 requests came since then" in open_page(owner, address(team)).text)


def test_refused_requests_that_name_the_workflow_are_among_its_events(
    owner: FlaskClient, team: Team
) -> None:
    create_workflow(team.workspace_id, "Invoice sync")
    report(owner, team, ended_at="15.01.2026 09:31")
    report(owner, team, ended_at="15.01.2026 09:31", workflow_slug="invoice-sync")
    wait_for(lambda: "Validation failed" in open_page(owner, address(team)).text)
    assert open_page(owner, address(team)).text.count("Validation failed") == 1


def test_the_list_is_searched_by_name_slug_and_id(owner: FlaskClient, team: Team) -> None:
    assert "Search" not in open_page(owner, "/workflows").text
    made = [create_workflow(team.workspace_id, f"Übertrag {n}", f"job-{n}") for n in range(10)]
    archive_workflow(made[3])
    searches = {"übertrag 2": 1, "JOB-7": 1, made[5].public_id: 1, "Übertrag": 9, "job-3": 0}
    for text, count in searches.items():
        page = open_page(owner, f"/workflows?q={quote(text)}")
        shown = [link for link in page.links if re.fullmatch("/workflows/[a-z0-9]{24}", link)]
        archived = f"/workflows/{made[3].public_id}"
        assert len([link for link in shown if link != archived]) == count, text
    assert "No workflow fits" in open_page(owner, "/workflows?q=%3Cscript%3E").text


def test_archived_workflows_are_folded_away(owner: FlaskClient, team: Team) -> None:
    send_form(owner, address(team), f"{address(team)}/archive")
    page = open_page(owner, "/workflows")
    assert "No workflows in use" in page.text and "Archived workflows 1" in page.text
    assert ("details", {"class": "card fold", "id": "archived"}) in page.tags


def test_an_empty_list_leads_to_the_connect_wizard(owner: FlaskClient, app: Flask) -> None:
    with writing() as session:
        session.execute(delete(Workflow))
    page = open_page(owner, "/workflows")
    assert "No workflows yet" in page.text
    assert page.links.count("/connect") == 2
    assert page.form("/workflows")


def test_two_hundred_long_names_stay_light_pages(owner: FlaskClient, team: Team) -> None:
    with writing() as session:
        session.add_all(
            Workflow(
                workspace_id=team.workspace_id, name=f"{n:03}" + "w" * 117, slug="s" * 70 + f"{n}"
            )
            for n in range(200)
        )
    seen: list[str] = []
    for number in range(1, 6):
        answer = owner.get(f"/workflows?page={number}")
        assert len(answer.data) < 100_000
        seen += re.findall(r">(\d{3}w{117})<", answer.text)
    assert len(seen) == 200 and seen == sorted(seen)


def test_a_page_beyond_the_end_is_the_last_one_and_archived_ones_are_turned_over(
    owner: FlaskClient, team: Team
) -> None:
    with writing() as session:
        session.add_all(
            Workflow(
                workspace_id=team.workspace_id,
                name=f"{n:03}" + "w" * 117,
                slug="s" * 70 + f"{n}",
                archived_at=now() if n % 2 else None,
            )
            for n in range(130)
        )
    answer = owner.get("/workflows?page=99999&archived=99999")
    assert len(answer.data) < 100_000
    assert re.findall(r">(\d{3})w{117}<", answer.text)[-1] == "129"
    page = Page(answer.text)
    assert "No workflows" not in page.text
    assert "Page 2 of 2" in page.text and "Page 3 of 3" in page.text
    assert "/workflows?archived=99999&page=1" in page.links
    assert "/workflows?page=99999&archived=2#archived" in page.links


def test_the_list_counts_the_runs_of_a_day(owner: FlaskClient, team: Team) -> None:
    ended_at = now().isoformat()
    for _ in range(3):
        report(owner, team, ended_at=ended_at)
    report(owner, team, ended_at=(now() - timedelta(days=2)).isoformat())
    while process_batch(10):
        pass
    (listed,) = load_workflows(team.workspace_id, [team.workflow_id])
    assert (listed.runs, listed.state) == (3, "ok")


def test_all_of_its_events_are_a_click_away(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, address(team))
    assert "/events?workflow=lead-enrichment" in page.links
    assert f"/connect?workflow={team.workflow_public_id}" in page.links
