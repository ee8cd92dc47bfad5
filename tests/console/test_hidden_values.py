"""Passwords, tokens, keys and cards are hidden wherever a request is shown, until revealed."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import undefer

from app.alerting.verdicts import SeenRun, detail_of
from app.clock import now
from app.console import hidden
from app.console.reproduction import FILE_NAMES
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import AuditEntry, Event, OutboxMessage, Run, UserSession
from app.processing.batch import process_batch
from app.secret_texts import MASK
from tests.channels.conftest import make_channel
from tests.channels.deliveries import post_to
from tests.console.pages import Page, open_page, send_form, submit
from tests.factories import PASSWORD, Team, failure

REVEALED = select(AuditEntry).where(AuditEntry.what == "secrets_revealed")
SECRETS = ("hunter2", "sk-abcdefghijklmnopqrst", "4111 1111 1111 1111", "c0ffee11", "deep-s3cret")
FIELDS: dict[str, Any] = {
    "error_message": "login with password=hunter2 failed for sk-abcdefghijklmnopqrst",
    "error_type": "AuthError, token=c0ffee11",
    "metadata": {
        "note": "kept",
        "paid_with": "4111 1111 1111 1111",
        "client_secret": "deep-s3cret",
        "raw": '{"password": "hunter2"}',
    },
}


def send(client: FlaskClient, team: Team, **fields: Any) -> str:
    """The id of an event that holds all of the secrets."""
    body = failure(team, **FIELDS | fields)
    answer = client.post("/api/v1/ingest/run-failure", json=body, headers=team.headers)
    ingest_service().recorder.flush()
    return str(answer.json["event_id"])


def list_shown(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


@pytest.fixture
def event_id(owner: FlaskClient, team: Team) -> str:
    return send(owner, team)


@pytest.fixture
def run_id(event_id: str) -> str:
    process_batch(100)
    db.session.rollback()
    return str(db.session.scalars(select(Run.public_id)).one())


def test_no_page_shows_one(owner: FlaskClient, event_id: str, run_id: str) -> None:
    event, run = f"/events/{event_id}", f"/runs/{run_id}"
    for path in ("/", "/events", "/runs", "/runs/errors", event, run, f"{event}/resend"):
        text = owner.get(path).text
        assert not list_shown(text), path
    for path in ("/events", "/runs", event, run, f"{event}/resend"):
        assert MASK in owner.get(path).text, path
    assert "kept" in owner.get(event).text and "kept" in owner.get(run).text


@pytest.mark.parametrize("path", ["body", "headers", *(f"as/{name}" for name in FILE_NAMES)])
def test_no_download_of_an_event_holds_one(owner: FlaskClient, event_id: str, path: str) -> None:
    text = owner.get(f"/events/{event_id}/{path}").data.decode()
    assert not list_shown(text)
    assert path == "headers" or (MASK in text and "kept" in text)


def test_a_body_that_is_downloaded_is_still_json(owner: FlaskClient, event_id: str) -> None:
    body = json.loads(owner.get(f"/events/{event_id}/body").data)
    assert body["metadata"]["client_secret"] == MASK and body["metadata"]["note"] == "kept"
    texts = owner.get(f"/events/{event_id}/resend/body").data.decode()
    assert not list_shown(texts)


def test_the_run_s_texts_and_the_reading_api_hold_none(
    owner: FlaskClient, team: Team, event_id: str, run_id: str
) -> None:
    answers = [owner.get(f"/runs/{run_id}/texts").json]
    for path in (f"runs/{run_id}", "runs", f"events/{event_id}", "events"):
        answers.append(owner.get(f"/api/v1/{path}", headers=team.headers).json)
    for answer in answers:
        assert not list_shown(json.dumps(answer, ensure_ascii=False))
    run = answers[1]
    assert run["metadata"]["client_secret"] == MASK and run["metadata"]["note"] == "kept"
    assert run["error_message"] == f"login with password={MASK} failed for {MASK}"


def test_the_command_line_shows_none(app: Flask, owner: FlaskClient, team: Team) -> None:
    send(owner, team, duration_ms="password=hunter2", token="c0ffee11")
    done = app.test_cli_runner().invoke(args=["events", "tail", "--json"])
    told = str([json.loads(line) for line in done.output.splitlines()])
    assert done.exit_code == 0 and MASK in told and not list_shown(told)


def test_what_is_told_to_channels_and_what_alerts_keep_hold_none(
    owner: FlaskClient, team: Team
) -> None:
    channel, told = make_channel(team, "webhook"), f"{FIELDS}"
    post_to(channel, title=told, text=told, facts=(("Error", told),))
    (row,) = db.session.execute(select(OutboxMessage.__table__)).all()
    assert MASK in row.text and not list_shown(str(row))
    run = SeenRun(1, 1, "failure", now(), None, "", told, told)
    assert MASK in detail_of(run)["error"] and not list_shown(str(detail_of(run)))


def test_what_was_wrong_with_a_secret_field_does_not_tell_it(
    owner: FlaskClient, team: Team
) -> None:
    bodies = [json.dumps(failure(team, password={"a": 1}, ended_at="password: hunter2"))]
    bodies += ['{"password": hunter2, "workflow_slug": "x"}', '{"token": "deep-s3cret" "x": 1}']
    for body in bodies:
        answer = owner.post("/api/v1/ingest/run-failure", data=body, headers=team.headers)
        ingest_service().recorder.flush()
        assert answer.status_code == 400
        path = f"/events/{answer.json['event_id']}"
        for address in (path, "/events", "/problems", f"{path}/resend"):
            assert not list_shown(owner.get(address).text), (body, address)


POISON = {
    "metadata": {"a": "[4111111111111111]", "name": "password", "value": 4111111111111111},
    "error_message": {"headers": [{"name": "Authorization", "value": "hunter2"}]},
}


def test_json_in_texts_of_a_sender_breaks_no_page_and_shows_none(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    refused, event = send(owner, team, ended_at="[4111111111111111]"), send(owner, team, **POISON)
    process_batch(100)
    db.session.rollback()
    run_id = db.session.scalars(select(Run.public_id)).one()
    pages = ["/", "/events", "/runs", "/runs/errors", "/problems", f"/runs/{run_id}"]
    pages += [f"/runs/{run_id}/texts", f"/events/{event}", f"/events/{refused}"]
    for path in (*pages, "/api/v1/runs", f"/api/v1/runs/{run_id}", "/api/v1/events"):
        answer = owner.get(path, headers=team.headers if "/api/" in path else None)
        assert answer.status_code == 200, path
        assert "hunter2" not in answer.text and "4111111111111111" not in answer.text, path
    done = app.test_cli_runner().invoke(args=["events", "tail", "--json"])
    assert done.exit_code == 0 and "4111111111111111" not in done.output
    told = json.dumps(POISON["error_message"])
    assert (
        "hunter2" not in detail_of(SeenRun(1, 1, "failure", now(), None, "", told, told))["error"]
    )
    post_to(make_channel(team, "webhook"), title=told, text=told, facts=(("Error", told),))
    (row,) = db.session.execute(select(OutboxMessage.__table__)).all()
    assert MASK in row.text and "hunter2" not in str(row)


def test_what_is_stored_and_sent_again_is_what_came(
    owner: FlaskClient, team: Team, event_id: str
) -> None:
    query = select(Event).options(undefer(Event.body)).order_by(Event.id.desc())
    (event,) = db.session.scalars(query).all()
    assert json.loads(event.body)["metadata"] == FIELDS["metadata"]
    db.session.rollback()
    path = f"/events/{event_id}/resend"
    typed = read_typed(open_page(owner, path), owner.get(path).text)
    sent = send_form(
        owner, path, body=typed.replace("kept", "changed"), kind="run-failure", do="send"
    )
    assert sent.status_code == 303
    newest = db.session.scalars(query).first()
    assert newest is not None and newest.state == "accepted"
    metadata = json.loads(newest.body)["metadata"]
    assert metadata == FIELDS["metadata"] | {"note": "changed"}


def read_typed(page: Page, html: str) -> str:
    """What stands in the form's text field."""
    start = html.index("<textarea")
    inner = html[html.index(">", start) + 1 : html.index("</textarea>", start)].lstrip("\n")
    return inner.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_a_hidden_value_can_t_be_moved_to_where_it_would_be_seen(
    owner: FlaskClient, event_id: str
) -> None:
    path = f"/events/{event_id}/resend"
    typed = read_typed(open_page(owner, path), owner.get(path).text)
    moved = typed.replace("client_secret", "comment")
    answer = send_form(owner, path, body=moved, kind="run-failure", do="send")
    assert answer.status_code == 422 and "A hidden value stands where" in answer.text
    assert not list_shown(answer.text)
    checked = send_form(owner, path, body=typed, kind="run-failure", do="check")
    assert "It would be accepted" in checked.text and not list_shown(checked.text)


