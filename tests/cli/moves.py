"""A SQLite database with rows in every table, and the command that moves it."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Table, delete, func, select

from app.cli.demo import make_demo
from app.clock import now
from app.extensions import db, writing
from app.models import (
    AuditEntry,
    BackupTurn,
    Downtime,
    Event,
    FormerSlug,
    Identity,
    IgnoredProblem,
    Invitation,
    Membership,
    Purge,
    RateBucket,
    RecoveryCode,
    Run,
    Silence,
    Tally,
    TallyMark,
    UnstoredCount,
    User,
    UserSession,
    WeeklyDigest,
    WorkerHeartbeat,
    Workflow,
    Workspace,
)
from app.processing.batch import process_batch
from tests.apps import close_app, make_app
from tests.factories import Team, accepted_row, make_team
from tests.hostile.contents import send_everything, send_signals
from tests.hostile.payloads import PAYLOADS
from tests.server import test_environment

with_tables = pytest.mark.parametrize("target", [True], indirect=True, ids=["with tables"])
"""A move to a database that is migrated and has no rows is like one to an empty one (as is shown by
tests/cli/test_move_ended.py), without the seconds that all migrations take."""


@contextmanager
def opened(url: str, folder: Path) -> Iterator[Flask]:
    """An app on a database, in its context; closed with all its connections."""
    app = make_app(url, folder, FLOWPULSE_RATE_LIMIT=0)
    with app.app_context():
        yield app
        db.session.remove()
    close_app(app)


def fill(path: Path) -> Team:
    """The demo, hostile requests, and a row in each table that these leave empty."""
    with opened(f"sqlite:///{path}", path.parent) as app:
        upgrade()
        team = make_team()
        make_demo(team.workspace_id)
        client = app.test_client()
        send_everything(client, team)
        for payload in PAYLOADS[::6]:
            send_signals(client, team, payload)
        app.extensions["flowpulse_ingest"].close()
        while process_batch(500):
            pass
        _fill_the_rest(team)
    return team


def _fill_the_rest(team: Team) -> None:
    moment = now()
    newest = accepted_row(moment, public_id="the-newest", workspace_id=team.workspace_id)
    with writing() as session:
        user_id, membership_id = (
            session.scalar(select(User.id)),
            session.scalar(select(Membership.id)),
        )
        run_id = session.scalar(select(func.max(Run.id)))
        session.add_all(
            [
                Downtime(began_at=moment - timedelta(hours=1), ended_at=moment),
                Purge(day=moment.date(), why="age", what="rejected", row_count=7, last_at=moment),
                FormerSlug(
                    workspace_id=team.workspace_id,
                    workflow_id=team.workflow_id,
                    slug="former",
                    expires_at=moment + timedelta(days=1),
                ),
                IgnoredProblem(
                    workspace_id=team.workspace_id,
                    fingerprint="f" * 16,
                    up_to_event_id=1,
                    ignored_by_id=user_id,
                ),
                RateBucket(name="k\u00e9y 1", level=0.1 + 0.2, updated_at=1e-300),
                RecoveryCode(user_id=user_id, code_hash="1" * 64),
                Identity(user_id=user_id, issuer="https://id.example.org", subject="7"),
                Invitation(
                    workspace_id=team.workspace_id,
                    email="bo@example.org",
                    role="viewer",
                    token_hash="2" * 64,
                    invited_by_id=user_id,
                    expires_at=moment,
                ),
                Silence(
                    workflow_id=team.workflow_id,
                    expected_at=moment,
                    silent_since=moment,
                    ended_by_run_id=run_id,
                    missed_count=3,
                ),
                UnstoredCount(minute_at=moment, code="rate_limited", count=2**40),
                UserSession(
                    token_hash="0" * 64, user_id=user_id, expires_at=moment + timedelta(days=1)
                ),
                WeeklyDigest(membership_id=membership_id, last_monday=moment.date()),
                WorkerHeartbeat(name="here:1", started_at=moment, seen_at=moment),
                Tally(what="rejected", about="invalid_json", count=2**40),
                TallyMark(event_id=7, minute_at=moment),
                BackupTurn(due_at=moment, taken_by="here:1", begun_at=moment, problem="Full."),
                *(
                    Workflow(workspace_id=team.workspace_id, name=name, slug=f"hostile-{number}")
                    for number, name in enumerate(
                        {each[:120].replace("\0", "") for each in PAYLOADS}
                    )
                ),
            ]
        )
        # An id that was handed out and is gone must not be handed out again.
        session.execute(Event.__table__.insert(), [newest])  # type: ignore[attr-defined]
        session.execute(delete(Event).where(Event.public_id == "the-newest"))


def copy(path: Path, folder: Path) -> Path:
    """The database as a file of the test's own, with what is still in the log beside it."""
    own = folder / "flowpulse.db"
    with closing(sqlite3.connect(path)) as there, closing(sqlite3.connect(own)) as here:
        there.backup(here)
    return own


def change(path: Path, *statements: str) -> None:
    """Past FlowPulse, as somebody does who has SQLite's own shell."""
    connection = sqlite3.connect(path)
    for statement in statements:
        assert connection.execute(statement).rowcount, statement
    connection.commit()
    connection.close()


def move(path: Path, url: str, *options: str, exit_code: int = 0) -> Result:
    """`flask --app wsgi move`, in this process."""
    app = make_app(f"sqlite:///{path}", path.parent)
    result = app.test_cli_runner().invoke(args=["move", "--to", url, *options])
    close_app(app)
    assert result.exit_code == exit_code, (result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def moved_tables(result: Result) -> dict[str, dict[str, Any]]:
    """What --json tells, by table."""
    return {each["table"]: each for each in json.loads(result.stdout)["tables"]}


SMALL_CHUNKS = """
from app.cli import move_target
move_target.CHUNK = 100
from wsgi import app
app.cli(["move", "--to", {url!r}])
"""


def start_move(path: Path, url: str) -> subprocess.Popen[str]:
    """The command in a process of its own, with chunks so small that there are many."""
    return subprocess.Popen(
        [sys.executable, "-c", SMALL_CHUNKS.format(url=url)],
        env={**test_environment(path.parent, f"sqlite:///{path}", 8000), "FLASK_APP": "wsgi"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_all(url: str, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a database as the models read them, by table, in the order of their keys."""
    with opened(url, folder):
        return {table.name: _read(table) for table in db.metadata.sorted_tables}


def read_moved(url: str, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The same of a target, without the one entry of each workspace's that tells of the move."""
    with opened(url, folder):
        told = db.session.execute(select(AuditEntry.__table__).where(AuditEntry.what == "moved"))
        entries = [tuple(row) for row in told]
        assert len(entries) == db.session.scalar(select(func.count()).select_from(Workspace))
    rows = read_all(url, folder)
    rows["audit_entries"] = [row for row in rows["audit_entries"] if row not in entries]
    return rows


def _read(table: Table) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, db.session.execute(select(table))), key=repr)
