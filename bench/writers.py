"""`python -m bench.writers`: what several processes write into one PostgreSQL, where ids follow
the commits, and the bytes that an event takes there; `make docs-tables` draws docs/scaling.md
from it."""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event as Gate
from pathlib import Path
from typing import Any

import psycopg
from flask_migrate import upgrade
from sqlalchemy import make_url, text

from app.clock import now
from app.extensions import db
from app.identifiers import new_id
from app.ingest.records import NewEvent
from app.ingest.stores import open_store
from app.processing.batch import process_batch
from app.processing.pace import ALONE
from bench.measured import Measured, Round, keep
from tests.apps import close_app, make_app
from tests.factories import Team, make_team
from tests.ingest.test_recorder import make_event
from tests.postgres import PostgresCluster

PROCESSES = (1, 2, 4, 8)
BATCHES = (1, 15, 100, 500)
BODY = b'{"workflow_slug": "invoice-sync", "ended_at": "2026-01-15T09:31:00Z"}'.ljust(400)
TABLES = ("events", "runs", "rollups")
WEIGHED, BYTES = "an event on disk", "bytes"


class _Batch:
    """Events that one commit takes."""

    def __init__(self, events: list[NewEvent]) -> None:
        self._events = events

    def take(self) -> list[NewEvent]:
        return self._events

    def give_back(self) -> None:
        """Nobody gives up here."""


def write(
    url: str,
    team: Team,
    batch: int,
    seconds: float,
    gate: Gate,
    counts: "multiprocessing.Queue[int]",
) -> None:
    """Commit batch after batch for so long, as a recorder does; tells how many events."""
    store, count = open_store(make_url(url)), 0
    event = make_event(team, body=BODY, body_size=len(BODY), headers='[["Host", "localhost"]]')
    gate.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        moment = now()
        store.append_events(
            _Batch([event._replace(public_id=new_id(), received_at=moment) for _ in range(batch)])
        )
        count += batch
    counts.put(count)


def measure(url: str, team: Team, processes: int, batch: int, seconds: float) -> float:
    """Events per second."""
    spawn = multiprocessing.get_context("fork")
    gate, counts = spawn.Event(), spawn.Queue()
    arguments = (url, team, batch, seconds, gate, counts)
    writers = [spawn.Process(target=write, args=arguments) for _ in range(processes)]
    for writer in writers:
        writer.start()
    time.sleep(0.5)
    gate.set()
    total = sum(counts.get() for _ in writers)
    for writer in writers:
        writer.join()
    return total / seconds


def count_bytes(url: str, team: Team, count: int) -> Round:
    """What an event, its run and their indexes take on disk once they are processed."""
    store = open_store(make_url(url))
    for start in range(0, count, 500):
        moment = now()
        store.append_events(
            _Batch(
                [
                    make_event(
                        team,
                        body=BODY,
                        body_size=len(BODY),
                        headers='[["Host", "flowpulse.example.org"], ["User-Agent", "axios/1.7"], '
                        '["Content-Type", "application/json"], ["Accept", "*/*"]]',
                        user_agent="axios/1.7",
                        received_at=moment,
                        next_attempt_at=moment,
                        payload='{"workflow_slug": "invoice-sync", "duration_ms": 812, "ended_at":'
                        f' "2026-01-15T09:31:00Z", "external_execution_id": "{number}"}}',
                    )
                    for number in range(start, start + 500)
                ]
            )
        )
    while process_batch(ALONE["postgresql"]):
        pass
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    sizes = dict.fromkeys(("tables", "indexes"), 0.0)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("VACUUM")
        for table in _all_tables(connection):
            row = connection.execute(
                "SELECT pg_table_size(%s::regclass), pg_indexes_size(%s::regclass)", (table, table)
            ).fetchone()
            assert row is not None
            sizes["tables"] += row[0] / count
            sizes["indexes"] += row[1] / count
    return {**sizes, BYTES: sum(sizes.values())}


def _all_tables(connection: psycopg.Connection[Any]) -> list[str]:
    """With the months that events are made of."""
    months = connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass"
    )
    return [*TABLES, *(name for (name,) in months)]


@contextmanager
def prepared(folder: Path) -> Iterator[tuple[str, Team]]:
    cluster = PostgresCluster(durable=True)
    url = cluster.create_database("writers")
    app = make_app(url, folder)
    with app.app_context():
        upgrade()
        yield url, make_team()
        db.session.remove()
    close_app(app)
    cluster.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.writers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds over all of them (5)")
    parser.add_argument("--seconds", type=float, default=4, help="seconds of each measure (4)")
    parser.add_argument("--events", type=int, default=20_000, help="events that are weighed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, prepared(Path(folder)) as (url, team):
        db.session.rollback()
        db.engine.dispose()
        results: dict[str, list[Round]] = {by(processes): [] for processes in PROCESSES}
        for number in range(1, options.rounds + 1):
            for processes in PROCESSES:
                rates = {
                    per_commit(batch): measure(url, team, processes, batch, options.seconds)
                    for batch in BATCHES
                }
                results[by(processes)].append(rates)
                told = {name: round(rate) for name, rate in rates.items()}
                print(number, by(processes), told, flush=True)
            empty()
        results[WEIGHED] = [count_bytes(url, team, options.events)]
    keep("writers", Measured(options.rounds, round(options.seconds), results))


def empty() -> None:
    """Each round begins with the same."""
    for table in TABLES:
        db.session.execute(text(f"TRUNCATE {table} CASCADE"))
        db.session.commit()
    db.session.remove()
    db.engine.dispose()


def by(processes: int) -> str:
    return f"{processes} processes"


def per_commit(batch: int) -> str:
    return f"{batch} a commit"


if __name__ == "__main__":
    main()
