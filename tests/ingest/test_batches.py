"""Batches: many events in one request, each judged as if it had come alone, all in one commit."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clock import now
from app.extensions import db, writing
from app.ingest.batch_places import PATH, find_place
from app.ingest.schemas import EVENT_KINDS
from app.ingest.service import ingest_service
from app.models import ApiKey, Event, IdempotencyKey, Run, UnstoredCount, Workflow
from app.processing.batch import process_batch
from app.workspaces.api_keys import create_api_key, revoke_api_key
from app.workspaces.workflows import archive_workflow, create_workflow, rename_workflow
from app.write_lock import BusyError
from tests.factories import Team, make_team
from tests.ingest.batch_sending import good, logged, send_batch

REUSED = "idempotency_key_reused"
PAGE = Path(__file__).parents[2] / "docs" / "batch.md"


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def fields_of(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.get("errors", ())]


# --- what is answered -----------------------------------------------------------------------------


def test_a_batch_is_answered_event_by_event_in_the_order_sent(
    client: FlaskClient, team: Team
) -> None:
    failure = good(team, kind="run-failure", error_message="boom", duration_ms="12")
    answer = send_batch(client, team, good(team), good(team, ended_at=None), failure)
    assert answer.status_code == 207
    assert answer.headers["Content-Type"] == "application/json"
    assert (answer.json["accepted"], answer.json["refused"]) == (2, 1)
    first, second, third = answer.json["events"]
    assert first == {"event_id": first["event_id"], "status": 202}
    assert (second["status"], second["code"]) == (400, "validation_failed")
    assert fields_of(second) == [("ended_at", "missing")]
    assert second["inspect"].endswith(f"/events/{second['event_id']}")
    assert [each["code"] for each in third["warnings"]] == ["number_as_text"]
    by_id = {event.public_id: event for event in logged()}
    states = [by_id[each["event_id"]].state for each in answer.json["events"]]
    assert states == ["accepted", "rejected", "accepted"]


def test_a_batch_of_which_all_is_accepted_is_202(client: FlaskClient, team: Team) -> None:
    answer = send_batch(client, team, *[good(team) for _ in range(500)])
    assert answer.status_code == 202
    assert (answer.json["accepted"], answer.json["refused"]) == (500, 0)
    ids = [each["event_id"] for each in answer.json["events"]]
    assert [event.public_id for event in logged()] == ids


def test_a_batch_of_which_nothing_is_accepted_is_no_success(
    client: FlaskClient, team: Team
) -> None:
    wrong = [good(team, ended_at=None), good(team, workflow_slug="nobody")]
    answer = send_batch(client, team, *wrong)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["code"] == "validation_failed"
    assert answer.json["detail"].startswith(
        "None of the 2 events was accepted. The first: ended_at"
    )
    assert [each["status"] for each in answer.json["events"]] == [400, 404]
    assert (answer.json["accepted"], answer.json["refused"]) == (0, 2)
    assert len(logged()) == 2
    alone = send_batch(client, team, wrong[1])
    assert alone.json["detail"].startswith("The event was not accepted. No workflow has")


def test_a_batch_that_is_refused_throughout_for_one_reason_says_which(
    client: FlaskClient, team: Team
) -> None:
    create_workflow(team.workspace_id, "Other")
    key = create_api_key(team.workspace_id, "One", workflow_ids=[team.workflow_id])[1]
    used = good(team, idempotency_key="a")
    assert send_batch(client, team, used).status_code == 202
    for slug, changes, headers, status, code in (
        ("nobody", {}, team.headers, 404, "workflow_not_found"),
        ("other", {}, {"X-API-Key": key}, 403, "workflow_not_allowed"),
        (team.slug, {"idempotency_key": "a", "duration_ms": 1}, team.headers, 422, REUSED),
        (team.slug, {"ended_at": "soon"}, team.headers, 400, "validation_failed"),
    ):
        events = [good(team, workflow_slug=slug, **changes) for _ in range(3)]
        answer = client.post(PATH, json={"events": events}, headers=headers)
        assert (answer.status_code, answer.json["status"]) == (status, status)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json["code"] == code
        assert answer.json["type"].endswith(f"/troubleshooting#{code}")
        first = answer.json["events"][0]
        assert answer.json["title"] == first["title"]
        begin = "None of the 3 events was accepted. The first: "
        assert answer.json["detail"] == begin + first["detail"]


def test_a_batch_that_is_refused_for_several_reasons_is_400(
    client: FlaskClient, team: Team
) -> None:
    archive_workflow(create_workflow(team.workspace_id, "Former"))
    wrong = [good(team, workflow_slug=slug) for slug in ("former", "nobody")]
    answer = send_batch(client, team, *wrong)
    assert [each["status"] for each in answer.json["events"]] == [404, 404]
    assert (answer.status_code, answer.json["code"]) == (400, "validation_failed")


def test_the_example_of_the_document_is_accepted(client: FlaskClient, team: Team) -> None:
    body = PAGE.read_text().split("-d '")[1].split("'\n")[0].replace("nightly-sync", team.slug)
    answer = client.post(
        PATH, data=body, headers={**team.headers, "Content-Type": "application/json"}
    )
    assert answer.status_code == 202
    assert [each["status"] for each in answer.json["events"]] == [202, 202]


def test_events_become_runs_like_any_others(client: FlaskClient, team: Team) -> None:
    start = good(team, kind="run-start", ended_at=None, started_at="2026-01-15T09:30:00Z")
    executions = [{**start, "external_execution_id": "1"}, good(team, external_execution_id="1")]
    assert send_batch(client, team, *executions).status_code == 202
    while process_batch(200):
        pass
    db.session.rollback()
    (run,) = db.session.query(Run).all()
    assert (run.outcome, run.duration_ms, run.event_count) == ("success", 60_000, 2)


# --- what is refused as a whole -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field", "code", "said"),
    [
        ({"events": []}, "events", "no_events", "events is an empty list."),
        ({"events": [{}] * 501}, "events", "too_many_events", "501 events"),
        ({"events": {"kind": "run-success"}}, "events", "invalid_type", "has to be a list"),
        ({"events": 7}, "events", "invalid_type", "has to be a list"),
        ({"events": "run-success"}, "events", "invalid_type", "holds no JSON list"),
        ({"events": '{"a": 1}'}, "events", "invalid_type", "has to be a list"),
        ({"events": "  "}, "events", "invalid_type", "has to be a list"),
        ({"events": None}, "events", "missing", "events is null"),
        ({"events": ""}, "events", "missing", "events is empty"),
        ({}, "events", "missing", "events is missing"),
        ({"batch": [{}]}, "events", "missing", "You sent batch: rename it to events"),
        ({"Events": [{}]}, "events", "missing", "You sent Events: rename it to events"),
        ({"workflow_slug": "x"}, "events", "missing", '{"events": [{"kind": "run-success"'),
        ({"data": {"events": []}}, "events", "missing", "data"),
        ([{"kind": "run-success"}], "body", "json_not_an_object", '{"events": [{"kind"'),
    ],
)
def test_what_holds_no_list_of_events_is_refused_and_explained(
    client: FlaskClient, team: Team, body: Any, field: str, code: str, said: str
) -> None:
    answer = client.post(PATH, json=body, headers=team.headers)
    assert answer.status_code == 400
    assert fields_of(answer.json) == [(field, code)]
    assert said in answer.json["detail"]
    (event,) = logged()
    assert (event.public_id, event.kind) == (answer.json["event_id"], "batch")


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"ended_at": "2026-01-15T09:31:00Z"}, "run-success"),
        ({"ended_at": "2026-01-15T09:31:00Z", "error_message": "boom"}, "run-failure"),
        ({"started_at": "2026-01-15T09:31:00Z", "data": {"a": 1}}, "run-start"),
        ({"kind": "run-failure", "ended_at": "2026-01-15T09:31:00Z"}, "run-failure"),
        ({"kind": ["run-failure"], "ended_at": "2026-01-15T09:31:00Z"}, "run-success"),
    ],
)
def test_one_event_sent_as_a_batch_is_told_its_own_address(
    client: FlaskClient, team: Team, event: dict[str, Any], path: str
) -> None:
    body = {"workflow_slug": team.slug, **event}
    answer = client.post(PATH, json=body, headers=team.headers)
    assert (answer.status_code, fields_of(answer.json)) == (400, [("events", "missing")])
    assert "events is missing: the body is a single event." in answer.json["detail"]
    assert f"Send it to /api/v1/ingest/{path}, or put it into a list" in answer.json["detail"]


@pytest.mark.parametrize("kind", EVENT_KINDS)
@pytest.mark.parametrize("events", [[{"kind": "run-success"}], [], '[{"kind": "run-success"}]'])
def test_a_batch_sent_as_one_event_is_told_the_address_of_batches(
    client: FlaskClient, team: Team, kind: str, events: Any
) -> None:
    path = f"/api/v1/ingest/{kind}"
    answer = client.post(path, json={"events": events, "source": "n8n"}, headers=team.headers)
    assert (answer.status_code, answer.json["code"]) == (400, "validation_failed")
    assert fields_of(answer.json) == [("events", "batch_sent_alone")]
    assert f"Send it to {PATH}" in answer.json["detail"]


def test_an_event_may_have_a_list_of_that_name_of_its_own(client: FlaskClient, team: Team) -> None:
    event = good(team, kind=None, events=[{"a": 1}])
    answer = client.post("/api/v1/ingest/run-success", json=event, headers=team.headers)
    assert answer.status_code == 202
    event.pop("ended_at")
    answer = client.post("/api/v1/ingest/run-success", json=event, headers=team.headers)
    assert fields_of(answer.json) == [("ended_at", "missing")]
    nested = good(team, events=[{"a": 1}], ended_at=None, workflow_slug=None)
    refused = send_batch(client, team, nested).json["events"][0]
    assert ("ended_at", "missing") in fields_of(refused)


def test_json_that_cannot_be_read_is_refused_whole_with_its_place(
    client: FlaskClient, team: Team
) -> None:
    body = '{"events": [\n  {"kind": "run-success"},\n  {"kind": }\n]}'
    answer = client.post(PATH, data=body, headers=team.headers)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_json")
    assert "line 3, column 12" in answer.json["detail"]
    (event,) = logged()
    assert event.body == body.encode()


def test_the_checks_of_the_whole_come_in_the_order_of_the_contract(
    client: FlaskClient, team: Team, app: Flask
) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert client.get(PATH, headers=headers).status_code == 405
    assert client.post(PATH, data="{", headers=headers).status_code == 401
    reader = create_api_key(team.workspace_id, "Reader", scopes=["read"])[1]
    assert client.post(PATH, data="{", headers={"X-API-Key": reader}).status_code == 403
    assert client.post(PATH, data="{", headers=headers | team.headers).status_code == 415
    large = b" " * (app.config["FLOWPULSE_MAX_BODY_BYTES"] + 1)
    assert client.post(PATH, data=large, headers=team.headers).status_code == 413
    assert client.post(PATH, data="{", headers=team.headers).status_code == 400
    assert (
        client.post(PATH + "/", json={"events": [good(team)]}, headers=team.headers).status_code
        == 202
    )


def test_a_revoked_key_opens_nothing(client: FlaskClient, team: Team) -> None:
    assert send_batch(client, team, good(team)).status_code == 202
    revoke_api_key(db.session.get_one(ApiKey, team.api_key_id))
    assert send_batch(client, team, good(team)).status_code == 401


# --- what is refused of it ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "field", "code", "said"),
    [
        ({"kind": None}, "kind", "missing", "Send run-success, run-failure or run-start."),
        ({"kind": ""}, "kind", "missing", "kind is empty"),
        ({"kind": None, "type": "run-success"}, "kind", "missing", "You sent type"),
        ({"kind": "run_failed"}, "kind", "unknown_kind", "'run_failed'"),
        ({"kind": "run_success"}, "kind", "unknown_kind", "Did you mean 'run-success'?"),
        ({"kind": ["run-success"]}, "kind", "unknown_kind", "no kind of event"),
        ({"kind": "batch"}, "kind", "unknown_kind", "no kind of event"),
        ({"idempotency_key": "x" * 256}, "idempotency_key", "too_long", "a hash of a long text"),
        ({"idempotency_key": {"a": 1}}, "idempotency_key", "invalid_type", "has to be a text"),
        ({"idempotency_key": "a\0b"}, "idempotency_key", "invalid_characters", "NUL"),
    ],
)
def test_what_is_wrong_with_its_kind_or_key_is_told(
    client: FlaskClient, team: Team, event: dict[str, Any], field: str, code: str, said: str
) -> None:
    answer = send_batch(client, team, good(team), good(team, **event))
    refused = answer.json["events"][1]
    assert fields_of(refused) == [(field, code)]
    assert said in refused["detail"]


def test_all_that_is_wrong_with_an_event_is_told_at_once(client: FlaskClient, team: Team) -> None:
    event = good(team, ended_at="yesterday", duration_ms=-1, idempotency_key=[])
    refused = send_batch(client, team, event).json["events"][0]
    assert [field for field, _ in fields_of(refused)] == [
        "ended_at",
        "duration_ms",
        "idempotency_key",
    ]
    unknown = good(team, workflow_slug="nobody", idempotency_key=[])
    assert send_batch(client, team, unknown).json["events"][0]["status"] == 400


@pytest.mark.parametrize(
    ("event", "shape"),
    [
        (3, "a number"),
        (None, "null"),
        (True, "true"),
        ([], "a list of 0 items"),
        ("run-success", "a text"),
        ([{"kind": "run-success"}], "a list of one item"),
    ],
)
def test_what_is_no_object_is_refused_without_a_place_in_a_body(
    client: FlaskClient, team: Team, event: Any, shape: str
) -> None:
    answer = send_batch(client, team, event, good(team))
    refused = answer.json["events"][0]
    assert answer.status_code == 207
    assert (refused["status"], refused["code"]) == (400, "invalid_json")
    assert fields_of(refused) == [("body", "json_not_an_object")]
    assert refused["detail"].startswith(f"The event is {shape}, not an object. ")
    for word in ("body", "line", "column", "/api/v1/ingest/batch"):
        assert word not in refused["detail"]
    kept = next(each for each in logged() if each.public_id == refused["event_id"])
    assert (kept.body, kept.kind) == (json.dumps(event).encode(), None)


def test_what_is_told_of_json_inside_an_event_names_the_event(
    client: FlaskClient, team: Team
) -> None:
    refused = send_batch(client, team, '{"kind": "run-success"').json["events"][0]
    assert fields_of(refused) == [("body", "json_truncated")]
    assert refused["detail"].startswith("The event ends before its object is closed")


def test_a_field_of_another_kind_is_told_the_kind_to_set(client: FlaskClient, team: Team) -> None:
    event = good(team, error_message="boom")
    (warning,) = send_batch(client, team, event).json["events"][0]["warnings"]
    assert warning["code"] == "unknown_field"
    assert "if the run failed, set kind to run-failure" in warning["message"]
    event.pop("kind")
    alone = client.post("/api/v1/ingest/run-success", json=event, headers=team.headers)
    assert "send it to run-failure" in alone.json["warnings"][0]["message"]


def test_a_key_reports_only_the_workflows_that_it_may(client: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Other")
    key = create_api_key(team.workspace_id, "One", workflow_ids=[team.workflow_id])[1]
    elsewhere = make_team("Elsewhere", first=False)
    slugs = [team.slug, other.slug, elsewhere.slug]
    events = [good(team, workflow_slug=slug) for slug in slugs]
    answer = client.post(PATH, json={"events": events}, headers={"X-API-Key": key})
    codes = [each.get("code") for each in answer.json["events"]]
    assert codes == [None, "workflow_not_allowed", "workflow_not_found"]


def test_a_nested_event_is_allowed_what_it_is_allowed_alone(
    client: FlaskClient, team: Team
) -> None:
    def nest(levels: int) -> Any:
        return {"a": nest(levels - 1)} if levels else 1

    deepest = good(team, metadata=nest(63))  # The event itself is the first of 64 levels.
    alone = {name: value for name, value in deepest.items() if name != "kind"}
    assert (
        client.post("/api/v1/ingest/run-success", json=alone, headers=team.headers).status_code
        == 202
    )
    assert send_batch(client, team, deepest).status_code == 202
    answer = send_batch(client, team, good(team), good(team, metadata=nest(64)))
    assert fields_of(answer.json) == [("body", "json_too_deep")]


# --- what is tolerated ----------------------------------------------------------------------------


def test_harmless_slips_are_taken_and_told_of_each_event(client: FlaskClient, team: Team) -> None:
    batch = {"events": [good(team), good(team)]}
    for body, content_type, code in (
        (json.dumps(batch), "text/plain", "content_type"),
        (json.dumps(json.dumps(batch)), "application/json", "double_encoded"),
        (json.dumps({"events": json.dumps(batch["events"])}), "application/json", "double_encoded"),
        ("\ufeff" + json.dumps(batch), "application/json", None),
    ):
        headers = {**team.headers, "Content-Type": content_type}
        answer = client.post(PATH, data=body.encode(), headers=headers)
        assert answer.status_code == 202, answer.text
        for each in answer.json["events"]:
            codes = [warning["code"] for warning in each.get("warnings", ())]
            assert codes == ([code] if code else [])


def test_what_stands_beside_the_list_is_told_of_each_event(client: FlaskClient, team: Team) -> None:
    beside = {"customer": "acme", "workflow_slug": team.slug}
    batch = {**beside, "events": [good(team), good(team)]}
    answer = client.post(PATH, json=batch, headers=team.headers)
    assert answer.status_code == 202
    for each in answer.json["events"]:
        told = [(w["field"], w["code"], w["message"]) for w in each["warnings"]]
        said = "is not a known field; it was ignored."
        assert told == [
            ("customer", "unknown_field", f"customer beside events {said}"),
            (
                "body",  # Not the field of this name that the event itself has.
                "unknown_field",
                "workflow_slug beside events was ignored: it belongs into each event.",
            ),
        ]


def test_of_much_beside_the_list_a_few_are_named(client: FlaskClient, team: Team) -> None:
    batch = {**{f"other_{n}": n for n in range(90)}, "events": [good(team)]}
    (event,) = client.post(PATH, json=batch, headers=team.headers).json["events"]
    assert len(event["warnings"]) == 4
    assert event["warnings"][3]["message"].startswith("87 more fields beside events")


def test_a_form_that_holds_the_list_is_taken(client: FlaskClient, team: Team) -> None:
    form = {"events": json.dumps([good(team)])}
    answer = client.post(PATH, data=form, headers=team.headers)
    assert answer.status_code == 202
    codes = {warning["code"] for warning in answer.json["events"][0]["warnings"]}
    assert codes == {"content_type", "form_encoded", "double_encoded"}


def test_an_event_that_is_json_inside_a_text_is_taken(client: FlaskClient, team: Team) -> None:
    answer = send_batch(client, team, json.dumps(good(team, idempotency_key="a")))
    assert answer.status_code == 202
    assert answer.json["events"][0]["warnings"][0]["code"] == "double_encoded"
    (event,) = logged()
    assert json.loads(event.body) == {k: v for k, v in good(team).items() if k != "kind"}


def test_a_misspelt_key_does_not_count_in_silence(client: FlaskClient, team: Team) -> None:
    answer = send_batch(client, team, good(team, idempotencyKey="a"))
    (warning,) = answer.json["events"][0]["warnings"]
    assert (warning["field"], warning["code"]) == ("idempotencyKey", "misspelt_field")
    assert "idempotency_key" in warning["message"]


def test_halves_of_characters_harm_nothing(client: FlaskClient, team: Team) -> None:
    event = json.dumps(good(team, metadata={"a": "x"})).replace('"x"', '"\\ud800"')
    for body in (
        f'{{"events": [{event}]}}',
        json.dumps(f'{{"events": [{event}]}}'),
        json.dumps({"events": [event]}),
        json.dumps({"events": f"[{event}]"}),
    ):
        answer = client.post(PATH, data=body, headers=team.headers)
        codes = [each["code"] for each in answer.json["events"][0]["warnings"]]
        assert "characters_replaced" in codes
    assert all(
        event.payload["metadata"] == {"a": "\N{REPLACEMENT CHARACTER}"} for event in logged()
    )


# --- what the log keeps ---------------------------------------------------------------------------


def test_the_log_keeps_each_event_as_if_it_had_come_alone(client: FlaskClient, team: Team) -> None:
    ended = '"ended_at": "2026-01-15T09:31:00Z"'
    mine = f'"workflow_slug": "{team.slug}",  {ended},\n  "duration_ms": 1e3'
    text = (
        f'{{"events": [{{\n  "kind": "run-success",\n  "idempotency_key": "k",\n  {mine}\n}},'
        f' {{"ended_at": "soon", "workflow_slug": "{team.slug}", "kind": "run-failure"}}]}}'
    )
    headers = {**team.headers, "Content-Type": "application/json", "User-Agent": "n8n"}
    answer = client.post(PATH, data=text, headers=headers)
    accepted, refused = logged()
    assert [accepted.public_id, refused.public_id] == [e["event_id"] for e in answer.json["events"]]
    assert accepted.body.decode() == f"{{\n  {mine}\n}}"
    assert refused.body.decode() == f'{{"ended_at": "soon", "workflow_slug": "{team.slug}"}}'
    assert [accepted.path, refused.path] == [f"{PATH}#/events/0", f"{PATH}#/events/1"]
    assert [accepted.kind, refused.kind] == ["run-success", "run-failure"]
    assert accepted.received_at == refused.received_at
    assert (accepted.body_size, refused.workflow_id) == (len(accepted.body), team.workflow_id)
    assert ["Idempotency-Key", "k"] in accepted.headers
    names = {name for name, _ in [*accepted.headers, *refused.headers]}
    assert "Content-Length" not in names
    assert "Idempotency-Key" not in dict(refused.headers)
    assert accepted.platform == refused.platform == "n8n"


def test_events_refused_for_the_same_reason_are_one_group_with_those_sent_alone(
    client: FlaskClient, team: Team
) -> None:
    wrong = good(team, ended_at=None)
    send_batch(client, team, good(team), wrong, wrong)
    alone = {name: value for name, value in wrong.items() if name != "kind"}
    client.post("/api/v1/ingest/run-success", json=alone, headers=team.headers)
    assert len({event.fingerprint for event in logged() if event.state == "rejected"}) == 1


def test_no_key_is_kept_wherever_it_stands(client: FlaskClient, team: Team) -> None:
    leaky = good(team, metadata={"key": team.key}, idempotency_key=team.key)
    answer = send_batch(client, team, leaky, good(team, kind=team.key), team.key, X_Note=team.key)
    assert team.key not in answer.text
    for event in logged():
        kept = (
            f"{event.headers}{event.body!r}{event.payload}{event.errors}{event.detail}{event.path}"
        )
        assert team.key not in kept


def test_each_refused_event_counts_against_what_is_stored(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(FLOWPULSE_REJECTED_RATE=6, WEB_CONCURRENCY=1)
    with app.app_context():
        team = make_team()
        service = ingest_service()
        service.limits._clock = lambda: 1_800_000_000.0
        client, wrong = app.test_client(), good(team, ended_at=None)
        kept = []
        for _ in range(10):
            answer = send_batch(client, team, wrong)
            kept.append("event_id" in answer.json["events"][0])
        assert kept == [True] * 6 + [False] * 4
        assert len(logged()) == 6
        service.limits.sync()
        db.session.rollback()
        (counted,) = db.session.query(UnstoredCount).all()
        assert (counted.count, counted.code) == (4, "validation_failed")
        db.session.remove()


# --- how often ------------------------------------------------------------------------------------


def test_a_batch_counts_as_many_events_as_it_holds(make_app: Callable[..., Flask]) -> None:
    app = make_app(FLOWPULSE_RATE_LIMIT=2)
    with app.app_context():
        team, client = make_team(), app.test_client()
        ingest_service().limits._clock = lambda: 1_800_000_000.0
        assert send_batch(client, team, *[good(team)] * 15).status_code == 202
        refused = send_batch(client, team, *[good(team)] * 6)
        assert (refused.status_code, refused.json["code"]) == (429, "rate_limited")
        assert refused.headers["Retry-After"] == "1"
        assert "no room for 6 more yet" in refused.json["detail"]
        assert send_batch(client, team, *[good(team)] * 5).status_code == 202
        assert send_batch(client, team, good(team)).status_code == 429
        assert Counter(event.state for event in logged()) == {"accepted": 20, "rejected": 2}
        db.session.remove()


def test_a_batch_that_never_fits_is_told_how_many_do_and_not_to_come_again(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(FLOWPULSE_RATE_LIMIT=2)
    with app.app_context():
        team, client = make_team(), app.test_client()
        ingest_service().limits._clock = lambda: 1_800_000_000.0
        assert send_batch(client, team, *[good(team)] * 12).status_code == 202
        answer = send_batch(client, team, *[good(team)] * 21)
        assert (answer.status_code, answer.json["code"]) == (400, "validation_failed")
        assert fields_of(answer.json) == [("events", "too_many_events")]
        detail = answer.json["detail"]
        assert "events holds 21 events; this key may send at most 20 at once." in detail
        assert "Split the list" in detail and "again" not in detail
        assert "Retry-After" not in answer.headers
        assert len(logged()) == 13
        assert send_batch(client, team, *[good(team)] * 7).status_code == 202
        db.session.remove()


# --- retries --------------------------------------------------------------------------------------


def test_a_batch_sent_again_is_answered_as_before_and_makes_no_event_twice(
    client: FlaskClient, team: Team
) -> None:
    events = [good(team, idempotency_key=f"run-{n}", duration_ms="1") for n in range(3)]
    first = send_batch(client, team, *events)
    again = send_batch(client, team, *events)
    assert again.status_code == 202
    wanted = [{**each, "idempotent_replayed": True} for each in first.json["events"]]
    assert again.json["events"] == wanted
    assert len(logged()) == 3


def test_a_key_means_the_same_alone_and_in_a_batch(client: FlaskClient, team: Team) -> None:
    fields = json.dumps({k: v for k, v in good(team).items() if k != "kind"})
    headers = {**team.headers, "Idempotency-Key": "a", "Content-Type": "application/json"}
    alone = client.post("/api/v1/ingest/run-success", data=fields, headers=headers)
    batch = '{"events": [{"kind": "run-success", "idempotency_key": "a", ' + fields[1:] + "]}"
    answer = client.post(PATH, data=batch, headers=team.headers)
    (event,) = answer.json["events"]
    assert (event["event_id"], event["idempotent_replayed"]) == (alone.json["event_id"], True)
    assert len(logged()) == 1


def test_the_same_key_with_another_event_is_refused(client: FlaskClient, team: Team) -> None:
    one, other = (good(team, idempotency_key="a", duration_ms=n) for n in (1, 2))
    answer = send_batch(client, team, one, one, other)
    assert [each["status"] for each in answer.json["events"]] == [202, 202, 422]
    first, twin, _ = answer.json["events"]
    assert twin == {**first, "idempotent_replayed": True}
    again = send_batch(client, team, other)
    assert again.json["events"][0]["code"] == "idempotency_key_reused"
    assert [event.state for event in logged()] == ["accepted", "rejected", "rejected"]


def test_a_header_stands_for_a_key_of_each_event(client: FlaskClient, team: Team) -> None:
    events = [good(team), good(team), good(team, ended_at=None), good(team, idempotency_key="own")]
    first = send_batch(client, team, *events, Idempotency_Key="nightly")
    assert [each["status"] for each in first.json["events"]] == [202, 202, 400, 202]
    events[2] = good(team)
    again = send_batch(client, team, *events, Idempotency_Key="nightly")
    replayed = [each.get("idempotent_replayed", False) for each in again.json["events"]]
    assert replayed == [True, True, False, True]
    keys = [dict(event.headers).get("Idempotency-Key") for event in logged()]
    assert keys[0] == "nightly#/events/0" and "own" in keys
    assert len(logged()) == 5
    longest = "x" * 255
    for replay in (None, True):
        (event,) = send_batch(client, team, good(team), Idempotency_Key=longest).json["events"]
        assert event.get("idempotent_replayed") is replay


def test_a_header_that_is_too_long_is_refused(client: FlaskClient, team: Team) -> None:
    answer = send_batch(client, team, good(team), Idempotency_Key="x" * 256)
    assert fields_of(answer.json) == [("Idempotency-Key", "too_long")]
    assert answer.status_code == 400


def test_a_replay_is_answered_as_before_whatever_became_of_its_workflow(
    client: FlaskClient, team: Team
) -> None:
    event = good(team, idempotency_key="a")
    first = send_batch(client, team, event)
    archive_workflow(db.session.get_one(Workflow, team.workflow_id))
    again = send_batch(client, team, event)
    assert again.json["events"][0]["event_id"] == first.json["events"][0]["event_id"]


def test_a_key_that_is_forgotten_may_be_used_again(client: FlaskClient, team: Team) -> None:
    events = [good(team, idempotency_key=f"run-{n}") for n in range(77)]
    first = send_batch(client, team, *events)
    with writing() as session:
        forgotten = IdempotencyKey.key.in_([f"run-{n}" for n in range(0, 77, 2)])
        session.execute(
            update(IdempotencyKey).where(forgotten).values(created_at=now() - timedelta(hours=25))
        )
    again = send_batch(client, team, *events)
    same = [
        one["event_id"] == other["event_id"]
        for one, other in zip(first.json["events"], again.json["events"], strict=True)
    ]
    assert same == [bool(n % 2) for n in range(77)]
    assert send_batch(client, team, *events).json["events"][0]["idempotent_replayed"] is True


def test_parallel_twins_make_each_event_once(app: Flask, team: Team) -> None:
    events = [good(team, idempotency_key=f"run-{n}") for n in range(20)]
    answers: list[Any] = []

    def send(turn: int) -> None:
        with app.app_context():
            given = events if turn % 2 else events[::-1]
            answers.append(send_batch(app.test_client(), team, *given).json["events"])

    threads = [threading.Thread(target=send, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = Counter(each["event_id"] for answer in answers for each in answer)
    assert set(ids.values()) == {8} and len(ids) == 20
    assert {event.public_id for event in logged()} == set(ids)


# --- one commit -----------------------------------------------------------------------------------


def test_all_that_is_accepted_goes_into_one_commit(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, commits = ingest_service().store, []
    writing_as_ever = store.writing

    def begin() -> Any:
        commits.append(threading.current_thread())
        return writing_as_ever()

    monkeypatch.setattr(store, "writing", begin)
    events = [good(team, idempotency_key=str(n) if n % 2 else None) for n in range(500)]
    assert send_batch(client, team, *events).status_code == 202
    assert commits.count(threading.current_thread()) == 1


def test_nothing_is_stored_while_the_database_cannot_be_written(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise BusyError("another program writes")

    monkeypatch.setattr(ingest_service().store, "insert_events", refuse)
    answer = send_batch(client, team, good(team, idempotency_key="a"), good(team, ended_at=None))
    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"]
    monkeypatch.undo()
    assert [event.kind for event in logged()] == ["batch"]
    again = send_batch(client, team, good(team, idempotency_key="a"))
    assert again.json["events"][0].get("idempotent_replayed") is None


def test_a_batch_that_was_written_although_its_commit_failed_is_not_written_twice(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = ingest_service().batches
    write_as_ever = batches._write

    def write_and_fail(*arguments: Any) -> None:
        monkeypatch.undo()
        write_as_ever(*arguments)
        raise RuntimeError("the connection broke off behind the commit")

    monkeypatch.setattr(batches, "_write", write_and_fail)
    answer = send_batch(client, team, *[good(team, idempotency_key=str(n)) for n in range(3)])
    assert answer.status_code == 202
    assert len(logged()) == 3


def test_a_batch_that_cannot_be_written_takes_no_other_with_it(
    app: Flask, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workflow of one goes between its look-up and the commit that both share."""
    batches = ingest_service().batches
    doomed = make_team("Other", first=False)
    answers: dict[str, Any] = {}

    def send(which: Team) -> None:
        with app.app_context():
            answers[which.slug] = send_batch(app.test_client(), which, good(which), good(which))

    batches._turn.acquire()
    threads = [threading.Thread(target=send, args=(each,)) for each in (team, doomed)]
    for thread in threads:
        thread.start()
    while len(batches._waiting) < 2:
        threading.Event().wait(0.01)
    with writing() as session:
        session.delete(session.get(Workflow, doomed.workflow_id))
    batches._turn.release()
    for thread in threads:
        thread.join()
    assert answers[team.slug].status_code == 202
    assert answers[doomed.slug].status_code == 503
    stored = [event for event in logged() if event.state == "accepted"]
    assert {event.workspace_id for event in stored} == {team.workspace_id} and len(stored) == 2


