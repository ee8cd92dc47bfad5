"""Refused tries on the connect page: those of others are many, and hide none of one's own."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.console.refused_tries import LOOKED_AT
from app.workspaces.workflows import create_workflow
from tests.console.pages import Page
from tests.console.refusals import store_refusals
from tests.console.test_connect import (
    WRONG_KEY,
    create_key,
    listen,
    listen_address,
    next_address,
    settle,
)
from tests.factories import Team, report, success

MANY = 2 * LOOKED_AT
FLOODS: dict[str, dict[str, Any]] = {
    "with unknown keys": {
        "workspace_id": None,
        "api_key_id": None,
        "code": "unknown_api_key",
        "errors": None,
        "body": b'{"workflow_slug": "of-a-stranger"}',
    },
    "without sense": {
        "workspace_id": None,
        "api_key_id": None,
        "code": "bad_request",
        "errors": None,
        "body": b"\x16\x03\x01",
    },
    "of another workflow": {"reference": "invoice-sync"},
    "of a workflow that is not there": {"reference": "gone", "code": "workflow_not_found"},
    "of another key": {"code": "revoked_api_key", "errors": None},
}


def flood(team: Team, kind: str) -> None:
    """Of many details, as each is a line of the page by itself."""
    for number in range(10):
        store_refusals(team, MANY // 10, detail=f"For reason {number}.", **FLOODS[kind])


@pytest.mark.parametrize("kind", FLOODS)
def test_many_refusals_of_others_hide_no_try_of_the_workflow(
    owner: FlaskClient, team: Team, kind: str
) -> None:
    create_workflow(team.workspace_id, "Invoice sync")
    address = listen_address(owner, settle(owner, team, key="own"))
    report(owner, team, ended_at="yesterday")
    heard = listen(owner, address)
    assert "yesterday" in heard.text
    flood(team, kind)
    again = listen(owner, address)
    assert "yesterday" in again.text
    assert Page(again.text).text.count("Refused: ") <= 5


@pytest.mark.parametrize("kind", FLOODS)
def test_many_refusals_of_others_hide_no_try_with_a_wrong_key(
    owner: FlaskClient, team: Team, kind: str
) -> None:
    create_workflow(team.workspace_id, "Invoice sync")
    answer, _ = create_key(owner, team, settle(owner, team))
    body = json.dumps(success(team))
    owner.post("/api/v1/ingest/run-success", data=body, headers={"X-API-Key": WRONG_KEY})
    address = next_address(answer)
    assert "The API key is mistyped" in listen(owner, address).text
    flood(team, kind)
    assert "The API key is mistyped" in listen(owner, address).text


def test_a_try_that_is_shown_stays_however_many_come_behind_it(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.refused_tries.LOOKED_THROUGH", 10)
    address = listen_address(owner, settle(owner, team, key="own"))
    body = json.dumps(success(team))
    owner.post("/api/v1/ingest/run-success", data=body, headers={"X-API-Key": WRONG_KEY})
    heard = listen(owner, address)
    flood(team, "with unknown keys")
    again = listen(owner, next_address(heard))
    assert again.status_code == 204, "Nothing new, and nothing gone"
