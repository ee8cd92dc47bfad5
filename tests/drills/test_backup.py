"""A backup under load, restored elsewhere: what was answered before it began is in it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select

from app.extensions import db
from app.models import Event
from bench.events import fill
from tests.apps import close_app, make_app
from tests.databases import Databases
from tests.drills.load import Load
from tests.drills.marks import AMOUNTS
from tests.drills.record import Figure, record
from tests.drills.reliability import is_held
from tests.factories import make_team
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

ROUNDS = 2
"""Of a time without a backup and one with it, in turn: what else the machine does falls on both."""
QUIET_SECONDS = 20


class Found(NamedTuple):
    """Seconds are percentiles of answers, beside and while backups were made."""

    file: Path
    answered: set[str]
    """Before the last backup began."""
    backup_s: float
    beside_s: float
    meanwhile_s: float
    others: int
    """Answers that were no 202."""
    rate: float


def back_up(
    server: LiveServer, team: LiveTeam, folder: Path, rounds: int, quiet_seconds: float
) -> Found:
    """Under load, again and again."""
    file, longest = folder / "copy", 0.0
    beside: list[float] = []
    meanwhile: list[float] = []
    with Load(server, team) as load:
        wait_for(lambda: len(load.accepted) > 50, seconds=30)
        for _ in range(rounds):
            quiet_at = time.monotonic()
            time.sleep(quiet_seconds)
            began_at, answered = time.monotonic(), set(load.accepted)
            call(server, "backup", str(file), "--replace")
            ended_at = time.monotonic()
            beside += list_seconds(load, quiet_at, began_at)
            meanwhile += list_seconds(load, began_at, ended_at)
            longest = max(longest, ended_at - began_at)
    statuses = load.statuses()
    others = statuses.total() - statuses[202]
    slow = percentile(beside), percentile(meanwhile)
    return Found(file, answered, longest, *slow, others, load.rate)


def list_seconds(load: Load, since: float, until: float) -> list[float]:
    return [each.seconds for each in list(load.answers) if since <= each.sent_at < until]


def percentile(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100] if seconds else 0.0


def call(server: LiveServer, *arguments: str) -> str:
    """As `server.cli`, for as long as it takes."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        env=server.env,
        cwd=server.data_dir,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def restored(file: Path, url: str, folder: Path) -> Iterator[LiveServer]:
    """A server elsewhere, with the same secret key, on what was in the backup."""
    server = LiveServer(folder, url, is_migrated=True)
    told = json.loads(call(server, "restore", str(file), "--json"))
    assert told["rows"]["events"]
    with server:
        yield server


def count_missing(server: LiveServer, answered: set[str]) -> int:
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        there = set(db.session.scalars(select(Event.public_id).where(Event.state != "rejected")))
        db.session.remove()
    close_app(app)
    return len(answered - there)


def drill(
    server: LiveServer, databases: Databases, folder: Path, rounds: int, quiet_seconds: float
) -> tuple[Found, int]:
    team = make_live_team(server)
    found = back_up(server, team, folder, rounds, quiet_seconds)
    url = databases.create_empty()
    try:
        with restored(found.file, url, folder / "elsewhere") as elsewhere:
            missing = count_missing(elsewhere, found.answered)
            fields = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
            sent = elsewhere.post("/api/v1/ingest/run-success", json=fields, headers=team.headers)
            assert sent.status_code == 202
    finally:
        databases.drop(url)
    return found, missing


def test_what_was_answered_before_a_backup_is_there_when_it_is_restored(
    make_server: Callable[..., LiveServer], databases: Databases, tmp_path: Path
) -> None:
    found, missing = drill(make_server(), databases, tmp_path, rounds=1, quiet_seconds=0)
    assert len(found.answered) > 50
    assert (missing, found.others) == (0, 0)


@pytest.mark.drill("backup")
@pytest.mark.timeout(1_800)
def test_a_backup_of_many_events_slows_nobody_down(
    make_server: Callable[..., LiveServer],
    databases: Databases,
    database_kind: str,
    tmp_path: Path,
) -> None:
    server = make_server()
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        # Of a week: the worker, which runs already, removes nothing of it for its age.
        fill(make_team(), AMOUNTS["backup"]["events"], span=timedelta(days=7))
        events = db.session.scalar(select(func.count()).select_from(Event)) or 0
        db.session.remove()
    close_app(app)
    found, missing = drill(server, databases, tmp_path, ROUNDS, QUIET_SECONDS)
    figures: dict[str, Figure] = {
        "events": events,
        "answered": len(found.answered),
        "missing": missing,
        "others": found.others,
        "megabytes": found.file.stat().st_size / 2**20,
        "backup_s": found.backup_s,
        "beside_ms": found.beside_s * 1_000,
        "meanwhile_ms": found.meanwhile_s * 1_000,
        "rate": round(found.rate, 1),
    }
    record("backup", database_kind, **figures)
    assert is_held("backup", figures), figures
