"""The databases of `python -m bench.growth`: each filled quickly, then opened as it is served."""

import os
import signal
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import text

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.processing.partition_list import month_of, next_month
from app.processing.partition_making import make_months
from bench.events import DAYS
from bench.multiply import fill_many
from tests.apps import close_app, make_app
from tests.channels.deliveries import store_channels
from tests.factories import Team, make_alert, make_team
from tests.postgres import SETTINGS, PostgresCluster

HASTY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
}
"""PostgreSQL's settings while a database is filled; it is stopped and started without them."""
STOP_SECONDS = 300


class Filled(NamedTuple):
    """A database with so many events; `kind` as SQLAlchemy names it."""

    kind: str
    asked: int
    app: Flask
    team: Team
    seconds: float


def fill(kind: str, count: int, folder: Path, stack: ExitStack) -> Filled:
    """Make it in the folder; it is there until the stack ends."""
    folder.mkdir(parents=True)
    cluster = None
    url = f"sqlite:///{folder}/growth.db"
    if kind != "sqlite":
        cluster = PostgresCluster(None, True, None, **HASTY)
        stack.callback(cluster.stop)
        url = cluster.create_database("growth")
    app = make_app(url, folder)
    stack.callback(close_app, app)
    started = time.monotonic()
    with app.app_context():
        team = _fill(count)
        db.session.remove()
        db.engine.dispose()
    if cluster:
        _restart(cluster)
    os.sync()  # What was written in haste must not be in the way of what is measured.
    seconds = time.monotonic() - started
    print(f"{kind}: {count:,} events in {seconds:.0f} s", flush=True)
    return Filled(kind, count, app, team, seconds)


def _fill(count: int) -> Team:
    upgrade()
    team, until = make_team(), now()
    if not is_sqlite():
        with writing() as session:  # As if a worker had been there all the time.
            make_months(session, _list_months(until - timedelta(days=DAYS), until))
    fill_many(team, count, until)
    store_channels(team.workspace_id, ["On call"])
    make_alert(team.workspace_id, team.workflow_id)
    return team


def _list_months(since: datetime, until: datetime) -> list[datetime]:
    months = [month_of(since)]
    while next_month(months[-1]) <= until:
        months.append(next_month(months[-1]))
    return months


def _restart(cluster: PostgresCluster) -> None:
    """All is written to the files before it stops; then with the settings of all tests, and each
    commit on disk."""
    assert cluster.process is not None
    cluster.process.send_signal(signal.SIGINT)
    cluster.process.wait(STOP_SECONDS)
    for name in HASTY:
        del cluster.settings[name]
    cluster.settings |= SETTINGS
    cluster.come_back()


def size_mb() -> float:
    """Of the database that is open."""
    query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    if not is_sqlite():
        query = "SELECT pg_database_size(current_database())"
    return float(db.session.scalar(text(query)) or 0) / 2**20
