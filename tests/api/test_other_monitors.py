"""The addresses of other monitors answer as the OpenAPI document says, in whatever goes wrong."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_schema_validator import OAS31Validator

from app.api.openapi import build_document
from app.api.other_monitors import EXAMPLE_PING_KEY, EXAMPLE_TOKEN, EXAMPLE_UUID, TAG
from app.extensions import db
from app.ingest.store import AwayError
from app.models import Workflow
from app.workspaces.report_addresses import create_address
from app.workspaces.workflows import archive_workflow, create_workflow
from tests.factories import make_team

BY_THE_WEB_SERVER = {"408", "414", "431"}
"""Of what can't be read; tests/test_serving.py sends that to a real server."""
NEVER_OF_ANOTHER = {"checked", "root", "push"}
"""Whose address alone says which workflow: a limited one is never of another."""
OPERATIONS = [
    (method, path, operation)
    for path, operations in build_document(has_others=True)["paths"].items()
    for method, operation in operations.items()
    if operation["tags"] == [TAG]
]
OF_ONE = "Jv8x_Qm2RkT5wZ-bN7cY3d"
DOOR = "app.ingest.foreign_pings.require_address"


@pytest.fixture
def answers(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, list[Any]]]:
    """What each operation answers to whatever can be wrong with a request, or with the server."""
    told = {"FLOWPULSE_COMPATIBILITY": True, "FLOWPULSE_FAILED_KEY_LIMIT": 1_000_000}
    app = make_app(**told, FLOWPULSE_RATE_LIMIT=0)
    with app.app_context():
        team, client = make_team(), app.test_client()
        workflow = db.session.get_one(Workflow, team.workflow_id)
        other, limited = create_workflow(team.workspace_id, "Other").slug, OF_ONE
        for of, secret in (
            (workflow, EXAMPLE_UUID),
            (workflow, EXAMPLE_TOKEN),
            (workflow, limited),
            (None, EXAMPLE_PING_KEY),
        ):
            create_address(team.workspace_id, of, secret)
        db.session.rollback()
        seen: dict[str, list[Any]] = {each["operationId"]: [] for _, _, each in OPERATIONS}

        def ask(**changed: Any) -> None:
            for method, path, operation in OPERATIONS:
                answer = _ask(client, method, path, operation, changed)
                seen[operation["operationId"]].append(answer)

        ask()
        for wrong in (
            {"address": "0" * 8 + EXAMPLE_UUID[8:], "token": "x", "key": "x" * 22},
            {"method": "DELETE"},
            {"query": {"rid": "7", "ping": "-1", "state": "paused"}},
            {"headers": {"Idempotency-Key": "k" * 300}},
            {"address": limited, "key": limited, "slug": other, "part": other},
        ):
            ask(**wrong)
        for message in ("a", "b"):  # The same key, with something else each time.
            ask(headers={"Idempotency-Key": "k"}, query={"msg": message, "message": message})
            ask(headers={"Idempotency-Key": "k"}, signal=message, part=message, data=message)
        archive_workflow(db.session.get_one(Workflow, team.workflow_id))
        ask()
        for error in (AwayError, RuntimeError):
            monkeypatch.setattr(DOOR, _raise(error))
            ask()
        monkeypatch.undo()
        hasty = make_app(**told, FLOWPULSE_RATE_LIMIT=1)
        with hasty.app_context():
            for method, path, operation in OPERATIONS:
                answers = (
                    _ask(hasty.test_client(), method, path, operation, {}) for _ in range(30)
                )
                late = next(each for each in answers if each.status_code == 429)
                seen[operation["operationId"]].append(late)
        yield seen
        db.session.remove()


def _ask(client: Any, method: str, path: str, operation: dict[str, Any], changed: Any) -> Any:
    """A good request, but for what is changed."""
    places = {
        each["name"]: each["example"] for each in operation["parameters"] if "example" in each
    }
    return client.open(
        path.format_map(places | changed),
        method=changed.get("method", method),
        query_string=changed.get("query"),
        headers=changed.get("headers"),
        data=changed.get("data"),
    )


def _raise(error: type[Exception]) -> Callable[..., None]:
    def refuse(*_: Any) -> None:
        raise error("as if")

    return refuse


@pytest.mark.once
def test_each_answer_is_described_and_each_that_is_described_is_met(
    answers: dict[str, list[Any]],
) -> None:
    wrong: dict[str, Any] = {}
    for _, _, operation in OPERATIONS:
        given, name = answers[operation["operationId"]], operation["operationId"]
        for each in given:
            if told := find_undescribed(operation, each):
                wrong[f"{name} {each.status_code}"] = told
        described = operation["responses"].keys() - BY_THE_WEB_SERVER
        if name.removesuffix("_get") in NEVER_OF_ANOTHER:
            described -= {"403"}
        if unmet := described - {str(each.status_code) for each in given}:
            wrong[name] = unmet
    assert not wrong


def find_undescribed(operation: dict[str, Any], answer: Any) -> str:
    """What the document does not say of it; empty where it says all."""
    told = operation["responses"].get(str(answer.status_code))
    if told is None:
        return "not described"
    missing = {
        name
        for name, header in told.get("headers", {}).items()
        if header.get("required") and name not in answer.headers
    }
    if missing:
        return f"without {missing}"
    media = told["content"].get(answer.mimetype)
    if media is None:
        return f"not described as {answer.mimetype}"
    if answer.mimetype == "text/html":
        return ""
    said = answer.json if answer.mimetype.endswith("json") else answer.text
    components = build_document(has_others=True)["components"]
    validator = OAS31Validator({**media["schema"], "components": components})
    return "; ".join(error.message for error in validator.iter_errors(said))


def test_what_is_refused_has_the_words_that_are_told_as_examples() -> None:
    """Those that senders and their people look for."""
    said = {
        str(row["value"])
        for _, _, operation in OPERATIONS
        for answer in operation["responses"].values()
        for media in answer["content"].values()
        for row in media.get("examples", {}).values()
        if "value" in row
    }
    for words in ("not found", "invalid url format", "invalid uuid format", "rate limited"):
        assert words in said
    assert any(re.search("Monitor not found or not active", each) for each in said)
