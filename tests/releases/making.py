"""`python -m tests.releases.making FOLDER DAY`: a database of this version, as a release of that
day leaves it behind for all later ones.

It writes sqlite.sql and postgresql.sql, and told.json: who signs in, with which key to report, and
what the reading API tells. The same code writes the same at any time and place: chance is drawn
from the day, and time stands still but where the story goes on.
"""

import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, time, tzinfo
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from flask.testing import FlaskClient
from flask_migrate import upgrade

from app.extensions import db
from tests.apps import close_app, make_app
from tests.factories import PASSWORD
from tests.postgres import PostgresCluster
from tests.releases.sql_text import write_postgresql, write_sqlite
from tests.releases.story import LASTS, Story
from tests.simulated_time import SimulatedTime, simulated_time

SETTINGS = {"FLOWPULSE_RATE_LIMIT": 0, "FLOWPULSE_COMPATIBILITY": True}
READ = ("workflows", "runs", "events")
MOST_TOLD = 60


def make(url: str, folder: Path, day: date) -> dict[str, Any]:
    """Fill an empty database, until midnight (UTC) at the day's begin; what told.json holds."""
    moment = datetime.combine(day, time(), UTC)
    with fixed(moment - LASTS) as clock:
        app = make_app(url, folder, **SETTINGS)
        try:
            with app.app_context():
                with patch("datetime.datetime", _standing(clock)):
                    upgrade()
                team = Story(app, clock).tell()
                app.extensions["flowpulse_ingest"].close()
                db.session.remove()
                told = {name: read(app.test_client(), name, team.key) for name in READ}
        finally:
            close_app(app)
    return {
        "at": moment.isoformat(),
        "email": team.email,
        "password": PASSWORD,
        "key": team.key,
        "workflow_slug": team.slug,
        "told": told,
    }


def read(client: FlaskClient, name: str, key: str) -> list[dict[str, Any]]:
    """The newest of what the reading API tells."""
    path = f"/api/v1/{name}?limit={MOST_TOLD}"
    answer = client.get(path, headers={"X-API-Key": key})
    assert answer.status_code == 200, answer.text
    return list(answer.json["data"])


def write(folder: Path, day: date) -> None:
    """All files of a release; those that are there are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        database = Path(place) / "flowpulse.db"
        told = make(f"sqlite:///{database}", Path(place), day)
        (folder / "sqlite.sql").write_text(write_sqlite(database))
    (folder / "postgresql.sql").write_text(dump_postgresql(day))
    (folder / "told.json").write_text(json.dumps(told, indent=1) + "\n")


def dump_postgresql(day: date) -> str:
    cluster = PostgresCluster()
    try:
        with tempfile.TemporaryDirectory() as place:
            url = cluster.create_database("release")
            make(url, Path(place), day)
        return write_postgresql(url.replace("+psycopg", ""), cluster.binaries / "pg_dump")
    finally:
        cluster.stop()


# --- Chance and time ----------------------------------------------------------------------------


@contextmanager
def fixed(begin: datetime) -> Iterator[SimulatedTime]:
    """Nothing is left to chance, nor to the clock."""
    steps = count()
    chance = _make_chance(begin.isoformat())
    with ExitStack() as held, simulated_time(begin) as clock:
        for name in ("os.urandom", "random._urandom", "app.identifiers.urandom"):
            held.enter_context(patch(name, chance))
        held.enter_context(patch("time.time", lambda: clock.at.timestamp()))
        held.enter_context(patch("time.perf_counter", lambda: next(steps) / 1_000))
        yield clock


def _make_chance(seed: str) -> Callable[[int], bytes]:
    """A stream for each module that draws: SQLAlchemy's draws, once in a process, move no other."""
    streams: dict[str, random.Random] = {}

    def draw(size: int) -> bytes:
        name = sys._getframe(1).f_globals["__name__"]
        if name not in streams:
            streams[name] = random.Random(f"{seed} {name}")
        return streams[name].randbytes(size)

    return draw


def _standing(clock: SimulatedTime) -> type[datetime]:
    """What migrations import when they are loaded."""

    class Standing(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return clock.at.astimezone(tz)

    return Standing


if __name__ == "__main__":
    write(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]))
