"""One hour of Load L: memory and file descriptors stay where they were after the first minutes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.databases import PostgresDatabases
from tests.drills.load import Load
from tests.drills.marks import MORE_DESCRIPTORS
from tests.drills.reckoning import reconcile, wait_until_drained
from tests.drills.record import Figure, record
from tests.drills.reliability import is_held
from tests.drills.usage import Usage
from tests.postgres import PostgresCluster
from tests.server import SupervisedServer
from tests.teams import make_live_team

HOUR = 3_600.0
MINUTE = 60.0


@contextmanager
def server_on_disk(kind: str, folder: Path) -> Iterator[SupervisedServer]:
    """Everything under supervisord, its database on the disk, every commit synced."""
    if kind == "sqlite":
        with SupervisedServer(folder, FLOWPULSE_RATE_LIMIT="200") as server:
            yield server
        return
    cluster = PostgresCluster(durable=True)
    url = PostgresDatabases(cluster).create()
    try:
        with SupervisedServer(folder, url, FLOWPULSE_RATE_LIMIT="200") as server:
            yield server
    finally:
        cluster.stop()


def hold_load(
    server: SupervisedServer, seconds: float, window: float, every: float
) -> dict[str, Figure]:
    """Load L for so long; what was used in the second `window` of it, and in the last one.

    The first one warms up: connections are opened, pages of memory are written for the first time.
    """
    team = make_live_team(server)
    with Usage(server, every) as usage, Load(server, team) as load:
        began = time.monotonic()
        time.sleep(seconds)
        ended = time.monotonic()
    for sample in usage.samples:
        print(f"{sample.at - began:.0f} s: {sample.mb:.1f} MB, {sample.descriptors} descriptors")
    early, late = (began + window, began + 2 * window), (ended - window, ended)
    others = {str(status): n for status, n in load.statuses().items() if status != 202}
    reckoning = reconcile(server, team, load, lambda *them: wait_until_drained(*them, seconds=300))
    return {
        **reckoning.figures,
        "others": " ".join(f"{status}: {count}" for status, count in others.items()),
        "minutes": round((ended - began) / MINUTE, 2),
        "rate": round(load.rate, 1),
        "before_mb": usage.median_mb(*early),
        "after_mb": usage.median_mb(*late),
        "growth_percent": (usage.median_mb(*late) / usage.median_mb(*early) - 1) * 100,
        "before_descriptors": usage.median_descriptors(*early),
        "after_descriptors": usage.median_descriptors(*late),
        "p99_ms": load.percentile(0.99) * 1000,
    }


def expect_flat(found: dict[str, Figure], growth_percent: float) -> None:
    assert (found["lost"], found["doubled"], found["others"]) == (0, 0, "")
    assert float(found["growth_percent"]) <= growth_percent
    most = float(found["before_descriptors"]) + MORE_DESCRIPTORS
    assert float(found["after_descriptors"]) <= most


@pytest.mark.once
def test_a_moment_of_load_leaves_memory_and_descriptors_as_they_were(
    database_kind: str, tmp_path: Path
) -> None:
    with server_on_disk(database_kind, tmp_path) as server:
        found = hold_load(server, 9.0, 3.0, 0.5)
    expect_flat(found, growth_percent=30.0)


@pytest.mark.drill("load_for_an_hour")
@pytest.mark.timeout(6_000)
def test_an_hour_of_load_leaves_memory_and_descriptors_as_they_were(
    database_kind: str, tmp_path: Path
) -> None:
    with server_on_disk(database_kind, tmp_path) as server:
        found = hold_load(server, HOUR, 5 * MINUTE, 10.0)
    record("load_for_an_hour", database_kind, **found)
    assert is_held("load_for_an_hour", found), found
