"""PostgreSQL goes down, ends all connections, or takes no more of them: told, and nothing lost."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.databases import PostgresDatabases
from tests.drills.load import RATE, Load
from tests.drills.marks import AMOUNTS, AWAY_TOLD, FEWEST_BETWEEN
from tests.drills.reckoning import reconcile
from tests.drills.record import record
from tests.drills.reliability import is_held
from tests.drills.visitors import Visitors
from tests.postgres import PostgresCluster
from tests.server import LiveServer
from tests.teams import make_live_team

PATIENCE_SECONDS = 60
MAX_CONNECTIONS = 50
OURS = "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'test_%'"
"""The connections to the servers' databases; the drill's own ones are to `postgres`."""

Fault = Callable[[PostgresCluster, float], None]


def stop_and_start(cluster: PostgresCluster, seconds: float) -> None:
    cluster.go_down()
    time.sleep(seconds)
    cluster.come_back()


def end_all_connections(cluster: PostgresCluster, seconds: float) -> None:
    """Once; `seconds` plays no part."""
    with cluster.connect() as connection:
        _end_ours(connection)


def take_all_connections(cluster: PostgresCluster, seconds: float) -> None:
    """First those that are free, then those of ours, whose connections are ended; all of them are
    held for a while."""
    with cluster.connect() as admin, ExitStack() as held:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            _take_free(cluster, held)
            if _count_ours(admin) == 0:
                break
            assert time.monotonic() < deadline
            _end_ours(admin)
        time.sleep(seconds)


def _take_free(cluster: PostgresCluster, held: ExitStack) -> None:
    while True:
        try:
            held.enter_context(closing(cluster.connect()))
        except psycopg.OperationalError:
            return


def _count_ours(admin: psycopg.Connection[tuple[object, ...]]) -> int:
    return len(admin.execute(OURS).fetchall())


def _end_ours(admin: psycopg.Connection[tuple[object, ...]]) -> None:
    admin.execute(f"SELECT pg_terminate_backend(pid) FROM ({OURS}) AS ours")


def list_processes(server: LiveServer) -> set[psutil.Process]:
    """Web's and the worker's; equal if they are the same ones."""
    parents = [psutil.Process(each.pid) for each in server.processes.values()]
    return {*parents, *(child for each in parents for child in each.children())}


def break_and_mend(
    server: LiveServer,
    cluster: PostgresCluster,
    fault: Fault,
    times: int,
    seconds: float,
    rate: float = RATE,
) -> dict[str, int | float]:
    team, before = make_live_team(server), list_processes(server)
    backs, counts = [], []
    with (
        Load(server, team, rate=rate) as load,
        Visitors(server, team, readers=2, savers=1) as visitors,
    ):
        for _ in range(times):
            accepted = len(load.accepted)
            load.wait_for_accepted(FEWEST_BETWEEN, PATIENCE_SECONDS)
            counts.append(len(load.accepted) - accepted)
            fault(cluster, seconds)
            backs.append(load.seconds_to_202(time.monotonic(), PATIENCE_SECONDS))
        load.wait_for_accepted(FEWEST_BETWEEN, PATIENCE_SECONDS)
    return {
        "times": len(backs),
        "between": min(counts),
        "restarted": len(before ^ list_processes(server)),
        "back_s": round(max(backs), 2),
        "rate": round(load.rate, 1),
        **count_answers(load, visitors),
        **reconcile(server, team, load).figures,
    }


def count_answers(load: Load, visitors: Visitors) -> dict[str, int | float]:
    refused = [each for each in load.answers if each.status == 503]
    statuses, seen = load.statuses(), visitors.statuses()
    return {
        "refused": len(refused),
        "without_retry_after": sum(not each.retry_after for each in refused),
        "others": statuses.total() - statuses[202] - statuses[503],
        "longest_s": round(max(each.seconds for each in load.answers), 2),
        "pages_others": seen.total() - seen[200] - seen[303] - seen[503],
        "pages_longest_s": round(visitors.longest(), 2),
    }


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresCluster]:
    cluster = PostgresCluster(durable=True, max_connections=str(MAX_CONNECTIONS))
    yield cluster
    cluster.stop()


@pytest.fixture
def server(cluster: PostgresCluster, tmp_path: Path) -> Iterator[LiveServer]:
    url = PostgresDatabases(cluster).create()
    with LiveServer(tmp_path, url, is_migrated=True) as server:
        yield server


FAULTS: dict[str, tuple[Fault, float]] = {
    "postgres_stopped": (stop_and_start, 30),
    "postgres_connections_ended": (end_all_connections, 0),
    "postgres_full": (take_all_connections, 10),
}
"""By the drill's name: what happens, and for how many seconds."""


@pytest.mark.timeout(240)
def test_each_fault_once_is_told_and_loses_nothing(
    server: LiveServer, cluster: PostgresCluster
) -> None:
    def each_once(cluster: PostgresCluster, seconds: float) -> None:
        faults.pop()(cluster, seconds)

    faults = [fault for fault, _ in FAULTS.values()]
    found = break_and_mend(server, cluster, each_once, len(faults), 3, rate=30)
    assert AWAY_TOLD(found), found


@pytest.mark.drill("{name}")
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("name", FAULTS)
def test_fault_after_fault_is_told_and_loses_nothing(
    server: LiveServer, cluster: PostgresCluster, name: str
) -> None:
    fault, seconds = FAULTS[name]
    found = break_and_mend(server, cluster, fault, AMOUNTS[name]["times"], seconds)
    record(name, "postgresql", **found)
    assert is_held(name, found), found