def test_a_renamed_workflow_is_found_by_its_old_slug(client: FlaskClient, team: Team) -> None:
    rename_workflow(db.session.get_one(Workflow, team.workflow_id), "New name", "new-slug")
    answer = send_batch(client, team, good(team), good(team))
    assert answer.status_code == 202
    assert {w["code"] for e in answer.json["events"] for w in e["warnings"]} == {"former_slug"}


def test_a_refusal_that_cannot_be_logged_takes_nothing_from_what_is_accepted(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the log is broken")

    monkeypatch.setattr(ingest_service().recorder, "record_later", fail)
    answer = send_batch(client, team, good(team), good(team, ended_at=None))
    assert answer.status_code == 207
    assert [each["status"] for each in answer.json["events"]] == [202, 400]
    assert "event_id" not in answer.json["events"][1]
    assert ingest_service().limits._unstored.total() == 1


@pytest.mark.parametrize(
    ("kind", "path", "place"),
    [
        ("run-success", f"{PATH}#/events/12", 12),
        (None, f"{PATH}?a=%20b#/events/0", 0),
        ("batch", f"{PATH}#/events/1", None),
        ("run-success", PATH, None),
        ("run-success", "/api/v1/ingest/run-success#/events/1", None),
        ("run-success", f"{PATH}es#/events/1", None),
        (None, "//[#/events/1", None),
        (None, f"{PATH}#/events/{'9' * 5000}", None),
    ],
)
def test_a_path_tells_the_place_in_the_batch(
    kind: str | None, path: str, place: int | None
) -> None:
    assert find_place(kind, path) == place


def test_stored_events_are_those_of_the_answer(client: FlaskClient, team: Team) -> None:
    answer = send_batch(client, team, good(team))
    shown = client.get(
        f"/api/v1/events/{answer.json['events'][0]['event_id']}", headers=team.headers
    )
    assert (shown.json["kind"], shown.json["path"]) == ("run-success", f"{PATH}#/events/0")
    assert db.session.query(Event).count() == 1
