"""While another program holds the database: who waits, who is told, and what stays."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.console.pages import Page
from tests.main_job.visitors import sign_in
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team


@pytest.fixture(scope="module")
def server(share_server: Callable[..., LiveServer], database_kind: str) -> LiveServer:
    if database_kind != "sqlite":
        pytest.skip("a matter of SQLite, which has one lock for all")
    return share_server(worker=False, WEB_CONCURRENCY="1")


@contextmanager
def locked(server: LiveServer) -> Iterator[None]:
    file = server.database_url.removeprefix("sqlite:///")
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def send(server: LiveServer, team: LiveTeam) -> requests.Response:
    fields = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    return server.post("/api/v1/ingest/run-success", json=fields, headers=team.headers, timeout=30)


def logged(server: LiveServer, team: LiveTeam) -> list[dict[str, Any]]:
    answer = server.get("/api/v1/events", params={"limit": 200}, headers=team.headers)
    events: list[dict[str, Any]] = answer.json()["data"]
    return events


def test_503_means_that_the_event_is_not_kept_and_is_itself_in_the_log(server: LiveServer) -> None:
    team = make_live_team(server)
    with ThreadPoolExecutor(10) as senders:
        with locked(server):
            waiting = [senders.submit(send, server, team) for _ in range(10)]
            answers = [each.result() for each in waiting]
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["code"] for answer in answers} == {"unavailable"}
        assert all(answer.elapsed.total_seconds() < 10 for answer in answers)
    wait_for(lambda: len(logged(server, team)) == 10)
    assert send(server, team).status_code == 202
    wait_for(lambda: len(logged(server, team)) == 11)
    states = sorted(event["status"] for event in logged(server, team))
    assert states[-10:] == ["rejected"] * 10
    assert server.get("/api/v1/runs", headers=team.headers).json()["next_cursor"] is None


def test_a_form_that_waits_for_the_database_holds_up_nobody_else(server: LiveServer) -> None:
    team = make_live_team(server)
    person = sign_in(server, team)
    form = Page(person.get(server.url + "/workflows").text).form("/workflows")
    fields = {**form.fields, "name": "Waits"}
    with ThreadPoolExecutor(1) as pool, locked(server):
        waiting = pool.submit(person.post, server.url + "/workflows", data=fields, timeout=30)
        time.sleep(0.3)
        started = time.monotonic()
        assert server.get("/api/v1/openapi.json").status_code == 200
        assert person.get(server.url + "/workflows", timeout=30).status_code == 200
        assert time.monotonic() - started < 2
        answer = waiting.result()
    assert answer.status_code == 503
    assert "Nothing was saved" in answer.text


def test_forms_that_wait_in_a_queue_are_all_told_in_time(server: LiveServer) -> None:
    """Beside reports, whose commits hold the file lock while they wait for the database's own."""
    team, other = make_live_team(server), make_live_team(server)
    people = [sign_in(server, team) for _ in range(5)]

    def save(person: requests.Session) -> requests.Response:
        form = Page(person.get(server.url + "/workflows").text).form("/workflows")
        data = {**form.fields, "name": "Waits"}
        return person.post(server.url + form.action, data=data, timeout=60)

    with ThreadPoolExecutor(12) as pool, locked(server):
        reports = [pool.submit(send, server, other) for _ in range(5)]
        answers = [each.result() for each in [pool.submit(save, person) for person in people]]
        answers += [each.result() for each in reports]
    assert {answer.status_code for answer in answers} == {503}
    assert max(answer.elapsed.total_seconds() for answer in answers) < 10
