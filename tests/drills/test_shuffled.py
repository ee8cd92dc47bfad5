"""Reports in any order, each sent twice, come to the same runs and sums as once and in order."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import select

from app.extensions import db
from app.models import Rollup, Workflow
from tests.apps import close_app, make_app
from tests.drills.reckoning import read_all, wait_until_drained
from tests.drills.record import record
from tests.drills.reliability import is_held
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team

SENDERS = 8
BEGIN = datetime(2026, 1, 15, tzinfo=UTC)
SAME = (
    "outcome",
    "previous_outcome",
    "started_at",
    "ended_at",
    "duration_ms",
    "source_platform",
    "source_workflow_id",
    "correlation_id",
    "error_type",
    "error_message",
    "error_group",
    "metadata",
)
"""Of a run, all that its events say; how many they were, and when, differs."""

Report = tuple[str, dict[str, Any]]


def make_reports(count: int, seed: int) -> list[Report]:
    """Four or so of an execution, over five days; two and two end at the same moment, one of them
    in failure; some only tell a start."""
    chance, reports = random.Random(seed), []
    executions = [f"e-{number}" for number in range(max(count // 4, 1))]
    for number in range(count):
        execution = chance.choice(executions)
        if chance.random() < 0.1:
            # The same start, however often it is told.
            started_at = BEGIN + timedelta(minutes=executions.index(execution))
            fields = {"external_execution_id": execution, "started_at": started_at.isoformat()}
            reports.append(("start", fields))
            continue
        ended_at = BEGIN + timedelta(seconds=5 * 86_400 * (number // 2) / count)
        fields = {"external_execution_id": execution, "ended_at": ended_at.isoformat()}
        if chance.random() < 0.7:
            fields["duration_ms"] = chance.randrange(100_000) / 8
        if chance.random() < 0.3:
            fields["metadata"] = {"number": number}
        for name in ("source_platform", "source_workflow_id", "correlation_id"):
            if chance.random() < 0.4:
                fields[name] = f"{name}-{number}"
        kind = "success" if number % 2 else "failure"
        if kind == "failure":
            fields |= {"error_type": f"Error{number % 7}", "error_message": f"boom at {number}"}
        reports.append((kind, fields))
    return reports


def send_all(server: LiveServer, team: LiveTeam, reports: list[Report], senders: int) -> None:
    """By so many senders at once, each of which sends its part in order."""

    def send(part: list[Report]) -> None:
        with requests.Session() as session:
            for kind, fields in part:
                answer = session.post(
                    f"{server.url}/api/v1/ingest/run-{kind}",
                    json={"workflow_slug": team.slug, **fields},
                    headers=team.headers,
                    timeout=60,
                )
                assert answer.status_code == 202, answer.text

    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(send, [reports[number::senders] for number in range(senders)]))


def read_runs(server: LiveServer, team: LiveTeam) -> dict[str, dict[str, Any]]:
    runs = read_all(server, team, "runs")
    told = {run["external_execution_id"]: {name: run[name] for name in SAME} for run in runs}
    assert len(told) == len(runs)
    return told


def read_sums(server: LiveServer, team: LiveTeam) -> dict[tuple[str, datetime], tuple[Any, ...]]:
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        own = select(Workflow.id).where(Workflow.public_id == team.workflow_id).scalar_subquery()
        sums = {
            (row.period, row.starts_at): (
                row.success_count,
                row.failure_count,
                row.timed_count,
                round(row.duration_sum_ms, 3),
                row.sketch or b"",
            )
            for row in db.session.scalars(select(Rollup).where(Rollup.workflow_id == own))
            if row.success_count or row.failure_count
        }
        db.session.rollback()
    close_app(app)
    return sums


def send_shuffled_twice(server: LiveServer, count: int, seed: int) -> dict[str, int | float]:
    """One team reports once and in order, another one shuffled and twice."""
    orderly, hasty, reports = (
        make_live_team(server),
        make_live_team(server),
        make_reports(count, seed),
    )
    send_all(server, orderly, reports, senders=1)
    twice = reports * 2
    random.Random(seed).shuffle(twice)
    began = time.monotonic()
    send_all(server, hasty, twice, SENDERS)
    for team in (orderly, hasty):
        wait_until_drained(server, team, 300)
    wanted, found = read_runs(server, orderly), read_runs(server, hasty)
    sums, others = read_sums(server, orderly), read_sums(server, hasty)
    return {
        "events": len(twice),
        "runs": len(wanted),
        "runs_differ": sum(found.get(name) != run for name, run in wanted.items())
        + len(found.keys() - wanted.keys()),
        "sums": len(sums),
        "sums_differ": sum(others.get(key) != row for key, row in sums.items())
        + len(others.keys() - sums.keys()),
        "seconds": round(time.monotonic() - began, 1),
    }


def check(found: dict[str, int | float]) -> None:
    assert found["runs"] and found["sums"]
    assert (found["runs_differ"], found["sums_differ"]) == (0, 0)


def test_two_hundred_shuffled_and_sent_twice_come_to_the_same(live_server: LiveServer) -> None:
    check(send_shuffled_twice(live_server, 200, seed=1))


@pytest.mark.drill("shuffled")
@pytest.mark.timeout(1_800)
def test_ten_thousand_shuffled_and_sent_twice_come_to_the_same(
    live_server: LiveServer, database_kind: str
) -> None:
    found = send_shuffled_twice(live_server, 10_000, seed=2)
    record("shuffled", database_kind, **found)
    check(found)
    assert is_held("shuffled", found), found
