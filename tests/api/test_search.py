"""The lists by what no index answers: in windows, within a time, and each row once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.api import search
from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Event, Run
from tests.factories import Team, accepted_row, make_team, run_row

ROWS = 60
RARE = 7
"""The row, of those from the oldest, that is unlike all others."""


@pytest.fixture
def team(app: Flask) -> Team:
    """With events and runs, of which the oldest ones are a day old and one is rare."""
    team = make_team()
    events, runs = zip(*(make_rows(team, number) for number in range(ROWS)), strict=True)
    with writing() as session:
        session.execute(insert(Run.__table__), runs)  # type: ignore[arg-type]
        session.execute(insert(Event.__table__), events)  # type: ignore[arg-type]
    return team


def make_rows(team: Team, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    at = now() - timedelta(days=1) + timedelta(minutes=number)
    is_rare = number == RARE
    event = accepted_row(
        at,
        id=number + 1,
        public_id=new_id(),
        workspace_id=team.workspace_id,
        workflow_id=team.workflow_id,
        state="failed" if is_rare else "processed",
        next_attempt_at=None,
    )
    run = run_row(
        team,
        at,
        id=number + 1,
        public_id=new_id(),
        outcome="failure" if is_rare else "success",
        external_execution_id=f"run-{number}",
        correlation_id="rare" if is_rare else "common",
        error_group="rare" if is_rare else None,
        source_platform="make" if is_rare else "n8n",
    )
    return event, run


@pytest.fixture
def in_small_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A search looks at a few rows and has no time for more."""
    monkeypatch.setattr(search, "FIRST_WINDOW", 5)
    monkeypatch.setattr(search, "next_size", lambda size, seconds: size)
    monkeypatch.setattr(search, "SECONDS", 0.0)
    yield


def read(client: FlaskClient, team: Team, path: str, **query: Any) -> list[Any]:
    """The pages of a list, up to the last."""
    pages: list[Any] = []
    while not pages or pages[-1]["next_cursor"]:
        more = {"cursor": pages[-1]["next_cursor"]} if pages else {}
        answer = client.get(f"/api/v1/{path}", query_string=query | more, headers=team.headers)
        assert answer.status_code == 200
        pages.append(answer.json)
        assert len(pages) <= ROWS
    return pages


def ids_of(pages: list[Any], name: str) -> list[str]:
    return [row[name] for page in pages for row in page["data"]]


@pytest.mark.usefixtures("in_small_steps")
def test_a_search_that_runs_out_of_time_goes_on_with_its_cursor(
    client: FlaskClient, team: Team
) -> None:
    pages = read(client, team, "runs", platform="make")
    assert len(pages) > 2
    assert pages[0]["data"] == []
    assert len(ids_of(pages, "id")) == 1


@pytest.mark.usefixtures("in_small_steps")
@pytest.mark.parametrize(
    "query",
    [
        {"outcome": "failure"},
        {"external_execution_id": f"run-{RARE}"},
        {"correlation_id": "rare"},
        {"error_group": "rare"},
    ],
)
def test_what_an_index_leads_to_is_found_on_the_first_page(
    client: FlaskClient, team: Team, query: dict[str, str]
) -> None:
    (page,) = read(client, team, "runs", **query)
    assert [row["external_execution_id"] for row in page["data"]] == [f"run-{RARE}"]


@pytest.mark.usefixtures("in_small_steps")
def test_a_failed_event_and_a_time_long_ago_are_found_on_the_first_page(
    client: FlaskClient, team: Team
) -> None:
    (failed,) = read(client, team, "events", status="failed")
    assert len(failed["data"]) == 1
    began = now() - timedelta(days=1, minutes=1)
    span = {"since": began.isoformat(), "until": (began + timedelta(minutes=4.5)).isoformat()}
    for path in ("events", "runs"):
        (page,) = read(client, team, path, **span)
        assert len(page["data"]) == 4, path
        (none,) = read(client, team, path, until="2000-01-01T00:00:00Z")
        assert none["data"] == []


@pytest.mark.usefixtures("in_small_steps")
@pytest.mark.parametrize("limit", [1, 7, 200])
@pytest.mark.parametrize(
    ("path", "name", "query"),
    [
        ("events", "event_id", {"status": "processed"}),
        ("runs", "id", {"platform": "n8n"}),
        ("runs", "id", {"outcome": "success", "since": "2026-01-01T00:00:00Z"}),
    ],
)
def test_the_pages_of_a_search_hold_each_row_once_newest_first(
    client: FlaskClient,
    team: Team,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    path: str,
    name: str,
    query: dict[str, str],
) -> None:
    monkeypatch.setattr(search, "FEW", 0)
    found = ids_of(read(client, team, path, limit=limit, **query), name)
    assert len(found) == len(set(found)) == ROWS - 1
    monkeypatch.undo()
    assert found == ids_of(read(client, team, path, **query), name)


def test_another_workspace_finds_none_of_it(client: FlaskClient, team: Team) -> None:
    other = make_team(first=False)
    for path in ("events", "runs"):
        (page,) = read(client, other, path, since="2000-01-01T00:00:00Z")
        assert page["data"] == []
    db.session.rollback()
