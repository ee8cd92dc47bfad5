"""Migrations: from nothing and back, without drift, one starter at a time."""

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, inspect, text

from app.clock import now
from app.extensions import BUSY_TIMEOUT_MS, db, is_sqlite, writing
from app.models.partitioning import PARTITION, is_compared_on
from app.processing.partition_list import list_missing
from tests.apps import make_app
from tests.server import test_environment


@pytest.fixture
def empty_app(empty_database_url: str, tmp_path: Path) -> Flask:
    return make_app(empty_database_url, tmp_path)


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        names = set(inspect(engine).get_table_names()) - {"alembic_version", "sqlite_sequence"}
        return {name for name in names if not PARTITION.fullmatch(name)}
    finally:
        engine.dispose()


def test_up_from_nothing_and_back_again_twice(empty_app: Flask, empty_database_url: str) -> None:
    with empty_app.app_context():
        for _ in range(2):
            upgrade()
            assert tables(empty_database_url) == set(db.metadata.tables)
            downgrade(revision="base")
            assert tables(empty_database_url) == set()
        db.engine.dispose()


def test_runs_and_their_events_outlive_the_copy_of_their_table(empty_app: Flask) -> None:
    """SQLite makes the table of runs anew in 0004: what points to it must not be emptied."""
    at = "'2026-01-15 09:31:00'"
    rows = (
        f"workspaces (public_id, name, created_at) VALUES ('w', 'Team', {at})",
        "workflows (public_id, workspace_id, name, slug, created_at, is_demo) "
        f"VALUES ('f', 1, 'Lead', 'lead', {at}, false)",
        "runs (public_id, workspace_id, workflow_id, outcome, ended_at, decided_by_event_id, "
        "event_count, created_at, updated_at) "
        f"VALUES ('r', 1, 1, 'success', {at}, 1, 1, {at}, {at})",
        "events (public_id, workspace_id, workflow_id, received_at, state, method, path, headers, "
        "body, status, took_ms, run_id) "
        f"VALUES ('e', 1, 1, {at}, 'processed', 'POST', '/', '[]', '', 202, 1, 1)",
    )
    with empty_app.app_context():
        upgrade(revision="0003")
        with writing() as session:
            for row in rows:
                session.execute(text(f"INSERT INTO {row}"))
        for move in (upgrade, lambda: downgrade(revision="0003"), upgrade):
            move()
            kept = "SELECT runs.ended_at FROM events JOIN runs ON runs.id = events.run_id"
            assert len(db.session.execute(text(kept)).all()) == 1
            db.session.rollback()
        db.engine.dispose()


def test_the_models_and_the_migrated_database_are_the_same(app: Flask) -> None:
    with db.engine.connect() as connection:
        options = {"compare_type": True, "include_object": is_compared_on(connection.dialect)}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, db.metadata) == []


def test_sqlite_journals_ahead_and_every_connection_syncs(app: Flask) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("a matter of SQLite")
    with db.engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": BUSY_TIMEOUT_MS,
    }


STARTERS = """
import os
from app import create_app

starters = []
for number in range(4):
    starter = os.fork()
    if not starter:
        os._exit(create_app().test_cli_runner().invoke(args=["prepare"]).exit_code)
    starters.append(starter)
print([os.waitstatus_to_exitcode(os.waitpid(starter, 0)[1]) for starter in starters])
"""
"""Four processes that have loaded the application and prepare the database at the same moment."""


def test_four_starters_at_once_all_find_a_migrated_database(
    empty_database_url: str, tmp_path: Path
) -> None:
    environment = test_environment(tmp_path, empty_database_url, 8000)
    done = subprocess.run(
        [sys.executable, "-c", STARTERS],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("[0, 0, 0, 0]\n", "")
    assert tables(empty_database_url) == set(db.metadata.tables)


TEN_EVENTS = (
    "events (public_id, workspace_id, received_at, state, method, path, headers, body, status, "
    "took_ms) SELECT :letter || number, 1, "
    "CAST(:latest AS timestamptz) - number * interval '40 days', "
    "'processed', 'POST', '/', '[]', '', 202, 1 FROM generate_series(0, 9) AS number"
)


def test_events_that_are_there_outlive_the_change_to_partitions(empty_app: Flask) -> None:
    """In both directions: the second ten lie in several partitions, the next month's among them."""
    with empty_app.app_context():
        upgrade(revision="0012")
        if is_sqlite():
            pytest.skip("a matter of PostgreSQL")
        before = describe_events()
        with writing() as session:
            workspace = f"(public_id, name, created_at) VALUES ('w', 'Team', '{now()}')"
            session.execute(text(f"INSERT INTO workspaces {workspace}"))
        add_ten("e", now())
        upgrade()
        assert list_events() == [(number + 1, f"e{number}") for number in range(10)]
        add_ten("f", now() + timedelta(days=32))
        stored = list_events()
        assert [number for number, _ in stored] == list(range(1, 21)), "one sequence goes on"
        downgrade(revision="0012")
        assert list_events() == stored
        assert describe_events() == before
        upgrade()
        assert list_events() == stored
        assert list_missing(db.session(), now()) == []
        db.session.rollback()
        db.engine.dispose()


def add_ten(letter: str, latest: datetime) -> None:
    with writing() as session:
        values = {"latest": latest, "letter": letter}
        session.execute(text(f"INSERT INTO {TEN_EVENTS}"), values)


def list_events() -> list[tuple[int, str]]:
    found = db.session.execute(text("SELECT id, public_id FROM events ORDER BY id")).all()
    db.session.rollback()
    return [(number, public_id) for number, public_id in found]


def describe_events() -> list[tuple[str, str]]:
    """The names and definitions of what keeps order in the table of events."""
    statement = (
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = CAST('events' AS regclass) UNION ALL "
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'events'"
    )
    found = sorted(tuple(row) for row in db.session.execute(text(statement)))
    db.session.rollback()
    return found
