"""An event's page: what came, why it was refused, what was answered, what became of it."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.ingest.service import ingest_service
from app.keys import make_key
from app.models import ApiKey, Event
from app.problems import PROBLEMS
from app.processing.batch import process_batch
from app.signs import show_signs
from app.workspaces.api_keys import revoke_api_key
from app.workspaces.people import find_by_password
from tests.console.pages import Page, open_page, send_form
from tests.console.refusals import store_refusals
from tests.factories import PASSWORD, Team, report

SUCCESS = "/api/v1/ingest/run-success"
RECENT = "2026-11-24T03:00:00Z"


def page_of(client: FlaskClient, answer: Any) -> Page:
    ingest_service().recorder.flush()
    return open_page(client, f"/events/{answer.json['event_id']}")


def test_a_misspelt_ended_at_is_explained_by_name(owner: FlaskClient, team: Team) -> None:
    page = page_of(owner, report(owner, team, ended_at=None, endedAt=RECENT))
    assert "Why this request was refused" in page.text
    assert "ended_at is missing. You sent endedAt" in page.text
    row = PROBLEMS["missing"]
    for cell in (row.title, row.symptom, row.cause, row.fix, row.wrong, row.right):
        assert " ".join(cell.split()) in page.text
    assert {"/troubleshooting#missing", "/troubleshooting#validation_failed"} <= set(page.links)


def unfolded(html: str) -> str:
    """What is read without opening anything."""
    return Page(re.sub("(?s)<details.*?</details>", "", html)).text


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ({"ended_at": "yesterday", "duration_ms": "abc"}, ("not_a_datetime", "not_a_number")),
        ({"workflow_slug": "nope"}, ("workflow_not_found",)),
        ({"customer": "acme"}, ("unknown_field",)),
    ],
)
def test_why_it_usually_happens_is_read_without_opening_a_fold(
    owner: FlaskClient, team: Team, fields: dict[str, str], codes: tuple[str, ...]
) -> None:
    answer = report(owner, team, **fields)
    ingest_service().recorder.flush()
    page = unfolded(owner.get(f"/events/{answer.json['event_id']}").text)
    for code in codes:
        assert page.count(f"Why it usually happens: {PROBLEMS[code].cause}") == 1
        assert PROBLEMS[code].wrong not in page
    resend = owner.get(f"/events/{answer.json['event_id']}/resend").text
    assert f"Why it usually happens: {PROBLEMS[codes[0]].cause}" in unfolded(resend)


def test_code_too_long_for_the_page_is_downloaded_from_its_head(
    owner: FlaskClient, team: Team
) -> None:
    metadata = {f"key_{number:03}": "x" * 20 for number in range(200)}
    answer = report(owner, team, ended_at="yesterday", metadata=metadata)
    page = page_of(owner, answer)
    assert "Download as curl" in page.text and "Copy as curl" not in page.text
    assert page.links.count(f"/events/{answer.json['event_id']}/as/curl") == 2


def test_all_errors_are_listed_with_what_came(owner: FlaskClient, team: Team) -> None:
    page = page_of(owner, report(owner, team, ended_at="yesterday", duration_ms="abc"))
    for word in ("ended_at", "yesterday", "duration_ms", "abc", "not_a_number"):
        assert word in page.text


def test_an_empty_text_is_shown_as_it_came_and_what_to_send(owner: FlaskClient, team: Team) -> None:
    page = page_of(owner, report(owner, team, "failure", error_message=""))
    assert "error_message is empty." in page.text and 'came as ""' in page.text
    assert "Send a text that says what failed." in page.text


def test_warnings_are_explained_too(owner: FlaskClient, team: Team) -> None:
    page = page_of(owner, report(owner, team, customer="acme"))
    assert "1 warning" in page.text
    assert "customer is not a known field" in page.text


def test_the_headers_of_the_answer_are_shown_as_they_were_sent(
    owner: FlaskClient, team: Team
) -> None:
    bad = {"X-API-Key": make_key()}
    for _ in range(30):
        owner.post(SUCCESS, headers=bad)
    answers = {
        "Location": report(owner, team),
        "Allow": owner.put(SUCCESS, headers=team.headers),
        "WWW-Authenticate": owner.post(SUCCESS),
        "Retry-After": owner.post(SUCCESS, headers=bad),
    }
    assert answers["Retry-After"].status_code == 429
    for name, answer in answers.items():
        assert f"{name}: {answer.headers[name]}" in page_of(owner, answer).text


def test_the_methods_that_an_address_takes_are_known_without_the_answers_words(
    owner: FlaskClient, team: Team
) -> None:
    told = {"code": "method_not_allowed", "status": 405, "detail": "No.", "errors": None}
    store_refusals(team, 1, method="PUT", path=f"{SUCCESS}?a=1", **told)
    public_id = db.session.scalar(select(Event.public_id))
    assert "Allow: POST" in open_page(owner, f"/events/{public_id}").text


def test_what_came_is_shown_without_the_key(owner: FlaskClient, team: Team) -> None:
    headers = {**team.headers, "X-Trace": "tr-1", "User-Agent": "n8n/1.84"}
    answer = owner.post(SUCCESS, data="{nonsense", headers=headers)
    page = page_of(owner, answer)
    for word in ("{nonsense", "X-Trace", "tr-1", "n8n/1.84", f"POST {SUCCESS}", "n8n-prod"):
        assert word in page.text
    assert team.key not in page.text


@pytest.mark.parametrize("fields", [{}, {"customer": "acme"}, {"ended_at": None}])
def test_the_answer_is_shown_as_it_was_sent(
    owner: FlaskClient, team: Team, fields: dict[str, Any]
) -> None:
    sent = report(owner, team, **fields)
    shown = json.dumps(sent.json, indent=2, ensure_ascii=False)
    assert " ".join(shown.split()) in page_of(owner, sent).text


def test_a_revoked_key_is_traced_to_who_revoked_it(owner: FlaskClient, team: Team) -> None:
    api_key = db.session.get(ApiKey, team.api_key_id)
    assert api_key is not None
    revoke_api_key(api_key, find_by_password(team.email, PASSWORD))
    answer = report(owner, team)
    page = page_of(owner, answer)
    assert answer.json["code"] == "unauthorized"
    assert "The API key was revoked" in page.text
    assert f"n8n-prod was revoked by {team.email} on" in page.text
    assert '"code": "unauthorized"' in page.text


def test_an_expired_key_is_traced_too(owner: FlaskClient, team: Team) -> None:
    with writing() as session:
        session.execute(update(ApiKey).values(expires_at=now()))
    page = page_of(owner, report(owner, team))
    assert "n8n-prod expired on" in page.text


def test_an_unknown_key_is_shown_with_a_note(owner: FlaskClient, team: Team) -> None:
    answer = owner.post(SUCCESS, json={}, headers={"X-API-Key": make_key()})
    page = page_of(owner, answer)
    assert "No such API key" in page.text
    assert "only the owner of this server sees it" in page.text


def test_the_run_it_became_is_shown_with_its_changed_outcome(
    owner: FlaskClient, team: Team
) -> None:
    execution = {"external_execution_id": "231"}
    first = report(owner, team, "failure", ended_at=RECENT, error_message="boom", **execution)
    report(owner, team, ended_at="2026-11-24T03:00:01Z", **execution)
    process_batch(10)
    page = page_of(owner, first)
    assert "The run it became Succeeded" in page.text
    assert "Before Failed" in page.text
    assert "Decided by another event" in open_page(owner, "/events").text
    assert "2 events" in page.text


def test_a_body_that_is_no_utf8_is_shown_and_downloaded_exactly(
    owner: FlaskClient, team: Team
) -> None:
    raw = bytes(range(256))
    answer: Any = owner.post(SUCCESS, data=raw, headers=team.headers)
    page = page_of(owner, answer)
    assert "not UTF-8" in page.text
    assert "AAECAwQFBgcICQoLDA0ODx" in page.text
    download = owner.get(f"/events/{answer.json['event_id']}/body")
    assert download.data == raw
    assert download.content_type == "application/octet-stream"
    assert download.headers["Content-Disposition"].startswith("attachment")
    assert download.headers["X-Content-Type-Options"] == "nosniff"


def test_a_cut_body_says_so_and_ends_at_a_whole_sign(owner: FlaskClient, team: Team) -> None:
    raw = ("x" + "é" * 70_000).encode()
    page = page_of(owner, owner.post(SUCCESS, data=raw, headers=team.headers))
    assert "The first 64 KB of 136.7 KB" in page.text
    assert "not UTF-8" not in page.text


def test_no_body_is_called_no_body(owner: FlaskClient, team: Team) -> None:
    page = page_of(owner, owner.post(SUCCESS, headers=team.headers))
    assert "The request had no body" in page.text


def test_hostile_text_stays_text(owner: FlaskClient, team: Team) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    headers = {**team.headers, "X-Evil": evil, "User-Agent": evil}
    answer = owner.post(f"/api/v1/{evil}", data=evil, headers=headers)
    page = page_of(owner, answer)
    assert page.text.count("<script>alert(1)</script>") >= 3
    assert not [values for tag, values in page.tags if tag == "script" and "src" not in values]
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_signs_that_hide_or_turn_text_are_made_visible() -> None:
    assert show_signs("a\0b\u202egnp\x1b[0m\r\n\tz") == "a␀b⟨U+202E⟩gnp␛[0m\n\tz"


def test_a_failed_event_can_be_tried_again(owner: FlaskClient, team: Team) -> None:
    sent = report(owner, team)
    path = f"/events/{sent.json['event_id']}"
    with writing() as session:
        session.execute(
            update(Event).values(
                state="failed", attempts=5, failure="ValueError: x", processed_at=now()
            )
        )
    page = open_page(owner, path)
    assert "ValueError: x" in page.text
    assert "tried 5 times" in page.text
    assert PROBLEMS["processing_failed"].title in page.text
    assert send_form(owner, path, f"{path}/retry").status_code == 303
    assert "Accepted" in open_page(owner, path).text
    process_batch(10)
    page = open_page(owner, path)
    assert not [form for form in page.forms if form.action == f"{path}/retry"]


def test_a_second_retry_changes_nothing(owner: FlaskClient, team: Team) -> None:
    path = f"/events/{report(owner, team).json['event_id']}"
    token = open_page(owner, path).form("/sign-out").fields
    owner.post(f"{path}/retry", data=token)
    assert "does not wait for a retry" in open_page(owner, path).text


def test_an_event_that_is_not_there_is_404(owner: FlaskClient) -> None:
    page = open_page(owner, f"/events/{'a' * 24}", 404)
    assert "There is no such event. If there was one, it is past its time" in page.text


def test_a_refused_request_is_found_by_its_link_at_once(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.event.LOOKS", 600)
    for _ in range(3):
        link = report(owner, team, ended_at="yesterday").json["inspect"]
        assert "Why this request was refused" in open_page(owner, urlsplit(link).path).text


def test_an_event_that_may_be_on_its_way_is_not_said_to_be_gone(
    owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.event.LOOKS", 1)
    page = open_page(owner, f"/events/{new_id()}", 404)
    assert "If it came this very moment, it is not written yet" in page.text
