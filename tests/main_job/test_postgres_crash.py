"""PostgreSQL dies right after the answers: what was answered with 202 is there when it is back."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.databases import PostgresDatabases
from tests.postgres import SUPERUSER, PostgresCluster
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

ANSWERS = 30
# Nothing gets to the disk by itself within the test: what is there, the application had synced.
LAZY = ("synchronous_commit = 'off'", "wal_writer_delay = '10s'")


@pytest.fixture
def cluster() -> Iterator[PostgresCluster]:
    cluster = PostgresCluster(durable=True)
    yield cluster
    cluster.stop()


def make_lazy(cluster: PostgresCluster) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=cluster.port, user=SUPERUSER, dbname="postgres", autocommit=True
    ) as connection:
        for setting in LAZY:
            connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        connection.execute("SELECT pg_reload_conf()")


def post(server: LiveServer, team: LiveTeam) -> int:
    fields = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    return server.post("/api/v1/ingest/run-success", json=fields, headers=team.headers).status_code


def count_events(server: LiveServer, team: LiveTeam) -> int | None:
    answer = server.get("/api/v1/events", params={"limit": 200}, headers=team.headers)
    if answer.status_code != 200:
        return None
    return sum(event["status"] == "accepted" for event in answer.json()["data"])


def test_what_was_answered_outlives_a_crash_of_postgresql(
    cluster: PostgresCluster, tmp_path: Path
) -> None:
    url = PostgresDatabases(cluster).create()
    with LiveServer(tmp_path, url, worker=False, is_migrated=True) as server:
        team = make_live_team(server)
        make_lazy(cluster)
        assert [post(server, team) for _ in range(ANSWERS)] == [202] * ANSWERS
        cluster.crash()
        assert wait_for(lambda: count_events(server, team), seconds=20) == ANSWERS
