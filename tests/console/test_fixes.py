"""What the page of a refused request offers where a key came in a wrong header."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clock import now
from app.extensions import writing
from app.ingest.service import ingest_service
from app.models import SCOPES, ApiKey
from app.workspaces.api_keys import create_api_key, revoke_api_key
from tests.console.pages import Page, open_page, send_form
from tests.console.test_problem_groups import only_group
from tests.factories import Team, success

MISPLACED: list[dict[str, str]] = [
    {"Api-Key": "{}"},
    {"Authorization": "Bearer{}"},
    {"X-API-Key": "Bearer {}"},
]


@pytest.mark.parametrize("headers", MISPLACED, ids=str)
def test_a_sender_of_a_key_in_a_wrong_header_is_told_to_move_it_and_the_request_can_run(
    owner: FlaskClient, team: Team, headers: dict[str, str]
) -> None:
    path = refuse_misplaced(owner, team.key, headers, team)
    page = open_page(owner, path)
    assert "The sender has to send its key in a header named X-API-Key" in page.text
    assert "put the key n8n-prod alone into a header named X-API-Key" in page.text
    assert "need not do anything" not in page.text and "Make a new key" not in page.text
    assert button(page, "reprocess")["data-variant"] == "outline"
    assert send_form(owner, path, f"{path}/reprocess").status_code == 303


def test_a_group_of_keys_in_a_wrong_header_says_where_they_belong(
    owner: FlaskClient, team: Team
) -> None:
    for _ in range(2):
        path = refuse_misplaced(owner, team.key, MISPLACED[0], team)
    assert button(open_page(owner, path), "reprocess-all")["data-variant"] == "outline"
    page = open_page(owner, only_group(owner))
    assert "put the key n8n-prod alone into a header named X-API-Key" in page.text
    assert button(page, "reprocess")["data-variant"] == "outline"


@pytest.mark.parametrize("flaw", ["scope", "expired", "revoked"])
def test_a_key_in_a_wrong_header_that_would_not_do_anyway_is_to_be_replaced(
    owner: FlaskClient, team: Team, flaw: str
) -> None:
    scopes = ["read"] if flaw == "scope" else SCOPES
    api_key, key = create_api_key(team.workspace_id, "Reporting", scopes)
    path = refuse_misplaced(owner, key, MISPLACED[0], team)
    if flaw == "expired":  # After it came.
        with writing() as session:
            session.execute(update(ApiKey).values(expires_at=now()))
    elif flaw == "revoked":
        revoke_api_key(api_key)
    page = open_page(owner, path)
    assert "Make a new key" in page.text and "The sender needs a key that works." in page.text
    assert "into a header named X-API-Key" not in page.text
    assert send_form(owner, path, f"{path}/reprocess").status_code == 303


def refuse_misplaced(client: FlaskClient, key: str, headers: dict[str, str], team: Team) -> str:
    filled = {name: value.format(key) for name, value in headers.items()}
    path = "/api/v1/ingest/run-success"
    answer = client.post(path, json=success(team), headers=filled)
    assert answer.json["code"] in ("missing_api_key", "malformed_api_key")
    ingest_service().recorder.flush()
    return f"/events/{answer.json['event_id']}"


def button(page: Page, action: str) -> dict[str, str | None]:
    """The attributes of the button of the form that leads there."""
    forms = (
        number
        for number, (tag, values) in enumerate(page.tags)
        if tag == "form" and (values.get("action") or "").endswith(f"/{action}")
    )
    later = page.tags[next(forms) :]
    return next(values for tag, values in later if tag == "button")
