"""Each endpoint with a key refuses as the OpenAPI document says: with these codes, no others."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from app.api.openapi import build_document
from app.extensions import db
from app.ingest.store import AwayError
from app.workspaces.api_keys import create_api_key, revoke_api_key
from app.workspaces.workflows import archive_workflow, create_workflow
from tests.api.described import find_undescribed
from tests.factories import make_team

BY_THE_WEB_SERVER = {"bad_request", "address_too_long", "headers_too_large", "request_timeout"}
"""Of what can't be read; tests/test_serving.py sends that to a real server."""
MAY_BE_FOUND_BELOW = {"list_workflows", "ping", "ping_get"}
"""Their address has nothing in it that could be missing, but may be taken for one that has."""
DOORS = ("app.ingest.routes", "app.ingest.batches", "app.ingest.pings", "app.api.routes")
MOST_BYTES = 20_000
SETTINGS = {
    "FLOWPULSE_RATE_LIMIT": 0,
    "FLOWPULSE_FAILED_KEY_LIMIT": 1_000_000,
    "FLOWPULSE_MAX_BODY_BYTES": MOST_BYTES,
}
ENDS = {"ended_at": "2026-01-15T09:31:00Z", "error_message": "boom"}
STARTS = {"started_at": "2026-01-15T09:31:00Z", "external_execution_id": "1"}


class Endpoint:
    """One operation: `ask` sends a good request but for what is changed."""

    def __init__(self, method: str, path: str, operation: dict[str, Any]) -> None:
        self.method, self.template, self.id = method.upper(), path, operation["operationId"]
        self.kind = path.rpartition("/ingest/")[2] if "/ingest/" in path else ""
        self.codes = {
            code
            for answer in operation["responses"].values()
            for code in answer["content"].get("application/problem+json", {}).get("examples", ())
        } - {"none_accepted"}

    def ask(self, client: Any, key: str, slug: str, **changed: Any) -> Any:
        path = self.template.format(slug=slug, signal=changed.get("signal", "start"), id=slug)
        body = {"workflow_slug": slug, **(STARTS if self.kind == "run-start" else ENDS)}
        body |= changed.get("fields", {})
        if self.kind == "batch":
            body = {"events": [{"kind": "run-failure", **body}]}
        options = {"json": body} if self.kind else {}
        if changed.get("data"):
            options = {"data": changed["data"], "content_type": "application/json"}
        return client.open(
            path,
            method=changed.get("method", self.method),
            headers={"X-API-Key": key, **changed.get("headers", {})},
            query_string=changed.get("query", {"workflow": slug} if self.is_list else {}),
            **(options if self.method == "POST" else {}),
        )

    @property
    def is_list(self) -> bool:
        return self.id.startswith("list_")


ENDPOINTS = [
    Endpoint(method, path, operation)
    for path, operations in build_document()["paths"].items()
    for method, operation in operations.items()
    if "security" not in operation
]


@pytest.fixture
def answers(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, list[Any]]]:
    """What each endpoint answers to whatever can be wrong with a request, or with the server."""
    app = make_app(**SETTINGS)
    with app.app_context():
        team, client = make_team(), app.test_client()
        old, other = (create_workflow(team.workspace_id, name) for name in ("Old", "Other"))
        slugs = {"old": old.slug, "other": other.slug}
        archive_workflow(old)
        row, ended = create_api_key(team.workspace_id, "ended")
        revoke_api_key(row)
        keys = {"ended": ended, "mistyped": "fp_x", "none": ""}
        for scope, without in (("read", "ingest"), ("ingest", "read")):
            keys[without] = create_api_key(team.workspace_id, scope, [scope])[1]
        limited = create_api_key(team.workspace_id, "l", workflow_ids=[team.workflow_id])[1]
        db.session.rollback()
        seen: dict[str, list[Any]] = {each.id: [] for each in ENDPOINTS}

        def ask(key: str = team.key, slug: str = team.slug, **changed: Any) -> None:
            for each in ENDPOINTS:
                seen[each.id].append(each.ask(client, key, slug, **changed))

        for key in keys.values():
            ask(key)
        ask(method="DELETE")
        ask(slug="nowhere", signal="0")
        ask(slug=slugs["old"])
        ask(limited, slugs["other"])
        long = "x" * 300
        ask(query={"rid": long, "limit": "many\0"}, fields={"external_execution_id": long})
        ask(signal="maybe")
        ask(headers={"Content-Encoding": "br"})
        ask(data="{")
        ask(data="{" + " " * MOST_BYTES + "}")
        for number in "12":  # The same key, with something else each time.
            told = {"external_execution_id": number}
            ask(headers={"Idempotency-Key": "k"}, fields=told, query={"rid": number})
        for wrong in (AwayError, RuntimeError):
            for door in DOORS:
                monkeypatch.setattr(f"{door}.require_key", _raise(wrong))
            ask()
        monkeypatch.undo()
        seen["of many"] = _ask_too_often(make_app, team.key, team.slug)
        yield seen
        db.session.remove()


def _raise(error: type[Exception]) -> Callable[..., None]:
    def refuse(*_: Any) -> None:
        raise error("as if")

    return refuse


def _ask_too_often(make_app: Callable[..., Flask], key: str, slug: str) -> list[Any]:
    """Each endpoint, as often as it takes until the key's rate is used up."""
    app = make_app(FLOWPULSE_RATE_LIMIT=1)
    with app.app_context():
        client = app.test_client()
        return [_ask_until_refused(client, each, key, slug) for each in ENDPOINTS]


def _ask_until_refused(client: Any, endpoint: Endpoint, key: str, slug: str) -> Any:
    for _ in range(30):
        answer = endpoint.ask(client, key, slug)
        if answer.status_code == 429:
            break
    return answer


@pytest.mark.once
def test_each_refusal_is_described_and_each_that_is_described_is_met(
    answers: dict[str, list[Any]],
) -> None:
    too_often = answers.pop("of many")
    wrong: dict[str, Any] = {}
    for endpoint, late in zip(ENDPOINTS, too_often, strict=True):
        given = [*answers[endpoint.id], late]
        for each in given:
            asked = (each.request.method, each.request.path)
            if told := find_undescribed(*asked, each.status_code, each.mimetype, each.json):
                wrong[f"{asked}"] = told
        met = {each.json["code"] for each in given if each.status_code >= 400}
        may_be_unmet = {"not_found"} if endpoint.id in MAY_BE_FOUND_BELOW else set()
        if unmet := endpoint.codes - met - BY_THE_WEB_SERVER - may_be_unmet:
            wrong[endpoint.id] = unmet
    assert not wrong
