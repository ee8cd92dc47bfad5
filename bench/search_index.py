"""`python -m bench.search_index`: what an index of texts would cost, and what it would bring.

FTS5 and pg_trgm, both by trigrams: any part of a word is found, as by the search in windows. Writes
docs/performance-search.md.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil
from flask_migrate import upgrade
from sqlalchemy import text

from app.api import search as api
from app.clock import now
from app.console.event_filter import read_filter
from app.console.event_pages import Place, find_page
from app.console.event_search import SECONDS
from app.extensions import db, writing
from app.ingest.stores import open_store
from app.windows import LARGEST_WINDOW
from bench.events import ERRORS, NEEDLE
from bench.growth_report import NAMES
from bench.machine import machine
from bench.multiply import fill_many
from bench.new_events import Batch, make_event
from bench.servers import ROOT
from tests.apps import close_app, make_app
from tests.factories import Team, make_team
from tests.postgres import PostgresCluster

REPORT = ROOT / "docs" / "performance-search.md"
BATCH, ROUNDS = 16, 200
SOUGHT = (NEEDLE, ERRORS[2][:7], "no-such-text")
"""Found at the very end, found at once, and nowhere."""
TIMES = 5
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


class Cost(NamedTuple):
    """What a commit takes in ms, and the database's processor time for an event in µs."""

    commit_ms: float
    cpu_us: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.search_index", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="events (100000)")
    options = parser.parse_args()
    lines = [
        "| | commit of 16, ms | processor time an event, µs | bytes an event (the index alone) "
        "| a search |",
        "|---|---:|---:|---:|---|",
    ]
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        cluster = PostgresCluster(durable=True)
        stack.callback(cluster.stop)
        server = psutil.Process(cluster.process.pid) if cluster.process else None
        for url, process in (
            (f"sqlite:///{folder}/texts.db", None),
            (cluster.create_database("texts"), server),
        ):
            for line in measure(url, Path(folder), options.count, process):
                print(line, flush=True)
                lines.append(line)
    REPORT.write_text("\n".join([introduction(options.count), *lines]) + "\n")


def introduction(count: int) -> str:
    return (
        "# Searching the log\n\n"
        "**The bound.** A search reads the log from the newest event to the oldest, in windows of "
        f"ids that grow to {LARGEST_WINDOW:,} events and shrink with the time they take. A page of "
        f"the console aims at {SECONDS * 1_000:.0f} ms (one of the API's lists, by what no index "
        f"answers, at {api.SECONDS * 1_000:.0f} ms), and ends with the look that it is in then: "
        "what that came to, as median and p95, stands in "
        "[performance-growth.md](performance-growth.md). Then it shows what it has found, says how "
        "far it came, and goes on from there by itself. What an index knows is there at once, "
        "however old it is: the id of an event, an execution id, a correlation id; the few events "
        "that failed or were refused. How many events a second are read, and how long a search for "
        "what is nowhere takes to the end of ten million, stands in "
        "[performance-growth.md](performance-growth.md), in the rows *search of …*.\n\n"
        "**Why no index of texts.** Written by `make bench-search`: with "
        f"{count:,} events, commits of {BATCH} events by the ingest service's own statements, as "
        "the log is and with an index by trigrams (FTS5 on SQLite, `pg_trgm` on PostgreSQL), which "
        "finds parts of words as the search does. The index has it easy: it holds one text of each "
        "event, where the search looks into ten columns and the body, and half of that text is one "
        "letter repeated.\n\n"
        "What a search takes as it is: from the newest event until a page is full, or to the end "
        "of all events; where that needs more than one look, the page has shown what there was "
        "after each.\n\n"
        "An index answers within milliseconds and still loses: each event pays for it when it "
        "comes in, on the road that is to be the fastest, and once more when retention removes it; "
        "nearly all events are never searched for. It finds nothing shorter than three letters, "
        "and folds letters in its own way on each database. A search for something recent, which "
        "is what people do, ends in the first windows either way.\n\n"
        f"Machine: {machine()}. Date: {datetime.now(UTC):%Y-%m-%d}.\n"
    )


def measure(url: str, folder: Path, count: int, server: psutil.Process | None) -> Iterator[str]:
    app = make_app(url, folder)
    with app.app_context():
        upgrade()
        team = make_team()
        fill_many(team, count, now())
        kind = db.engine.dialect.name
        size = _read_size(kind)
        windows = ", ".join(f"“{sought}” {describe_search(team, sought)}" for sought in SOUGHT)
        yield _row(f"{NAMES[kind]}, as it is", time_inserts(team, server), size / count, windows)
        before = _read_size(kind)
        with writing() as session:
            for statement in MAKE[kind]:
                session.execute(text(statement))
        indexed = (_read_size(kind) - before) / count
        found = ", ".join(
            f"“{sought}” {_time_search(kind, sought.lower()):.1f} ms" for sought in SOUGHT
        )
        yield _row(
            f"{NAMES[kind]}, what the index adds", time_inserts(team, server), indexed, found
        )
        db.session.remove()
    close_app(app)


class Walk(NamedTuple):
    """A search by windows until a page is full, or all events are looked at: ms in all, and how
    many looks, each of at most SECONDS."""

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


def describe_search(team: Team, sought: str) -> str:
    walks = [walk(team, sought) for _ in range(TIMES)]
    looks = round(statistics.median(each.looks for each in walks))
    in_looks = f" in {looks} looks" if looks > 1 else ""
    return f"{statistics.median(each.total_ms for each in walks):.1f} ms{in_looks}"


def time_inserts(team: Team, server: psutil.Process | None) -> Cost:
    batches = [Batch([make_event(team) for _ in range(BATCH)]) for _ in range(ROUNDS)]
    clock: Callable[[], float] = time.process_time if server is None else lambda: _cpu(server)
    times, worked = [], clock()
    with closing(open_store(db.engine.url)) as store:
        for batch in batches:
            started = time.perf_counter()
            store.append_events(batch)
            times.append((time.perf_counter() - started) * 1_000)
        worked = clock() - worked  # While the connection, and its process, still live.
    return Cost(statistics.median(times), worked / (BATCH * ROUNDS) * 1e6)


def _cpu(server: psutil.Process) -> float:
    processes = [server, *server.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in processes)


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


def _row(name: str, cost: Cost, size: float, found: str) -> str:
    return f"| {name} | {cost.commit_ms:.2f} | {cost.cpu_us:.0f} | {size:.0f} | {found} |"


if __name__ == "__main__":
    main()
