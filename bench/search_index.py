"""`python -m bench.search_index`: what an index of texts would cost, and what it would bring.

FTS5 and pg_trgm, both by trigrams: any part of a word is found, as by the search in windows. A log
with the index and one without take turns. Writes docs/performance-search.md.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import psutil
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import text

from app.clock import now
from app.console.event_filter import read_filter
from app.console.event_pages import Place, find_page
from app.extensions import db, writing
from app.ingest.stores import open_store
from bench.measured import Measured, Round, keep
from bench.multiply import fill_many
from bench.new_events import Batch, make_event
from bench.search_report import BATCH, PART, SOUGHT, indexed, looks_of, plain, search_of, write
from bench.servers import cpu_seconds
from tests.apps import close_app, make_app
from tests.factories import Team, make_team
from tests.postgres import PostgresCluster

ROUNDS, COMMITS, TIMES = 5, 60, 3
# Generous to the index: of each event one text alone, where the search looks into ten columns.
MAKE = {
    "sqlite": (
        "CREATE VIRTUAL TABLE event_texts USING fts5(words, tokenize='trigram', content='')",
        "INSERT INTO event_texts (rowid, words) "
        "SELECT id, coalesce(payload, CAST(body AS TEXT)) FROM events",
        "CREATE TRIGGER index_text AFTER INSERT ON events BEGIN INSERT INTO event_texts "
        "(rowid, words) VALUES (new.id, coalesce(new.payload, CAST(new.body AS TEXT))); END",
    ),
    "postgresql": (
        "CREATE EXTENSION pg_trgm",
        "CREATE INDEX ix_events_text ON events USING gin (lower(payload) gin_trgm_ops)",
        "ANALYZE events",
    ),
}
SEARCH = {
    "sqlite": "SELECT rowid FROM event_texts WHERE words MATCH '\"' || :sought || '\"' "
    "ORDER BY rowid DESC LIMIT 37",
    "postgresql": "SELECT id FROM events WHERE lower(payload) LIKE '%' || :sought || '%' "
    "ORDER BY id DESC LIMIT 37",
}
SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


class Searched(NamedTuple):
    """A filled database, open in this process; `server` is PostgreSQL's, whose time counts."""

    name: str
    kind: str
    app: Flask
    team: Team
    bytes_an_event: float
    server: psutil.Process | None
    is_indexed: bool


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.search_index", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="events (100000)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds ({ROUNDS})")
    options = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        cluster = PostgresCluster(durable=True)
        stack.callback(cluster.stop)
        server = psutil.Process(cluster.process.pid) if cluster.process else None
        opened = [
            open_log(url, Path(folder), options.count, process, is_indexed, stack)
            for kind, process in (("sqlite", None), ("postgresql", server))
            for is_indexed in (False, True)
            for url in [
                cluster.create_database(f"texts_{is_indexed}".lower())
                if kind == "postgresql"
                else f"sqlite:///{folder}/texts-{is_indexed}.db"
            ]
        ]
        keep(PART, measure(opened, options.rounds, options.count))
    write()


def open_log(
    url: str,
    folder: Path,
    count: int,
    server: psutil.Process | None,
    is_indexed: bool,
    stack: ExitStack,
) -> Searched:
    """Fill it; the bytes are those of all there is, or of the index alone."""
    app = make_app(url, folder)
    stack.callback(close_app, app)
    with app.app_context():
        upgrade()
        team, kind = make_team(), db.engine.dialect.name
        fill_many(team, count, now(), stretch=min(10_000, max(count // 100, 10)))
        before = _read_size(kind) if is_indexed else 0.0
        if is_indexed:
            with writing() as session:
                for statement in MAKE[kind]:
                    session.execute(text(statement))
        size = _read_size(kind) - before
        db.session.remove()
    name = indexed(kind) if is_indexed else plain(kind)
    print(f"{name}: filled", flush=True)
    return Searched(name, kind, app, team, size / count, server, is_indexed)


def measure(opened: list[Searched], rounds: int, count: int) -> Measured:
    """A B C D, A B C D …; the first round only warms up."""
    results: dict[str, list[Round]] = {each.name: [] for each in opened}
    for number in range(rounds + 1):
        for each in opened:
            with each.app.app_context():
                found = dict(measure_once(each))
                db.session.remove()
            if number:
                of_all = {"events": count, "bytes": each.bytes_an_event}
                results[each.name].append(found | of_all)
                print(f"{number} {each.name}: {found}", flush=True)
    return Measured(rounds, 0, results)


def measure_once(log: Searched) -> Iterator[tuple[str, float]]:
    yield from time_inserts(log.team, log.server)
    for where, sought in SOUGHT.items():
        if log.is_indexed:
            yield search_of(where), _time_search(log.kind, sought.lower())
            continue
        walks = [walk(log.team, sought) for _ in range(TIMES)]
        yield search_of(where), statistics.median(each.total_ms for each in walks)
        yield looks_of(where), statistics.median(each.looks for each in walks)


class Walk(NamedTuple):
    """A search by windows until a page is full, or all events are looked at: ms in all, and how
    many pages, each of which aims at SECONDS."""

    total_ms: float
    looks: int


def walk(team: Team, sought: str) -> Walk:
    """As the console does: it goes on by itself where a page ran out of time."""
    wanted, scope = read_filter({"q": sought}, team.workspace_id), [team.workspace_id, None]
    started, looks = time.perf_counter(), 1
    page = find_page(scope, wanted)
    while page.stopped_at is not None:
        page, looks = find_page(scope, wanted, Place(before=page.older)), looks + 1
    took = (time.perf_counter() - started) * 1_000
    db.session.remove()
    return Walk(took, looks)


def time_inserts(team: Team, server: psutil.Process | None) -> Iterator[tuple[str, float]]:
    """What a commit takes, and the database's processor time for an event."""
    batches = [Batch([make_event(team) for _ in range(BATCH)]) for _ in range(COMMITS)]
    clock: Callable[[], float] = (
        time.process_time if server is None else lambda: cpu_seconds(server)
    )
    times, worked = [], clock()
    with closing(open_store(db.engine.url)) as store:
        for batch in batches:
            started = time.perf_counter()
            store.append_events(batch)
            times.append((time.perf_counter() - started) * 1_000)
        worked = clock() - worked  # While the connection, and its process, still live.
    yield "commit_ms", statistics.median(times)
    yield "cpu_us", worked / (BATCH * COMMITS) * 1e6


def _read_size(kind: str) -> float:
    size = float(db.session.scalar(text(SIZE[kind])) or 0)
    db.session.rollback()
    return size


def _time_search(kind: str, sought: str) -> float:
    times = []
    for _ in range(TIMES):
        started = time.perf_counter()
        db.session.execute(text(SEARCH[kind]), {"sought": sought}).all()
        times.append((time.perf_counter() - started) * 1_000)
    db.session.rollback()
    return statistics.median(times)


if __name__ == "__main__":
    main()
