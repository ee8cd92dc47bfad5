"""Who takes along what a request holds is told by the audit log."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.console.downloads import DOWNLOADS
from app.extensions import db
from app.ingest.service import ingest_service
from app.models import AuditEntry, Run
from app.processing.batch import process_batch
from tests.console.rules import addresses
from tests.factories import Team, report
from tests.pages_map import NO_PAGES
from tests.sessions import make_client


def told(team: Team) -> list[tuple[str, str | None, str | None, object]]:
    """What, who, about what, and details, of exports."""
    db.session.rollback()
    query = select(AuditEntry).where(AuditEntry.workspace_id == team.workspace_id)
    found = db.session.scalars(query.order_by(AuditEntry.id))
    noted = [each for each in found if each.what.endswith(("_downloaded", "_exported"))]
    return [(each.what, each.who, each.about, each.details) for each in noted]


def take_in(client: FlaskClient, team: Team) -> tuple[str, str]:
    """The ids of an event and of its run."""
    event_id = report(client, team, status="failure", error_message="went wrong").json["event_id"]
    ingest_service().recorder.flush()
    process_batch(100)
    db.session.rollback()
    return event_id, db.session.scalars(select(Run.public_id)).one()


def test_each_file_of_an_event_or_a_run_is_noted(
    app: Flask, team: Team, owner: FlaskClient
) -> None:
    event_id, run_id = take_in(owner, team)
    who = team.email
    for path, what, about, file in (
        (f"/events/{event_id}/body", "event_downloaded", f"event {event_id}", "body"),
        (f"/events/{event_id}/headers", "event_downloaded", f"event {event_id}", "headers"),
        (f"/events/{event_id}/as/curl", "event_downloaded", f"event {event_id}", "curl"),
        (f"/events/{event_id}/resend/body", "event_downloaded", f"event {event_id}", "draft"),
        (f"/runs/{run_id}/texts", "run_downloaded", f"run {run_id}", "texts"),
    ):
        before = told(team)
        assert owner.head(path).status_code == 200, path
        assert told(team) == before, "nothing of it was handed out"
        assert owner.get(path).status_code == 200, path
        assert told(team) == [*before, (what, who, about, {"file": file})]


def test_what_is_refused_is_not_noted(app: Flask, team: Team, owner: FlaskClient) -> None:
    event_id, _ = take_in(owner, team)
    for path in [path for endpoint, _, path in addresses(app, {"GET"}) if endpoint in DOWNLOADS]:
        assert owner.get(path).status_code == 404, path
    assert owner.get(f"/events/{event_id}/as/cobol").status_code == 404
    assert app.test_client().get(f"/events/{event_id}/body").status_code == 302
    assert told(team) == []


def test_what_cannot_be_noted_is_not_handed_out(
    app: Flask, team: Team, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id, _ = take_in(owner, team)
    monkeypatch.setattr("app.console.downloads.note", _refuse)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert make_client(app, team.email).get(f"/events/{event_id}/body").status_code == 500
    assert told(team) == []


def _refuse(*_: object) -> None:
    raise RuntimeError("no entry")


def test_each_download_is_noted_as_something() -> None:
    assert {each for each in NO_PAGES if "download" in each} == set(DOWNLOADS)
