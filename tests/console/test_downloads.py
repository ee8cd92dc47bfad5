"""Who takes along what a request holds is told by the audit log."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.clock import now
from app.console.downloads import DOWNLOADS
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import AuditEntry, Run, UserSession
from app.processing.batch import process_batch
from tests.console.pages import Page, send_form, submit
from tests.console.rules import addresses
from tests.console.test_hidden_values import list_shown, send
from tests.factories import PASSWORD, Team, report
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


def test_hidden_values_are_taken_along_only_with_the_password_given_lately(
    owner: FlaskClient, team: Team
) -> None:
    event_id = send(owner, team)
    send_form(owner, f"/events/{event_id}", f"/events/{event_id}/reveal")
    path = f"/events/{event_id}/body"
    assert list_shown(owner.get(path).text)
    assert told(team)[-1][3] == {"file": "body", "revealed": True}
    with writing() as session:
        session.execute(update(UserSession).values(password_at=now() - timedelta(minutes=16)))
    before = told(team)
    for file in ("body", "headers", "as/curl", "resend/body"):
        asked = owner.get(f"/events/{event_id}/{file}")
        assert asked.status_code == 403 and not list_shown(asked.text), file
        assert owner.head(f"/events/{event_id}/{file}").status_code == 403
    assert told(team) == before
    form = Page(owner.get(path).text).form("/account/password/again")
    answer = submit(owner, form, password_again=PASSWORD)
    assert answer.location == path and list_shown(owner.get(path).text)


def test_one_file_without_hidden_values_needs_no_password_again(
    owner: FlaskClient, team: Team
) -> None:
    event_id, run_id = take_in(owner, team)
    with writing() as session:
        session.execute(update(UserSession).values(password_at=now() - timedelta(minutes=16)))
    for path in (
        f"/events/{event_id}/body",
        f"/events/{event_id}/headers",
        f"/runs/{run_id}/texts",
    ):
        assert owner.get(path).status_code == 200
    assert owner.get("/settings/audit/export.csv").status_code == 403


def test_each_download_is_noted_as_something() -> None:
    assert {each for each in NO_PAGES if "download" in each} == set(DOWNLOADS)
