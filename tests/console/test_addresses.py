"""A workflow's secret addresses on its page: made, brought along, shown once."""

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.console.reprocessing import reprocess
from app.extensions import db
from app.ingest.service import ingest_service
from app.models import ApiKey, AuditEntry, Event, User, Workflow
from app.processing.batch import process_batch
from app.workspaces.report_addresses import create_address
from app.workspaces.workflows import archive_workflow, restore_workflow
from tests.console.pages import open_page, send_form
from tests.factories import Team, make_team
from tests.sessions import make_client

OLD = "5d1c8a3e-94b7-4f02-a6d9-3e7b1c5f8a20"
UUID = re.compile(r"/ping/([0-9a-f]{8}-[0-9a-f-]{27})<")


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_app(FLOWPULSE_COMPATIBILITY=True)
    with app.app_context():
        yield app
        db.session.remove()


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def owner(app: Flask, team: Team) -> FlaskClient:
    return make_client(app, team.email)


def page_of(team: Team) -> str:
    return f"/workflows/{team.workflow_public_id}"


def events() -> list[Event]:
    ingest_service().recorder.flush()
    db.session.rollback()
    return list(db.session.scalars(select(Event).order_by(Event.id)))


def test_a_new_address_is_shown_once_and_works(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, page_of(team), f"{page_of(team)}/address")
    assert answer.status_code == 200
    (uuid,) = set(UUID.findall(answer.text))
    assert f"/api/push/{uuid}?status=up&amp;msg=OK&amp;ping=" in answer.text
    assert owner.get(f"/ping/{uuid}").data == b"OK"
    ingest_service().usage.sync()
    page = open_page(owner, page_of(team)).text
    assert uuid not in page and f"{uuid[:8]}…" in page and "used" in page
    db.session.rollback()
    noted = db.session.scalars(select(AuditEntry.what)).all()
    assert "key_created" in noted


def test_an_old_one_is_brought_along(owner: FlaskClient, team: Team) -> None:
    form = f"{page_of(team)}/address"
    answer = send_form(owner, page_of(team), form, address=f"https://hc-ping.com/{OLD}/start")
    assert answer.status_code == 200 and f"/ping/{OLD}" in answer.text
    again = send_form(owner, page_of(team), form, address=OLD)
    assert again.status_code == 422 and "there already" in again.text
    wrong = send_form(owner, page_of(team), form, address="<script>alert(1)</script>")
    assert wrong.status_code == 422 and "<script>alert(1)" not in wrong.text


def test_it_is_listed_rotated_and_revoked_as_keys_are(owner: FlaskClient, team: Team) -> None:
    workflow = db.session.get_one(Workflow, team.workflow_id)
    made, uuid = create_address(team.workspace_id, workflow)
    page = f"/keys/{made.public_id}"
    assert made.name == "Lead enrichment (address)"
    assert uuid not in open_page(owner, page).text
    answer = send_form(owner, page, f"{page}/rotate", keep="24 hours")
    assert answer.status_code == 200
    (successor,) = set(UUID.findall(answer.text))
    assert successor != uuid
    assert {owner.get(f"/ping/{each}").status_code for each in (uuid, successor)} == {200}
    assert send_form(owner, "/keys", f"/keys/{made.public_id}/revoke").status_code == 303
    assert owner.get(f"/ping/{uuid}").status_code == 404
    refused = events()[-1]
    assert "This address was revoked" in open_page(owner, f"/events/{refused.public_id}").text


def test_what_came_is_in_the_log_without_the_secret(owner: FlaskClient, team: Team) -> None:
    workflow = db.session.get_one(Workflow, team.workflow_id)
    uuid = create_address(team.workspace_id, workflow)[1]
    owner.post(f"/ping/{uuid}/fail", data=b"disk full")
    owner.post(f"/ping/{uuid}/log", data=b"Hello World")
    owner.get(f"/ping/{uuid}/stopped")
    owner.get(f"/ping/{OLD}")
    while process_batch(10):
        pass
    for event in events():
        page = open_page(owner, f"/events/{event.public_id}").text
        assert uuid not in page and OLD not in page
    log = open_page(owner, "/events").text
    assert "disk full" in log and "No workflow has this address" in log and OLD not in log
    assert "unknown_address" in open_page(owner, "/troubleshooting").text


def test_a_refused_one_runs_again_as_the_report_that_it_stood_for(
    owner: FlaskClient, team: Team
) -> None:
    workflow = db.session.get_one(Workflow, team.workflow_id)
    uuid = create_address(team.workspace_id, workflow)[1]
    archive_workflow(workflow)
    owner.post(f"/ping/{uuid}/3", data=b"disk full")
    owner.get(f"/api/push/{uuid}?status=down&msg=no+route&ping=7")
    restore_workflow(db.session.get_one(Workflow, team.workflow_id))
    user = db.session.scalars(select(User)).one()
    refused = events()
    assert [each.code for each in refused] == ["workflow_archived"] * 2
    ids = [each.id for each in refused]
    for event_id in ids:
        assert reprocess(db.session.get_one(Event, event_id), user).problem is None
    first, second = [each for each in events() if each.state == "accepted"]
    assert first.payload and second.payload
    assert first.payload["error_type"] == "exit status 3"
    assert (second.payload["error_message"], second.payload["duration_ms"]) == ("no route", 7)


def test_where_they_are_off_the_page_says_so(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    with app.app_context():
        team = make_team()
        page = open_page(make_client(app, team.email), page_of(team)).text
        assert "FLOWPULSE_COMPATIBILITY" in page and "Make an address" not in page
        assert db.session.scalars(select(ApiKey).where(ApiKey.scopes == "address")).all() == []
        db.session.remove()
