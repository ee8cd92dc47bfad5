"""`backup`: what is in the copy, who can read it, and what it never holds."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app.backups.making import EXAMINERS
from app.extensions import db, is_sqlite, writing
from app.keys import PREFIX_LENGTH
from app.models import AuditEntry
from tests.cli.conftest import Run
from tests.factories import make_team, report
from tests.secret_forms import forms_of
from tests.server import SECRET, test_environment


@pytest.fixture(autouse=True)
def _no_way_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs within the tests' own process, which would never be quick again."""
    monkeypatch.setattr("os.nice", lambda more: more)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "copy"


def test_the_copy_is_opened_and_counted(run: Run, client: FlaskClient, place: Path) -> None:
    team = make_team()
    for _ in range(3):
        report(client, team)
    told = json.loads(run("backup", str(place), "--json").stdout)
    assert told["rows"]["events"] == told["highest_ids"]["events"] == 3
    assert (told["rows"]["workflows"], told["rows"]["api_keys"]) == (1, 1)
    assert told["file"] == str(place) and told["bytes"] == place.stat().st_size
    found = EXAMINERS[db.engine.dialect.name](place)
    assert (found.rows, found.highest_ids) == (told["rows"], told["highest_ids"])
    assert (found.revision, bool(found.secret_mark)) == (told["migration"], True)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert list(place.parent.glob(".*")) == []


def test_the_audit_log_tells_of_it_in_each_workspace(
    run: Run, client: FlaskClient, place: Path
) -> None:
    team, other = make_team(), make_team(first=False)
    report(client, team)
    size = json.loads(run("backup", str(place), "--json").stdout)["bytes"]
    told = select(AuditEntry).where(AuditEntry.what == "backup_made").order_by(AuditEntry.id)
    entries = db.session.scalars(told).all()
    assert [each.workspace_id for each in entries] == [team.workspace_id, other.workspace_id]
    assert {(each.actor, each.about) for each in entries} == {("command line", "copy")}
    assert entries[0].details
    assert (entries[0].details["events"], entries[0].details["bytes"]) == (1, size)
    assert str(place.parent) not in str(entries[0].details)
    run("backup", str(place), exit_code=1)
    assert len(db.session.scalars(told).all()) == 2


def test_a_backup_is_good_also_where_its_note_finds_no_room(run: Run, place: Path) -> None:
    """Before an upgrade there may be no table for it yet."""
    make_team()
    with writing() as session:
        session.execute(text("ALTER TABLE audit_entries RENAME TO elsewhere"))
    said = run("backup", str(place))
    assert "The backup is made, but the audit log does not tell of it." in said.stderr
    assert place.stat().st_size


def test_people_see_what_is_in_it_and_are_told_to_keep_the_key(run: Run, place: Path) -> None:
    make_team()
    said = run("backup", str(place))
    assert [line.split() for line in said.stdout.splitlines()][1] == ["events", "0", "0"]
    assert "the same as the database" in said.stderr
    assert "Keep FLOWPULSE_SECRET_KEY aside" in said.stderr


def test_without_a_name_it_lies_in_the_data_folder(run: Run, app: Flask) -> None:
    file = Path(json.loads(run("backup", "--json").stdout)["file"])
    assert file.parent == (Path(app.config["FLOWPULSE_DATA_DIR"]) / "backups").resolve()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.suffix == (".db" if is_sqlite() else ".dump")


def test_nothing_is_replaced_unless_that_is_said(run: Run, place: Path) -> None:
    run("backup", str(place))
    before = place.stat().st_ino
    assert "is there already" in run("backup", str(place), exit_code=1).stderr
    assert place.stat().st_ino == before
    run("backup", str(place), "--replace")
    place.write_text("somebody's novel")
    assert "is no backup" in run("backup", str(place), "--replace", exit_code=1).stderr
    assert place.read_text() == "somebody's novel"
    assert "is not there" in run("backup", str(place / "x" / "y"), exit_code=1).stderr


