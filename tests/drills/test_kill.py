"""kill -9 at any moment: no event that was answered with 202 is lost, and none counts twice."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import requests

from app.extensions import db
from tests.apps import close_app, make_app
from tests.processing.sums import sums_from_rollups, sums_from_runs
from tests.server import LiveServer, SupervisedServer, answers, wait_for
from tests.teams import LiveTeam, make_live_team
from tests.together import Meanwhile


class Load(Meanwhile):
    """Clients that send mixed events and note every 202."""

    def __init__(self, server: LiveServer, team: LiveTeam, clients: int = 8) -> None:
        super().__init__(partial(self._send, number) for number in range(clients))
        self._server = server
        self._team = team
        self.accepted: dict[str, str] = {}

    def _send(self, client: int) -> None:
        chance, number = random.Random(client), 0
        while not self.is_over.is_set():
            number += 1
            execution, kind = f"{client}-{number}", chance.choice(["success", "failure"])
            fields = {
                "workflow_slug": self._team.slug,
                "ended_at": "2026-01-15T09:31:00Z",
                "external_execution_id": execution,
                "duration_ms": number,
                **({"error_message": "boom"} if kind == "failure" else {}),
            }
            try:
                answer = self._server.post(
                    f"/api/v1/ingest/run-{kind}", json=fields, headers=self._team.headers
                )
            except requests.RequestException:
                time.sleep(0.1)
                continue
            if answer.status_code == 202:
                self.accepted[answer.json()["event_id"]] = execution
            time.sleep(0.05)


def fetch(server: LiveServer, team: LiveTeam, path: str, **query: Any) -> Any:
    """Ask again while the killed part is still on its way back."""

    def ask() -> Any:
        try:
            answer = server.get(f"/api/v1/{path}", params=query, headers=team.headers)
        except requests.RequestException:
            return None
        return answer.json() if answer.status_code == 200 else None

    return wait_for(ask, seconds=30, pause=0.2)


def read_all(server: LiveServer, team: LiveTeam, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"limit": 200, **({"cursor": cursor} if cursor else {})}
        page = fetch(server, team, path, **query)
        rows += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


def reconcile(server: LiveServer, team: LiveTeam, accepted: dict[str, str]) -> None:
    """Every recorded event is there once, processed, each execution has one run, and sums agree."""

    def is_drained() -> bool:
        waiting = fetch(server, team, "events", status="accepted", limit=1)
        return bool(waiting["data"] == [])

    wait_for(is_drained, seconds=60, pause=0.2)
    events = {event["event_id"]: event for event in read_all(server, team, "events")}
    lost = [event_id for event_id in accepted if event_id not in events]
    assert lost == []
    assert {event["status"] for event in events.values()} == {"processed"}
    executions = [run["external_execution_id"] for run in read_all(server, team, "runs")]
    assert len(executions) == len(set(executions))
    assert set(executions) >= set(accepted.values())
    assert sum(run["event_count"] for run in read_all(server, team, "runs")) == len(events)
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        assert sums_from_rollups() == sums_from_runs()
        db.session.rollback()
    close_app(app)


def kill_and_reconcile(
    make_server: Callable[..., LiveServer], kills: Sequence[Callable[[SupervisedServer], None]]
) -> SupervisedServer:
    server = make_server(SupervisedServer)
    assert isinstance(server, SupervisedServer)
    team = make_live_team(server)
    with Load(server, team) as load:
        for number, kill in enumerate(kills):
            before = len(load.accepted)
            wait_for(lambda before=before: len(load.accepted) > before, seconds=20)
            time.sleep(random.Random(number).random() * 0.4)
            kill(server)
    assert len(load.accepted) > len(kills)
    reconcile(server, team, load.accepted)
    print(f"{len(kills)} kills, {len(load.accepted)} events answered with 202: all there, once")
    return server


def kill_web_process(server: SupervisedServer) -> None:
    wait_for(server.web_pids, seconds=20)
    victim = random.choice(server.web_pids())
    _kill(victim)


def kill_web_master(server: SupervisedServer) -> None:
    wait_for(lambda: server.child("gunicorn"), seconds=20)
    server.kill_web_master()


def kill_worker(server: SupervisedServer) -> None:
    wait_for(lambda: server.child("worker"), seconds=20)
    server.kill_worker()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


KILLS = {"web process": kill_web_process, "web master": kill_web_master, "worker": kill_worker}


def test_a_kill_of_each_loses_and_doubles_nothing(
    make_server: Callable[..., LiveServer],
) -> None:
    """The killed master's processes let go of the port; the next one has as many of its own."""
    server = kill_and_reconcile(make_server, list(KILLS.values()))
    wait_for(lambda: len(server.web_pids()) == 2 and answers(server.url), seconds=15)


@pytest.mark.drill
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS.keys())
def test_fifty_kills_lose_and_double_nothing(
    make_server: Callable[..., LiveServer], kill: Callable[[SupervisedServer], None]
) -> None:
    kill_and_reconcile(make_server, [kill] * 50)
