"""A key in a wrong place opens nothing: the answer names the place, and its people see it."""

import base64
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import undefer

from app.extensions import db
from app.ingest.misplaced_keys import find_misplaced_key
from app.ingest.service import ingest_service
from app.keys import make_key
from app.models import ApiKey, Event
from app.problems import PROBLEMS
from app.workspaces.api_keys import revoke_api_key
from tests.console.pages import open_page
from tests.factories import Team, make_team, success
from tests.sessions import make_client

SUCCESS = "/api/v1/ingest/run-success"
NOT_BEARER = "in the header Authorization without Bearer before it;"
MORE = "with something around it;"
Place = tuple[str, dict[str, str], str, str]


@pytest.fixture
def team(app: Flask) -> Team:
    """Not of the server's owner."""
    make_team()
    return make_team("Elsewhere", first=False)


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PLACES: list[Place] = [
    # Query, headers ({} is the key), code, what the answer says.
    ("", {"Api-Key": "{}"}, "missing_api_key", "in the header Api-Key;"),
    ("", {"apikey": " {} "}, "missing_api_key", "in the header Apikey;"),
    ("", {"X-Api-Token": "{}"}, "missing_api_key", "in the header X-Api-Token;"),
    ("", {"Authorization": "{}"}, "missing_api_key", NOT_BEARER),
    ("", {"Authorization": "Token {}"}, "missing_api_key", NOT_BEARER),
    ("", {"Authorization": "basic {base64}"}, "missing_api_key", NOT_BEARER),
    ("", {"Authorization": "Bearer{}"}, "malformed_api_key", f"in the header Authorization {MORE}"),
    ("", {"Authorization": 'Bearer "{}"'}, "malformed_api_key", MORE),
    ("", {"X-API-Key": "Bearer {}"}, "malformed_api_key", f"in the header X-API-Key {MORE}"),
    ("", {"X-API-Key": "$KEY", "Key": "{}"}, "malformed_api_key", "in the header Key;"),
    ("", {"X-API-Key": "", "Key": "{}"}, "missing_api_key", "in the header Key;"),
    ("?api_key={}", {}, "missing_api_key", "in the URL, as api_key;"),
    ("?a=1&%61=x&x=fp%5F{tail}", {}, "missing_api_key", "in the URL, as x;"),
    ("?{}", {}, "missing_api_key", "in the URL;"),
]


def send(client: FlaskClient, place: Place, key: str, team: Team) -> Any:
    query, headers, _, _ = place
    words = {"tail": key[3:], "base64": encode(f"{key}:")}
    filled = {name: value.format(key, **words) for name, value in headers.items()}
    return client.post(SUCCESS + query.format(key, **words), json=success(team), headers=filled)


def last_logged() -> Event:
    ingest_service().recorder.flush()
    db.session.rollback()
    newest = select(Event).options(undefer("*")).order_by(Event.id.desc()).limit(1)
    event = db.session.scalar(newest)
    assert event is not None
    return event


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[0] + str(place[1]))
def test_the_answer_names_the_place_and_its_people_see_it(
    app: Flask, client: FlaskClient, team: Team, place: Place
) -> None:
    answer = send(client, place, team.key, team)
    assert (answer.status_code, answer.json["code"]) == (401, place[2])
    assert answer.json["detail"].startswith("You sent a key in the ")
    assert place[3] in answer.json["detail"]
    assert "X-API-Key" in answer.json["detail"]
    assert team.key[3:14] not in answer.text
    event = last_logged()
    assert (event.public_id, event.code) == (answer.json["event_id"], place[2])
    assert (event.workspace_id, event.api_key_id) == (team.workspace_id, team.api_key_id)
    assert team.key[11:] not in repr([event.path, event.headers, event.detail])
    page = open_page(make_client(app, team.email), f"/events/{event.public_id}")
    assert answer.json["detail"] in page.text
    assert "It is the key n8n-prod of this workspace." in page.text
    assert ("Make a new key" in page.text) == bool(place[0])


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[0] + str(place[1]))
def test_the_answer_does_not_tell_whether_the_key_is_good(
    client: FlaskClient, team: Team, place: Place
) -> None:
    revoked = db.session.get(ApiKey, team.api_key_id)
    assert revoked is not None
    answers = [send(client, place, key, team) for key in (team.key, make_key())]
    revoke_api_key(revoked)
    answers.append(send(client, place, team.key, team))
    told = [
        {name: value for name, value in each.json.items() if name not in ("event_id", "inspect")}
        for each in answers
    ]
    assert told[0] == told[1] == told[2]
    assert len({frozenset(each.headers.keys()) for each in answers}) == 1


def test_a_revoked_key_in_a_wrong_place_belongs_to_its_workspace_too(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    api_key = db.session.get(ApiKey, team.api_key_id)
    assert api_key is not None
    revoke_api_key(api_key)
    send(client, PLACES[0], team.key, team)
    event = last_logged()
    assert (event.code, event.workspace_id) == ("missing_api_key", team.workspace_id)
    page = open_page(make_client(app, team.email), f"/events/{event.public_id}")
    assert "It is the key n8n-prod of this workspace, which is revoked." in page.text


def test_an_unknown_key_in_a_wrong_place_belongs_to_nobody(client: FlaskClient, team: Team) -> None:
    send(client, PLACES[0], make_key(), team)
    event = last_logged()
    assert (event.code, event.workspace_id, event.api_key_id) == ("missing_api_key", None, None)


def test_without_any_key_the_row_of_the_table_is_told(client: FlaskClient, team: Team) -> None:
    headers = {"Api-Key": "secret", "Authorization": "Basic %%%", "X-Id": "fp_short"}
    answer = client.post(f"{SUCCESS}?api_key=secret", json=success(team), headers=headers)
    assert answer.json["detail"] == PROBLEMS["missing_api_key"].fix
    assert last_logged().workspace_id is None


def test_beside_a_key_in_its_right_place_none_is_looked_for(
    client: FlaskClient, team: Team
) -> None:
    headers = {"X-API-Key": make_key(), "Api-Key": team.key}
    answer = client.post(SUCCESS, json=success(team), headers=headers)
    assert answer.json["detail"] == PROBLEMS["unauthorized"].fix
    event = last_logged()
    assert (event.code, event.workspace_id) == ("unknown_api_key", None)


def test_keys_in_wrong_places_count_as_bad_ones(client: FlaskClient, team: Team) -> None:
    for _ in range(30):
        assert send(client, PLACES[0], make_key(), team).status_code == 401
    assert send(client, PLACES[0], make_key(), team).status_code == 429
    assert send(client, PLACES[0], team.key, team).status_code == 429
    assert client.post(SUCCESS, json=success(team)).status_code == 401
    good = client.post(SUCCESS, json=success(team), headers=team.headers)
    assert good.status_code == 202


def test_a_key_in_a_cookie_is_found_too() -> None:
    found = find_misplaced_key({"HTTP_COOKIE": f"a=b; key={(key := make_key())}"})
    assert found is not None
    assert found.key == key and "in the header Cookie;" in found.words


def test_the_reading_api_names_the_place_too(client: FlaskClient, team: Team) -> None:
    answer = client.get(f"/api/v1/runs?api_key={team.key}")
    assert "in the URL, as api_key;" in answer.json["detail"]
