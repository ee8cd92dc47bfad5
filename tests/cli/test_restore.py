"""`restore`: a backup takes a database's place elsewhere, and nothing is lost by mistake."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from contextvars import Context
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import Result
from flask import Flask
from flask_migrate import downgrade
from sqlalchemy import func, inspect, make_url, select, text

from app.cli import move_source, restoring
from app.doctor.audit_health import check_audit_log
from app.extensions import db, is_sqlite
from app.models import AuditEntry, Event, User
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
    """Its events, after it was seen that its audit log is kept from being changed as before."""
    with open_kept(url, kept) as connection:
        found = connection.execute("SELECT count(*) FROM events").fetchone()
        for change in ("UPDATE audit_entries SET what = 'x'", "DELETE FROM audit_entries"):
            with pytest.raises((psycopg.Error, sqlite3.Error), match="log is never changed"):
                connection.execute(change)
        return int(found[0])


@contextmanager
def open_kept(url: str, kept: str) -> Iterator[Any]:
    """A connection to what was there before."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(kept)) as connection:
            yield connection
        return
    with connect(url) as server:
        schema = kept.removeprefix("the schema ")
        server.execute(f"SET search_path TO {schema}".encode())
        found = server.execute(_FUNCTIONS).fetchall()
        assert found == [("public", "audit_entries_keep"), (schema, "audit_entries_keep")]
        yield server


_FUNCTIONS = (
    "SELECT nspname, proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace"
    " WHERE proname LIKE 'audit%' ORDER BY nspname = 'public' DESC"
)


def connect(url: str) -> psycopg.Connection[Any]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def test_a_server_that_runs_must_be_stopped_first(file: Path, database_url: str) -> None:
    """The fixture's app has its connections open."""
    for options in (("--force",), ()):
        db.session.execute(text("SELECT count(*) FROM events"))
        refused = restore(database_url, file, *options)
        assert refused.exit_code == 1
        assert "Stop FlowPulse" in refused.stderr
        assert "--force" not in refused.stderr, "nobody is to be led to that first"
    assert db.session.scalar(select(func.count(Event.id))) == 3


def test_another_secret_key_is_refused_before_anything_is_touched(
    file: Path, elsewhere: str, tmp_path: Path
) -> None:
    other = {"FLOWPULSE_SECRET_KEY": "another secret, of another machine"}
    refused = restore(elsewhere, file, **other)
    assert refused.exit_code == 1 and "secret key is not the one" in refused.stderr
    with opened(elsewhere, tmp_path):
        assert inspect(db.engine).get_table_names() == []
    assert str(file) in refused.stderr and "former server's data folder" in refused.stderr
    known = {**other, "FLOWPULSE_OLD_SECRET_KEYS": ["x" * 40]}
    assert restore(elsewhere, file, **known).exit_code == 1
    assert restore(elsewhere, file, "--new-secret-key", **other).exit_code == 0


def test_no_new_secret_key_lies_where_the_former_one_has_to_be_put(
    file: Path, elsewhere: str
) -> None:
    """A rehearsal in another folder: the first try makes a key there, before it is seen to be
    the wrong one."""
    place = file.parent / "elsewhere" / "secret_key"
    refused = restore(elsewhere, file, FLOWPULSE_SECRET_KEY="")
    assert refused.exit_code == 1
    assert f"to {place};" in " ".join(refused.stderr.split())
    assert not place.exists()
    place.write_text(SECRET)
    assert restore(elsewhere, file, FLOWPULSE_SECRET_KEY="").exit_code == 0


def test_a_secret_key_that_was_there_stays_when_it_is_the_wrong_one(
    file: Path, elsewhere: str
) -> None:
    place = file.parent / "elsewhere" / "secret_key"
    place.parent.mkdir()
    place.write_text("x1" * 24)
    assert restore(elsewhere, file, FLOWPULSE_SECRET_KEY="").exit_code == 1
    assert place.read_text() == "x1" * 24


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
    old = back_up_at(app, "0013", tmp_path / "old")
    done = restore(elsewhere, old)
    assert done.exit_code == 0, done.output
    assert "the backup was at 0013" in done.stderr
    assert count_events(elsewhere, tmp_path) == 3


def back_up_at(app: Flask, revision: str, place: Path) -> Path:
    downgrade(revision=revision)
    db.session.remove()
    done = app.test_cli_runner().invoke(args=["backup", str(place)])
    assert done.exit_code == 0, done.output
    return place


def test_a_backup_from_before_the_audit_log_takes_the_place_of_a_newer_database(
    app: Flask, file: Path, elsewhere: str, tmp_path: Path
) -> None:
    """Once over one in use, and once over one at that migration itself."""
    assert restore(elsewhere, file).exit_code == 0
    old = back_up_at(app, "0016", tmp_path / "old")
    done = restore(elsewhere, old, "--force", "--json")
    assert done.exit_code == 0, done.output
    assert count_kept(elsewhere, json.loads(done.stdout)["kept"]) == 3
    with opened(elsewhere, tmp_path):
        assert db.session.scalar(select(func.count(Event.id))) == 3
        assert check_audit_log().state == "ok"
        downgrade(revision="0016")
    done = restore(elsewhere, old, "--force")
    assert done.exit_code == 0, done.output
    with opened(elsewhere, tmp_path):
        assert check_audit_log().state == "ok"


def test_where_it_fails_what_was_there_is_back_and_its_audit_log_is_kept(
    file: Path, databases: Databases, tmp_path: Path
) -> None:
    url = databases.create()
    if url.startswith("sqlite"):
        pytest.skip("There the copy is complete before it takes the name: see _held.")
    with connect(url) as server:
        server.execute("ALTER INDEX pk_runs RENAME TO pk_of_runs")
        server.execute("CREATE VIEW pk_runs AS SELECT 1 AS one")
    failed = restore(url, file)
    assert failed.exit_code == 1 and 'relation "pk_runs" already exists' in failed.stderr
    with connect(url) as server:
        assert server.execute(_FUNCTIONS).fetchall() == [("public", "audit_entries_keep")]
        server.execute("DROP VIEW pk_runs")
    assert restore(url, file).exit_code == 0
    assert count_events(url, tmp_path) == 3
    databases.drop(url)


def test_it_is_noted_in_the_audit_log_that_it_brings(
    file: Path, elsewhere: str, tmp_path: Path
) -> None:
    assert restore(elsewhere, file).exit_code == 0
    with opened(elsewhere, tmp_path):
        last = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert last and (last.actor, last.what) == ("command line", "backup_restored")
        assert (last.workspace_id, last.about) == (1, "copy")
        assert last.details and last.details["kept_before"] is False


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
