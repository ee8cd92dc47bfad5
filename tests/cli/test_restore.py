"""`restore`: a backup takes a database's place elsewhere, and nothing is lost by mistake."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from contextvars import Context
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from flask import Flask
from flask_migrate import downgrade
from sqlalchemy import func, inspect, make_url, select, text

from app.cli import move_source, restoring
from app.extensions import db, is_sqlite
from app.models import Event, User
from app.workspaces.people import is_set_up
from app.workspaces.sessions import find_user, start_session
from tests.apps import close_app, make_app
from tests.cli.moves import opened
from tests.databases import Databases
from tests.factories import make_team, report
from tests.server import SECRET


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is just stopping here; and no command makes the tests' own process slow."""
    monkeypatch.setattr("os.nice", lambda more: more)
    for module in (move_source, restoring):
        monkeypatch.setattr(module, "WAIT_MS", 300)


@pytest.fixture
def file(app: Flask, tmp_path: Path) -> Path:
    """A backup of a team with three events, whose owner is signed in."""
    team = make_team()
    for _ in range(3):
        report(app.test_client(), team)
    start_session(db.session.scalars(select(User)).one(), None, None)
    place = tmp_path / "copy"
    done = app.test_cli_runner().invoke(args=["backup", str(place)])
    assert done.exit_code == 0, done.output
    return place


@pytest.fixture
def elsewhere(databases: Databases) -> Iterator[str]:
    url = databases.create_empty()
    yield url
    databases.drop(url)


def restore(url: str, file: Path, *options: str, **settings: object) -> Result:
    """In a context of its own: within another app's, commands would work on its database."""
    app = make_app(url, file.parent / "elsewhere", **settings)
    done = Context().run(app.test_cli_runner().invoke, args=["restore", str(file), *options])
    close_app(app)
    return done


def count_events(url: str, folder: Path) -> int:
    with opened(url, folder):
        return db.session.scalar(select(func.count(Event.id))) or 0


def test_all_of_it_is_there_again_elsewhere(file: Path, elsewhere: str, tmp_path: Path) -> None:
    done = restore(elsewhere, file, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["rows"]["events"], told["highest_ids"]["events"], told["kept"]) == (3, 3, None)
    with opened(elsewhere, tmp_path) as app:
        assert is_set_up() and db.session.scalar(select(func.count(Event.id))) == 3
        if is_sqlite():
            assert db.session.scalar(text("PRAGMA journal_mode")) == "wal"
        db.session.rollback()
        assert app.test_cli_runner().invoke(args=["prepare"]).exit_code == 0


def test_what_comes_next_goes_on_behind_the_highest_id(
    file: Path, elsewhere: str, tmp_path: Path
) -> None:
    assert restore(elsewhere, file).exit_code == 0
    with opened(elsewhere, tmp_path) as app:
        report(app.test_client(), make_team("Others", first=False))
        assert db.session.scalars(select(Event.id).order_by(Event.id)).all() == [1, 2, 3, 4]


def test_no_session_lives_again(app: Flask, file: Path, elsewhere: str, tmp_path: Path) -> None:
    token = start_session(db.session.scalars(select(User)).one(), None, None).session_token
    newer = tmp_path / "newer"
    assert app.test_cli_runner().invoke(args=["backup", str(newer)]).exit_code == 0
    assert restore(elsewhere, newer).exit_code == 0
    with opened(elsewhere, tmp_path):
        assert find_user(token) is None


