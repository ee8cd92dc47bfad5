"""Events that came in a batch: shown, mended, sent again and copied as if they had come alone."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.console.reproduction import StoredRequest, as_request
from app.ingest.batch_places import PATH
from app.models import Event
from tests.console.pages import open_page, send_form
from tests.factories import Team
from tests.ingest.batch_sending import good, logged, send_batch


def send(client: FlaskClient, team: Team, *events: Any, **headers: str) -> list[Event]:
    """The events of a batch in the log, in the order sent."""
    answer = send_batch(client, team, *events, **headers)
    by_id = {event.public_id: event for event in logged()}
    return [by_id[each["event_id"]] for each in answer.json["events"]]


def test_an_accepted_event_says_where_in_its_batch_it_stood(owner: FlaskClient, team: Team) -> None:
    _, event = send(owner, team, good(team), good(team, kind="run-failure", error_message="boom"))
    page = open_page(owner, f"/events/{event.public_id}")
    assert "A run failed" in page.text
    assert f"POST {PATH}#/events/1" in page.text
    assert "number 2 of a batch" in page.text
    assert '"status": 202' in page.text and "Location:" not in page.text
    assert f"/events/{event.public_id}" in open_page(owner, "/events").links


def test_the_answer_of_a_refused_event_is_shown_as_it_was_given(
    owner: FlaskClient, team: Team
) -> None:
    answer = send_batch(owner, team, good(team), good(team, ended_at="soon"))
    logged()
    given = answer.json["events"][1]
    page = open_page(owner, f"/events/{given['event_id']}")
    shown = json.dumps(given, indent=2, ensure_ascii=False)
    assert " ".join(shown.split()) in " ".join(page.text.split())


def test_a_refused_event_is_reprocessed_once_its_cause_is_mended(
    owner: FlaskClient, team: Team
) -> None:
    lost = good(team, workflow_slug="nightly", idempotency_key="a")
    (event,) = send(owner, team, lost)
    path = f"/events/{event.public_id}"
    form = {"name": "Nightly", "slug": "nightly"}
    made = send_form(owner, path, f"{path}/create-workflow", **form)
    assert made.status_code == 303
    again = send_form(owner, path, f"{path}/reprocess")
    page = open_page(owner, again.headers["Location"])
    assert "accepted" in page.text.lower()
    replayed = send_batch(owner, team, lost).json["events"][0]
    assert replayed["idempotent_replayed"] is True
    assert again.headers["Location"] == f"/events/{replayed['event_id']}"


def test_a_refused_event_is_corrected_and_sent_again(owner: FlaskClient, team: Team) -> None:
    wrong = good(team, ended_at=None, endedAt="2026-01-15T09:31:00Z")
    (event,) = send(owner, team, wrong)
    path = f"/events/{event.public_id}"
    assert "endedAt is called ended_at." in open_page(owner, path).text
    form = open_page(owner, f"{path}/resend")
    assert "It would be accepted" in form.text and "run-success" in form.text
    body = json.dumps({"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"})
    typed = {"body": body, "kind": "run-success", "workflow": "", "do": "send"}
    sent = send_form(owner, f"{path}/resend", **typed)
    assert "edited and sent again" in open_page(owner, sent.headers["Location"]).text


@pytest.mark.parametrize(
    ("kind", "meant"), [("run_failure", "run-failure"), ("nonsense", "run-success"), (None, None)]
)
def test_an_event_without_a_known_kind_is_sent_again_with_one(
    owner: FlaskClient, team: Team, kind: str | None, meant: str | None
) -> None:
    (event,) = send(owner, team, good(team, kind=kind, error_message="boom"))
    path = f"/events/{event.public_id}"
    page = open_page(owner, path)
    assert "choose its kind" in page.text and f"{path}/resend" in page.links
    form = open_page(owner, f"{path}/resend")
    assert '"kind"' not in form.text
    selected = f'<option value="{meant or "run-success"}" selected>'
    assert selected in owner.get(f"{path}/resend").text


def test_a_refused_event_says_which_kind_it_was(owner: FlaskClient, team: Team) -> None:
    events = send(owner, team, good(team, kind="run-failure"), good(team, kind="nonsense"))
    known, unknown = (open_page(owner, f"/events/{event.public_id}").text for event in events)
    assert "error_message is missing" in known
    assert "Kind run-failure Sent to" in known
    assert "Kind run" not in unknown


def test_a_whole_batch_that_is_refused_says_so(owner: FlaskClient, team: Team) -> None:
    answer = send_batch(owner, team)
    logged()
    page = open_page(owner, f"/events/{answer.json['event_id']}")
    assert "events is an empty list" in page.text
    assert "its sender has to send it again" in page.text
    assert "number" not in page.text.split("Sent to")[1].split("Answer")[0]


def copy(owner: FlaskClient, event: Event) -> StoredRequest:
    with owner.application.test_request_context():
        return as_request(event)


def test_copied_code_sends_an_event_alone(owner: FlaskClient, team: Team) -> None:
    refused = good(team, ended_at="soon", idempotency_key="k")
    for event in send(owner, team, good(team, idempotency_key="own"), refused):
        request = copy(owner, event)
        assert request.url.endswith("/api/v1/ingest/run-success")
        assert request.headers["Idempotency-Key"] in ("own", "k")
        again = owner.post(
            "/api/v1/ingest/run-success",
            data=request.body,
            headers={**team.headers, **request.headers, "X-API-Key": team.key},
        )
        assert again.status_code == event.status
        assert (again.json["event_id"] == event.public_id) == (event.state == "accepted")


def test_copied_code_sends_what_has_no_kind_in_a_batch_of_its_own(
    owner: FlaskClient, team: Team
) -> None:
    for event in send(owner, team, good(team, kind="nonsense"), 3):
        request = copy(owner, event)
        assert request.url.endswith(PATH)
        headers = {**request.headers, **team.headers}
        again = owner.post(PATH, data=request.body, headers=headers)
        assert again.json["events"][0]["code"] == event.code


def test_a_path_that_only_looks_like_a_batchs_is_of_none(owner: FlaskClient, team: Team) -> None:
    path = "/api/v1/ingest/run-success"
    environ = {"RAW_URI": f"{path}#/events/3"}
    body = {name: value for name, value in good(team).items() if name != "kind"}
    answer = owner.post(path, json=body, headers=team.headers, environ_overrides=environ)
    page = open_page(owner, f"/events/{answer.json['event_id']}")
    assert "of a batch" not in page.text and "Location:" in page.text