def reveal(client: FlaskClient, event_id: str) -> Any:
    path = f"/events/{event_id}"
    return client.post(f"{path}/reveal", data=open_page(client, path).form("/sign-out").fields)


def test_who_may_sees_what_is_hidden_for_a_while_in_this_event_alone(
    owner: FlaskClient, team: Team, event_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, path = send(owner, team), f"/events/{event_id}"
    assert "Show hidden values" in owner.get(path).text
    assert reveal(owner, event_id).status_code == 303
    page = owner.get(path).text
    assert len(list_shown(page)) == len(SECRETS) and "Hide again" in page
    assert list_shown(owner.get(f"{path}/body").data.decode())
    assert list_shown(owner.get(f"{path}/resend").text)
    for hidden_still in (f"/events/{other}", "/events", "/runs"):
        assert not list_shown(owner.get(hidden_still).text)
    send_form(owner, path, f"{path}/hide")
    assert not list_shown(owner.get(path).text)
    reveal(owner, event_id)
    later = hidden._clock() + hidden.SECONDS + 1
    monkeypatch.setattr(hidden, "_clock", lambda: later)
    assert not list_shown(owner.get(path).text)


def test_the_password_is_asked_for_first_and_the_audit_log_tells_of_it(
    owner: FlaskClient, team: Team, event_id: str
) -> None:
    with writing() as session:
        session.execute(update(UserSession).values(password_at=now() - timedelta(minutes=16)))
    path, action = f"/events/{event_id}", f"/events/{event_id}/reveal"
    asked = send_form(owner, path, action)
    assert asked.status_code == 403 and not list_shown(owner.get(path).text)
    wrong = submit(owner, Page(asked.text).form(action), password_again="wrong")
    assert wrong.status_code == 422 and not list_shown(owner.get(path).text)
    assert not db.session.scalars(REVEALED).all()
    shown = submit(owner, Page(wrong.text).form(action), password_again=PASSWORD)
    assert shown.status_code == 303 and list_shown(owner.get(path).text)
    db.session.rollback()
    (entry,) = db.session.scalars(REVEALED).all()
    assert (entry.who, entry.workspace_id) == (team.email, team.workspace_id)
    assert event_id in str(entry.about)
    assert (
        f"{team.email} looked at the masked values of" in open_page(owner, "/settings/audit").text
    )


@pytest.mark.parametrize(
    ("least", "who", "may"),
    [
        ("admin", "viewer", False),
        ("admin", "member", False),
        ("admin", "admin", True),
        ("viewer", "viewer", True),
        ("owner", "admin", False),
        ("nobody", "admin", False),
    ],
)
def test_a_setting_says_who_may(
    app: Flask,
    colleague: Callable[[str], FlaskClient],
    event_id: str,
    least: str,
    who: str,
    may: bool,
) -> None:
    app.config["FLOWPULSE_REVEAL_ROLE"] = least
    client, path = colleague(who), f"/events/{event_id}"
    assert ("Show hidden values" in client.get(path).text) == may
    assert reveal(client, event_id).status_code == (303 if may else 403)
    assert bool(list_shown(client.get(path).text)) == may


def test_another_person_in_the_same_browser_sees_nothing(
    app: Flask,
    owner: FlaskClient,
    team: Team,
    colleague: Callable[[str], FlaskClient],
    event_id: str,
) -> None:
    reveal(owner, event_id)
    with owner.session_transaction() as session:
        grants = session["revealed"]
    second = colleague("admin")
    with second.session_transaction() as session:
        session["revealed"] = grants
    assert not list_shown(second.get(f"/events/{event_id}").text)
