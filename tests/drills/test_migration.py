"""The migration of a large database: how long it takes, kill -9 in its middle, four at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from app.cli.migrations import MIGRATIONS
from tests.databases import Databases
from tests.drills.marks import AMOUNTS
from tests.drills.old_databases import make_old
from tests.drills.record import record
from tests.drills.reliability import is_held
from tests.server import test_environment, wait_for

EVENTS = AMOUNTS["migration"]["events"]
STARTERS = 4
STARTER = """
import logging, sys
from app import create_app
logging.basicConfig(level=logging.WARNING)
logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
done = create_app().test_cli_runner().invoke(args=["prepare"])
print(done.output)
sys.exit(done.exit_code)
"""
"""As `flask --app wsgi prepare`, and tells which migrations it runs."""
RAN = "Running upgrade"
KILLED_AT = ("0003", "0006", "0011")
"""Once the database is there, in the middle of what comes next."""


def newest() -> str:
    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def start(url: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STARTER],
        env=test_environment(folder, url, 8000),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(starter: subprocess.Popen[str]) -> int:
    """How many migrations it ran."""
    printed, _ = starter.communicate(timeout=1_000)
    assert starter.returncode == 0, printed
    return printed.count(RAN)


def read(url: str, statement: str) -> object:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(text(statement)).scalar()
    finally:
        engine.dispose()


def revision(url: str) -> str:
    return str(read(url, "SELECT version_num FROM alembic_version"))


def check_whole(url: str, count: int) -> None:
    assert revision(url) == newest()
    for statement in (
        "SELECT count(*) FROM events",
        "SELECT count(*) FROM runs JOIN events ON events.run_id = runs.id",
        "SELECT sum(success_count + failure_count) FROM workspace_rollups WHERE period = 'quarter'",
    ):
        assert read(url, statement) == count, statement
    if url.startswith("sqlite"):
        assert read(url, "PRAGMA integrity_check") == "ok"


def kill_midway(url: str, folder: Path) -> int:
    """kill -9 in the middle, again and again; how many kills hit."""
    kills = 0
    for wanted in KILLED_AT:
        starter = start(url, folder)
        wait_for(lambda wanted=wanted: revision(url) >= wanted, seconds=600, pause=0.01)
        kills += starter.poll() is None
        os.killpg(starter.pid, signal.SIGKILL)
        starter.communicate()
    return kills


def migrate_together(url: str, folder: Path, count: int) -> float:
    """Seconds until the last of several starters was done; all but one have waited."""
    left, began = count_left(url), time.monotonic()
    starters = [start(url, folder) for _ in range(count)]
    ran = sorted(map(finish, starters))
    assert ran == [0] * (count - 1) + [left], "one migrates, the others wait"
    return time.monotonic() - began


def count_left(url: str) -> int:
    """Migrations that are still to be run, in the order of their numbers."""
    numbers = [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    return numbers.index(revision(url))


@contextmanager
def old_database(databases: Databases, folder: Path, count: int) -> Iterator[str]:
    url = databases.create_empty()
    try:
        make_old(url, folder, count)
        yield url
    finally:
        databases.drop(url)


def test_a_migration_that_was_killed_is_finished_by_one_of_two_starters(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.KILLED_AT", ("0006",))
    with old_database(databases, tmp_path, 2_000) as url:
        assert kill_midway(url, tmp_path) == 1
        migrate_together(url, tmp_path, 2)
        check_whole(url, 2_000)


@pytest.mark.drill("migration")
@pytest.mark.timeout(3_600)
def test_a_million_events_are_migrated_in_time_by_one_of_four_starters(
    databases: Databases, database_kind: str, tmp_path: Path
) -> None:
    with old_database(databases, tmp_path, EVENTS) as url:
        seconds = migrate_together(url, tmp_path, STARTERS)
        check_whole(url, EVENTS)
    with old_database(databases, tmp_path, EVENTS) as url:
        kills = kill_midway(url, tmp_path)
        migrate_together(url, tmp_path, 1)
        check_whole(url, EVENTS)
    found = {"events": EVENTS, "seconds": seconds, "kills": kills}  # `check_whole` has counted.
    record("migration", database_kind, **found)
    assert is_held("migration", found), found
