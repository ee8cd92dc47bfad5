"""What a body hides does not come to light where a run's ids and addresses are shown."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import undefer

from app.console.run_links import find_source_link
from app.extensions import db
from app.ingest.service import ingest_service
from app.models import Event, Run, Workflow
from app.processing.batch import process_batch
from app.secret_texts import MASK
from app.url_secrets import STARS
from app.workspaces.run_urls import change_run_url
from tests.console.pages import open_page, send_form
from tests.factories import Team, success

SECRET = "hunter2-unrevealed"
PAGES = ("/runs", "/events", "/")


def send(client: FlaskClient, team: Team, **fields: Any) -> str:
    answer = client.post(
        "/api/v1/ingest/run-success", json=success(team, **fields), headers=team.headers
    )
    assert answer.status_code == 202
    ingest_service().recorder.flush()
    process_batch(100)
    db.session.rollback()
    return str(answer.json["event_id"])


def find_newest_body() -> Any:
    query = select(Event.body).order_by(Event.id.desc())
    return json.loads(db.session.scalars(query).first() or b"")


@pytest.mark.parametrize(
    "moved",
    [
        {"metadata": {"url": f"https://x.example/?token={MASK}1"}},
        {"external_execution_id": f"token={MASK}1"},
        {"correlation_id": f"token={MASK}1"},
    ],
)
def test_a_member_can_t_send_it_to_where_it_would_be_seen(
    colleague: Callable[[str], FlaskClient], team: Team, moved: dict[str, Any]
) -> None:
    client = colleague("member")
    event_id = send(client, team, password=SECRET)
    body = json.dumps(success(team, **moved), ensure_ascii=False)
    path = f"/events/{event_id}/resend"
    answer = send_form(client, path, body=body, kind="run-success", do="send")
    assert answer.status_code == 422 and "A hidden value stands where" in answer.text
    assert "It would be accepted" not in answer.text
    assert SECRET not in answer.text and SECRET not in client.get("/runs").text
    # A check swaps the verdict alone, so that must say it too.
    checked = send_form(client, path, body=body, kind="run-success", do="check")
    verdict = checked.text.partition('id="verdict"')[2]
    assert checked.status_code == 422 and "A hidden value stands where" in verdict


def test_addresses_are_sent_again_as_they_came(owner: FlaskClient, team: Team) -> None:
    urls = {"a": "https://u:pw1@host/?token=abc", "b": "https://v:pw2@host2/?sig=def"}
    event_id = send(owner, team, metadata=urls)
    path = f"/events/{event_id}/resend"
    page = owner.get(path).text
    assert f"https://{STARS}1@host/?token={STARS}2" in page and "pw1" not in page
    assert "with a number is a hidden value" in page
    typed = page[page.index("<textarea") :].partition(">")[2].partition("</textarea>")[0]
    sent = send_form(owner, path, body=typed.strip("\n"), kind="run-success", do="send")
    assert sent.status_code == 303
    assert find_newest_body()["metadata"] == urls


IDS = ("external_execution_id", "source_workflow_id", "correlation_id", "source_platform")


def test_no_id_shows_a_secret(owner: FlaskClient, team: Team) -> None:
    told = {name: f"{name[:3]} token={SECRET}" for name in IDS}
    event_id = send(owner, team, **told)
    run_id = db.session.scalars(select(Run.public_id)).one()
    db.session.rollback()
    for path in (*PAGES, f"/runs/{run_id}", f"/events/{event_id}"):
        assert SECRET not in owner.get(path).text, path
    for path in ("runs", f"runs/{run_id}"):
        answer = owner.get(f"/api/v1/{path}", headers=team.headers).json
        run = answer["data"][0] if path == "runs" else answer
        assert {name: run[name] for name in IDS} == {
            name: f"{name[:3]} token={MASK}" for name in IDS
        }


def test_what_is_said_of_a_refused_sender_shows_none(owner: FlaskClient, team: Team) -> None:
    told = dict.fromkeys(IDS, f"token={SECRET}")
    body = success(team, **told) | {"ended_at": "never"}
    answer = owner.post("/api/v1/ingest/run-success", json=body, headers=team.headers)
    assert answer.status_code == 400
    ingest_service().recorder.flush()
    for path in (*PAGES, "/problems", f"/events/{answer.json['event_id']}"):
        assert SECRET not in owner.get(path).text, path
    assert f"token={MASK}" in owner.get("/problems").text


def test_plain_ids_are_given_and_linked_as_they_are(owner: FlaskClient, team: Team) -> None:
    send(owner, team, **dict.fromkeys(IDS, "order-1"))
    run_id = db.session.scalars(select(Run.public_id)).one()
    db.session.rollback()
    run = owner.get(f"/api/v1/runs/{run_id}", headers=team.headers).json
    assert [run[name] for name in IDS] == ["order-1"] * len(IDS)
    assert "/runs?correlation=order-1" in open_page(owner, f"/runs/{run_id}").links


def test_no_address_with_a_secret_is_linked(owner: FlaskClient, team: Team) -> None:
    send(owner, team, external_execution_id=f"token={SECRET}")
    run = db.session.scalars(select(Run).options(undefer(Run.details))).one()
    for url in (
        f"https://x.example/?token={SECRET}",
        f"https://x.example/?next=https%3A%2F%2Fh%2F%3Ftoken%3D{SECRET}",
        f"https://x.example/#access_token={SECRET}",
        "https://hooks.slack.com/services/T0/B0/abc",
    ):
        assert find_source_link(run, {"url": url}) is None, url
    plain = "https://x.example/e/1?page=2"
    assert find_source_link(run, {"execution_url": url, "url": plain}) == (plain, "x.example")
    workflow = db.session.get_one(Workflow, team.workflow_id)
    change_run_url(workflow, "https://n8n.example/e/{execution_id}")
    db.session.expire_all()
    assert find_source_link(db.session.scalars(select(Run)).one(), None) is None
