"""The start page leads a new workspace through its three steps."""

from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clock import now
from app.console.overview import worker_stands_still
from app.extensions import writing
from app.models import Event, WorkerHeartbeat
from app.processing.worker import STALLED_AFTER, Worker
from app.workspaces.people import create_user
from tests.console.pages import open_page, send_form, sign_in
from tests.factories import PASSWORD, Team, make_workspace, report, success


def test_the_steps_are_ticked_off_one_by_one(app: Flask, team: Team, client: FlaskClient) -> None:
    create_user("new@example.org", PASSWORD, "owner", make_workspace())
    sign_in(client, "new@example.org")
    assert {"/workflows", "/keys"} <= set(open_page(client, "/").links)
    send_form(client, "/workflows", name="First")
    assert open_page(client, "/").text.count("Create a workflow") == 1
    created = send_form(client, "/keys", name="Key")
    key = created.text.split('id="new-key">')[1][:39]
    body = {**success(team), "workflow_slug": "first"}
    client.post("/api/v1/ingest/run-success", json=body, headers={"X-API-Key": key})
    answer = client.get("/")
    assert (answer.status_code, answer.location) == (302, "/events")


def test_a_worker_that_stands_still_is_told(owner: FlaskClient, team: Team) -> None:
    assert worker_stands_still()
    assert "The worker stands still" in open_page(owner, "/events").text
    Worker().beat()
    assert not worker_stands_still()
    report(owner, team)
    assert not worker_stands_still()
    late = now() - 2 * STALLED_AFTER
    with writing() as session:
        session.execute(update(Event).values(next_attempt_at=late))
    assert worker_stands_still()


def test_a_worker_that_was_seen_long_ago_stands_still(app: Flask) -> None:
    Worker().beat()
    with writing() as session:
        session.execute(
            update(WorkerHeartbeat).values(seen_at=now() - STALLED_AFTER - timedelta(seconds=1))
        )
    assert worker_stands_still()