def test_a_server_that_was_only_prepared_counts_as_empty(
    file: Path, databases: Databases, tmp_path: Path
) -> None:
    url = databases.create()
    done = restore(url, file, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["kept"] is None
    assert count_events(url, tmp_path) == 3
    databases.drop(url)


def test_what_is_in_use_is_left_alone_unless_forced_and_kept_even_then(
    app: Flask, file: Path, database_url: str, tmp_path: Path
) -> None:
    report(app.test_client(), make_team("Others", first=False))
    db.session.remove()
    db.engine.dispose()
    app.extensions["flowpulse_ingest"].close()
    refused = restore(database_url, file)
    assert refused.exit_code == 1 and "add --force" in refused.stderr
    assert count_events(database_url, tmp_path) == 4
    forced = restore(database_url, file, "--force", "--json")
    assert forced.exit_code == 0, forced.output
    assert count_events(database_url, tmp_path) == 3
    kept = json.loads(forced.stdout)["kept"]
    assert count_kept(database_url, kept) == 4


def count_kept(url: str, kept: str) -> int:
    statement = "SELECT count(*) FROM {}events"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(kept)) as connection:
            return int(connection.execute(statement.format("")).fetchone()[0])
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as server:
        schema = kept.removeprefix("the schema ")
        row = server.execute(statement.format(f"{schema}.").encode()).fetchone()
        return int(row[0]) if row else 0


def test_a_server_that_runs_must_be_stopped_first(file: Path, database_url: str) -> None:
    """The fixture's app has its connections open."""
    db.session.execute(text("SELECT count(*) FROM events"))
    refused = restore(database_url, file, "--force")
    assert refused.exit_code == 1
    assert "Stop FlowPulse" in refused.stderr
    assert db.session.scalar(select(func.count(Event.id))) == 3


def test_another_secret_key_is_refused_before_anything_is_touched(
    file: Path, elsewhere: str, tmp_path: Path
) -> None:
    other = {"FLOWPULSE_SECRET_KEY": "another secret, of another machine"}
    refused = restore(elsewhere, file, **other)
    assert refused.exit_code == 1 and "secret key is not the one" in refused.stderr
    with opened(elsewhere, tmp_path):
        assert inspect(db.engine).get_table_names() == []
    known = {**other, "FLOWPULSE_OLD_SECRET_KEYS": ["x" * 40]}
    assert restore(elsewhere, file, **known).exit_code == 1
    assert restore(elsewhere, file, "--new-secret-key", **other).exit_code == 0


def test_a_former_secret_key_will_do(file: Path, elsewhere: str, tmp_path: Path) -> None:
    """As where the key was replaced; only one word of it can be told: the tests' has spaces."""
    settings = {
        "FLOWPULSE_SECRET_KEY": "another secret, of another machine",
        "FLOWPULSE_OLD_SECRET_KEYS": [SECRET],
    }
    assert restore(elsewhere, file, **settings).exit_code == 0


def test_an_older_backup_is_migrated(
    app: Flask, file: Path, elsewhere: str, tmp_path: Path
) -> None:
    downgrade(revision="0013")
    db.session.remove()
    old = tmp_path / "old"
    assert app.test_cli_runner().invoke(args=["backup", str(old)]).exit_code == 0
    done = restore(elsewhere, old)
    assert done.exit_code == 0, done.output
    assert "the backup was at 0013" in done.stderr
    assert count_events(elsewhere, tmp_path) == 3


def test_what_is_no_backup_of_this_is_told(
    app: Flask, file: Path, elsewhere: str, tmp_path: Path
) -> None:
    text_file = tmp_path / "novel.txt"
    text_file.write_text("Call me Ishmael.")
    assert "is no backup" in restore(elsewhere, text_file).stderr
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE songs (id INTEGER PRIMARY KEY)")
        connection.commit()
    said = restore(elsewhere, foreign).stderr
    assert ("no migration in it" if is_sqlite() else "is a backup of sqlite") in said
    with db.engine.begin() as connection:
        if is_sqlite():
            connection.exec_driver_sql("PRAGMA query_only = 0")
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    newer = tmp_path / "newer"
    assert app.test_cli_runner().invoke(args=["backup", str(newer)]).exit_code == 0
    assert "made by a newer FlowPulse" in restore(elsewhere, newer).stderr
