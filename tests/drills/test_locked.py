"""Another process holds SQLite's write lock: short waits are borne, longer ones are told."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.drills.load import Load
from tests.drills.marks import BORNE, FEWEST_BETWEEN, TOLD
from tests.drills.reckoning import reconcile
from tests.drills.record import record
from tests.drills.visitors import Visitors
from tests.server import LiveServer
from tests.teams import make_live_team

PATIENCE_SECONDS = 60
BESIDE = 2 * FEWEST_BETWEEN
"""Accepted before the lock, and after it."""
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


@contextmanager
def locked(server: LiveServer) -> Iterator[None]:
    """A process of its own, so that no lock of this one can be mistaken for it."""
    file = server.database_url.removeprefix("sqlite:///")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.communicate("over\n", timeout=10)


def lock_under_load(
    make_server: Callable[..., LiveServer], seconds: float
) -> dict[str, int | float]:
    server = make_server()
    team = make_live_team(server)
    with Load(server, team) as load, Visitors(server, team) as visitors:
        load.wait_for_accepted(BESIDE, PATIENCE_SECONDS)
        before = len(load.accepted)
        with locked(server):
            time.sleep(seconds)
        back = load.seconds_to_202(time.monotonic(), PATIENCE_SECONDS)
        since = len(load.accepted)
        load.wait_for_accepted(BESIDE, PATIENCE_SECONDS)
        between = min(before, len(load.accepted) - since)
    reckoning = reconcile(server, team, load)
    refused = [each for each in load.answers if each.status == 503]
    statuses, seen = load.statuses(), visitors.statuses()
    return {
        **reckoning.figures,
        "between": between,
        "refused": len(refused),
        "without_retry_after": sum(not each.retry_after for each in refused),
        "others": statuses.total() - statuses[202] - statuses[503],
        "longest_s": round(max(each.seconds for each in load.answers), 2),
        "back_s": round(back, 2),
        "pages_others": seen.total() - seen[200] - seen[303] - seen[503],
        "pages_longest_s": round(visitors.longest(), 2),
        "rate": round(load.rate, 1),
    }


def check(found: dict[str, int | float], *, is_short: bool) -> None:
    assert (BORNE if is_short else TOLD)(found), found


@pytest.fixture
def only_sqlite(database_kind: str) -> None:
    if database_kind != "sqlite":
        pytest.skip("a matter of SQLite, which has one lock for all")


@pytest.mark.timeout(240)
def test_a_lock_of_two_seconds_is_borne(
    only_sqlite: None, make_server: Callable[..., LiveServer]
) -> None:
    check(lock_under_load(make_server, 2), is_short=True)


@pytest.mark.drill("locked_{seconds}")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seconds", [4, 14, 60])
def test_a_lock_is_borne_or_told_and_loses_nothing(
    only_sqlite: None, make_server: Callable[..., LiveServer], seconds: int
) -> None:
    found = lock_under_load(make_server, seconds)
    record(f"locked_{seconds}", "sqlite", **found)
    check(found, is_short=seconds <= 5)
