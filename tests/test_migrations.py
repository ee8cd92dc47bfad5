"""Migrations: from nothing and back, without drift, one starter at a time."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, inspect, text

from app.extensions import db, writing
from tests.apps import make_app
from tests.server import test_environment


@pytest.fixture
def empty_app(empty_database_url: str, tmp_path: Path) -> Flask:
    return make_app(empty_database_url, tmp_path)


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return set(inspect(engine).get_table_names()) - {"alembic_version", "sqlite_sequence"}
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
        context = MigrationContext.configure(connection, opts={"compare_type": True})
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
        "busy_timeout": 5000,
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
