"""The API reference: all that the schemas, the table and the settings say, and a form to try it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.openapi import build_document
from app.api.other_monitors import TAG as OTHERS
from app.console.api_reference import example_body, list_endpoints, list_tags
from app.extensions import db
from app.ingest.schemas import EVENT_KINDS
from app.models import Event
from app.problems import PROBLEMS
from tests.console.pages import open_page, send_form
from tests.console.test_weight import MOST_BYTES
from tests.factories import Team


def test_every_operation_of_the_document_is_there(client: FlaskClient) -> None:
    page = open_page(client, "/docs")
    for path, operations in build_document()["paths"].items():
        for operation in operations.values():
            assert page.has_id(operation["operationId"])
            assert operation["summary"] in page.text
        assert path in page.text


def test_each_group_is_told_of_and_where_the_addresses_of_other_monitors_are(
    client: FlaskClient,
) -> None:
    page, text = open_page(client, "/docs"), client.get("/docs/api.md").text
    for tag in build_document()["tags"]:
        assert tag["description"] in page.text and tag["description"] in text
    assert client.get("/docs/moving.md").status_code == 200
    for path in ("/healthz", "/readyz", "/metrics"):
        assert f"GET {path}" in page.text


@pytest.mark.once
def test_the_addresses_of_other_monitors_are_told_of_where_they_are_served(
    app: Flask, client: FlaskClient, owner: FlaskClient
) -> None:
    for path in ("/docs", "/docs/api.md", "/llms.txt"):
        assert "/api/push/" not in client.get(path).text
    app.config["FLOWPULSE_COMPATIBILITY"] = True
    others = [each for each in list_endpoints(has_others=True) if each.tag == OTHERS]
    assert len(others) == 16
    page, text = open_page(client, "/docs"), client.get("/docs/api.md").text
    llms = client.get("/llms.txt").text
    for each in others:
        assert page.has_id(each.id) and f"{each.method} {each.path}" in text
        assert each.path in page.text and each.summary in page.text
        assert each.method == "GET" or f"`{each.method} {each.path}`" in llms
        for field in each.query_parameters:
            assert field.description in page.text and field.description in text
    assert list_tags(has_others=True)[OTHERS] in page.text
    assert len(owner.get("/docs").data) < MOST_BYTES
    assert len(llms) < 6_000


def test_every_field_is_there_with_its_meaning(client: FlaskClient) -> None:
    text = open_page(client, "/docs").text
    for name, schema in build_document()["components"]["schemas"].items():
        if name in {"Problem", "FieldError", "Warning"}:
            continue
        for field, each in schema["properties"].items():
            assert field in text, (name, field)
            assert each.get("description", "") in text, (name, field)


def test_need_type_and_limits_come_from_the_schema() -> None:
    fields = {each.name: each for each in list_endpoints()[1].body}
    assert fields["workflow_slug"].need == "one of three"
    assert (fields["ended_at"].need, fields["ended_at"].type) == ("yes", "string (ISO 8601)")
    assert (fields["started_at"].need, fields["error_message"].need) == ("no", "yes")
    assert fields["error_type"].rules == "at most 255 characters"


def test_every_refusal_leads_to_its_row(client: FlaskClient) -> None:
    links = open_page(client, "/docs").links
    for endpoint in list_endpoints():
        assert bool(endpoint.refusals) == endpoint.needs_key
        for row in endpoint.refusals:
            assert f"/troubleshooting#{row.code}" in links
            assert row.code in PROBLEMS
            assert row.code not in {"unknown_api_key", "revoked_api_key", "expired_api_key"}


def test_the_examples_name_the_readers_server_and_workflow(
    client: FlaskClient, owner: FlaskClient, team: Team
) -> None:
    page = open_page(owner, "/docs")
    assert "http://localhost/api/v1/ingest/run-success" in page.text
    assert f'"workflow_slug": "{team.slug}"' in page.text
    stranger = open_page(client, "/docs")
    assert '"workflow_slug": "your-workflow"' in stranger.text


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_the_example_body_is_accepted_as_it_is(client: FlaskClient, team: Team, kind: str) -> None:
    endpoint = next(each for each in list_endpoints() if each.kind == kind)
    body = example_body(endpoint, team.slug)
    headers = {**team.headers, "Content-Type": "application/json"}
    sent = client.post(endpoint.path, data=body, headers=headers)
    assert sent.status_code == 202
    assert "warnings" not in sent.json


def test_the_example_batch_is_accepted_as_it_is(client: FlaskClient, team: Team) -> None:
    endpoint = next(each for each in list_endpoints() if each.id == "batch")
    headers = {**team.headers, "Content-Type": "application/json"}
    sent = client.post(endpoint.path, data=example_body(endpoint, team.slug), headers=headers)
    assert sent.status_code == 202
    assert all("warnings" not in event for event in sent.json["events"])


def test_what_a_batch_asks_of_each_event_is_told_and_sent_with_a_key_alone(
    owner: FlaskClient, team: Team
) -> None:
    page = open_page(owner, "/docs")
    for name in ("events[].kind", "events[].idempotency_key", "events[].idempotent_replayed"):
        assert name in page.text
    assert page.has_id("key-batch")
    assert "/docs/try/batch" not in owner.get("/docs").text


def test_what_holds_of_a_batch_is_told_with_it_and_under_limits(client: FlaskClient) -> None:
    text = open_page(client, "/docs").text
    batch = text.split("Report many runs at once")[1].split("Headers")[0]
    for words in ("at most 500 events", "one commit", "counts for the key's rate", "none is"):
        assert words in batch
    assert "Events in one batch" in text.split("As this server is set.")[1]


def test_the_limits_are_those_of_the_settings(make_app: Callable[..., Flask]) -> None:
    app = make_app(FLOWPULSE_RATE_LIMIT=7531)
    assert "7,531" in open_page(app.test_client(), "/docs").text


def test_the_page_is_light(owner: FlaskClient) -> None:
    assert len(owner.get("/docs").data) < 96_000


# --- trying it ------------------------------------------------------------------------------------


def send_test(client: FlaskClient, body: Any, kind: str = "run-success") -> Any:
    return send_form(client, "/docs", f"/docs/try/{kind}", body=body)


def test_a_member_sends_a_test_event_without_a_key(owner: FlaskClient, team: Team) -> None:
    body = json.dumps({"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"})
    answer = send_test(owner, body)
    assert answer.status_code == 200
    event = db.session.query(Event).one()
    assert (event.origin, event.sent_by, event.state) == ("test", team.email, "accepted")
    assert f"/events/{event.public_id}" in answer.text
    assert "&#34;status&#34;: &#34;accepted&#34;" in answer.text


def test_a_refused_test_is_explained(owner: FlaskClient, team: Team) -> None:
    for body in ('{"a": <script>', "", json.dumps({"workflow_slug": team.slug})):
        answer = send_test(owner, body)
        assert answer.status_code == 200
        assert "/troubleshooting#" in answer.text
        assert "<script>alert" not in answer.text
        assert "Rejected" in answer.text


def test_only_members_send_tests_and_only_of_known_kinds(
    client: FlaskClient, owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    assert "/docs/try/run-success" not in client.get("/docs").text
    viewer = colleague("viewer")
    assert "/docs/try/run-success" not in viewer.get("/docs").text
    token = open_page(viewer, "/docs").form("/sign-out").fields
    assert viewer.post("/docs/try/run-success", data=token).status_code == 403
    token = open_page(owner, "/docs").form("/sign-out").fields
    assert owner.post("/docs/try/run-nonsense", data=token).status_code == 404


def test_the_key_field_is_never_a_part_of_the_form(owner: FlaskClient) -> None:
    page = open_page(owner, "/docs")
    fields = [values for tag, values in page.tags if "data-try-key" in values]
    assert fields
    assert not [values for values in fields if "name" in values or values.get("type") != "password"]


# --- who may read it ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/docs", "/troubleshooting"])
def test_the_documents_are_for_everybody_or_for_those_signed_in(
    app: Flask, client: FlaskClient, owner: FlaskClient, path: str
) -> None:
    assert client.get(path).status_code == 200
    app.config["FLOWPULSE_PUBLIC_DOCS"] = False
    answer = client.get(path)
    assert (answer.status_code, answer.location) == (302, f"/sign-in?next=/{path[1:]}")
    assert client.get(path, headers={"HX-Request": "true"}).status_code == 401
    assert owner.get(path).status_code == 200
