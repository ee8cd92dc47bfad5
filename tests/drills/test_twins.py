"""The same report many times at once: one event for a key, one run for an execution."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import requests

from tests.drills.reckoning import read_all, wait_until_drained
from tests.drills.record import record
from tests.drills.reliability import is_held
from tests.server import LiveServer
from tests.teams import LiveTeam

Body = dict[str, Any]


def send(server: LiveServer, team: LiveTeam, body: Body, key: str | None) -> requests.Response:
    headers = {**team.headers, **({"Idempotency-Key": key} if key else {})}
    return server.post("/api/v1/ingest/run-success", json=body, headers=headers, timeout=60)


def send_at_once(
    server: LiveServer, team: LiveTeam, bodies: list[Body], key: str | None = None
) -> list[requests.Response]:
    """All of them at the same moment, each on a connection of its own."""
    start = Barrier(len(bodies))

    def twin(body: Body) -> requests.Response:
        start.wait(30)
        return send(server, team, body, key)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(twin, bodies))


def send_twins(server: LiveServer, team: LiveTeam, count: int) -> dict[str, int | float]:
    body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z", "duration_ms": 7}
    with_key = send_at_once(server, team, [body] * count, "once")
    told = {**body, "external_execution_id": "e-1"}
    of_execution = send_at_once(server, team, [told] * count)
    other = send(server, team, {**body, "duration_ms": 8}, "once")
    mixed = [
        {**body, "duration_ms": number % 2, "correlation_id": "mixed"} for number in range(count)
    ]
    races = send_at_once(server, team, mixed, "contended")
    wait_until_drained(server, team)
    runs = read_all(server, team, "runs")
    kept = [event for event in read_all(server, team, "events") if event["status"] != "rejected"]
    replayed = [answer for answer in with_key if answer.headers.get("Idempotent-Replayed")]
    assert {answer.status_code for answer in with_key + of_execution} == {202}
    assert len(replayed) == count - 1
    assert {answer.status_code for answer in races} == {202, 422}
    assert len({answer.json()["event_id"] for answer in races if answer.ok}) == 1
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    return {
        "twins": len(with_key),
        "events": len({answer.json()["event_id"] for answer in with_key}),
        "runs": sum(run["external_execution_id"] == "e-1" for run in runs),
        "told": sum(run["event_count"] for run in runs if run["external_execution_id"] == "e-1"),
        "other_body": other.status_code,
        "stored_more": len(kept) - count - 2,
        "runs_more": len(runs) - 3,
        "contended": sum(run["correlation_id"] == "mixed" for run in runs),
    }


def check(found: dict[str, int | float]) -> None:
    count = found.pop("twins")
    assert found == {
        "events": 1,
        "runs": 1,
        "told": count,
        "other_body": 422,
        "stored_more": 0,
        "runs_more": 0,
        "contended": 1,
    }


def test_twenty_twins_are_one(live_server: LiveServer, own_team: LiveTeam) -> None:
    check(send_twins(live_server, own_team, 20))


@pytest.mark.drill("twins")
def test_a_hundred_twins_are_one(
    live_server: LiveServer, own_team: LiveTeam, database_kind: str
) -> None:
    found = send_twins(live_server, own_team, 100)
    record("twins", database_kind, **found)
    assert is_held("twins", found), found
    check(found)