def test_the_database_itself_is_not_taken_for_a_backup(run: Run) -> None:
    if not is_sqlite():
        pytest.skip("a matter of SQLite, which is a file")
    own = str(db.engine.url.database)
    assert "could be replaced" in run("backup", own, "--replace", exit_code=1).stderr


def test_no_usable_key_is_in_it(run: Run, client: FlaskClient, place: Path) -> None:
    """Neither the API key that reported, all of it or what follows its prefix, nor the server's
    secret, nor a half of them, nor any of these in another form."""
    team = make_team()
    report(client, team)
    client.post("/api/v1/ingest/run-success", json={"note": "x"}, headers={"X-API-Key": team.key})
    run("backup", str(place))
    if is_sqlite():
        held = place.read_bytes()
    else:
        unpacked = ["pg_restore", "--file=-", str(place)]
        held = subprocess.run(unpacked, capture_output=True, check=True).stdout
    assert team.slug.encode() in held, "it is no empty one"
    sought = forms_of(team.key) | forms_of(team.key[PREFIX_LENGTH:]) | forms_of(SECRET)
    assert {form for form in sought if form in held} == set()


def test_a_copy_of_sqlite_opens_where_nothing_can_be_written(run: Run, place: Path) -> None:
    """No log beside it: its journal is not that of the running database."""
    if not is_sqlite():
        pytest.skip("a matter of SQLite")
    run("backup", str(place))
    assert place.read_bytes()[18:20] == b"\x01\x01"
    connection = sqlite3.connect(f"{place.as_uri()}?immutable=1", uri=True)
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
    connection.close()


def test_a_damaged_copy_is_seen(run: Run, client: FlaskClient, place: Path) -> None:
    team = make_team()
    for _ in range(30):
        report(client, team)
    run("backup", str(place))
    whole = place.read_bytes()
    place.write_bytes(whole[: len(whole) * 2 // 3])
    said = run("restore", str(place), "--force", exit_code=1).stderr
    assert "damaged" in said or "can't be read" in said


def call_backup(url: str, folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "backup", str(folder / "copy")],
        env={**test_environment(folder, url, 8000), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


PROGRAM = """#!{python}
import os, sys
if sys.argv[1:] == ["--version"]:
    print("pg_dump (PostgreSQL) {version}")
else:
    with open("{log}", "w") as log:
        print(*sys.argv, file=log)
        print(os.environ.get("PGPASSWORD"), file=log)
    sys.exit("pg_dump: error: it was asked to fail")
"""


def test_postgresql_without_its_programs_or_with_old_ones_is_told(
    database_url: str, tmp_path: Path
) -> None:
    """And the password is no argument of the program, where `ps` would show it."""
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite needs no programs")
    programs, log = tmp_path / "bin", tmp_path / "log"
    programs.mkdir()
    said = call_backup(database_url, tmp_path, str(programs))
    assert said.returncode == 1 and "pg_dump is not on PATH. Install" in said.stderr
    url = database_url.replace("flowpulse@", "flowpulse:s3cret%2Fword@")
    for version in ("9.6.1", "99.1"):
        for name in ("pg_dump", "pg_restore"):
            text = PROGRAM.format(python=sys.executable, version=version, log=log)
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        said = call_backup(url, tmp_path, f"{programs}{os.pathsep}{os.environ['PATH']}")
        assert said.returncode == 1
        expected = "is of PostgreSQL 9" if version == "9.6.1" else "it was asked to fail"
        assert expected in said.stderr
        assert log.exists() == (version == "99.1")
    arguments, password = log.read_text().splitlines()
    assert "s3cret" not in arguments and password == "s3cret/word"
    assert "s3cret" not in said.stderr
    assert list(tmp_path.glob(".copy*")) == [] and not (tmp_path / "copy").exists()
