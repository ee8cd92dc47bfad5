"""`python -m bench.pages`: the server time of every page of the console with many events, and of
the log with each kind of filter.

Writes the table to docs/performance-pages.md. `make bench-pages` calls it.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import select

from app.extensions import db
from app.models import Alert, AlertRule, ApiKey, Channel, Delivery, Event, Run, Workflow
from bench.events import fill, list_filters
from bench.machine import machine
from bench.measured import Measured, Round, keep
from bench.servers import ROOT, collect_as_served
from tests.apps import close_app, make_app
from tests.channels.deliveries import store_channels
from tests.console.pages import sign_in
from tests.factories import Team, make_alert, make_team
from tests.pages_map import addresses
from tests.postgres import PostgresCluster

REPORT = ROOT / "docs" / "performance-pages.md"
COUNTS = (100_000, 1_000_000)
LIMITS_MS = {100_000: 100, 1_000_000: 300}
"""What the 95th percentile of a page's server time may be, by the number of events."""
ROUNDS = 40


@dataclass(frozen=True)
class Timing:
    """One page's server time in ms, and its size in KB."""

    path: str
    median_ms: float
    p95_ms: float
    size_kb: float
    errors: int

    def as_round(self) -> Round:
        """All but the path."""
        return {name: value for name, value in asdict(self).items() if name != "path"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="numbers of events")
    parser.add_argument("--no-postgresql", action="store_true", help="measure SQLite alone")
    options = parser.parse_args()
    sections, kept = [], dict[str, list[Round]]()
    for kind, count, timings in measure_all(options.counts, not options.no_postgresql):
        kept |= {f"{kind}, {count:,} events, `{each.path}`": [each.as_round()] for each in timings}
        keep("pages", Measured(ROUNDS, 0, kept))
        sections.append(describe(kind, count, timings))
        print(sections[-1], flush=True)
        REPORT.write_text("\n\n".join([introduction(), *sections]) + "\n")


def measure_all(
    counts: list[int], with_postgresql: bool
) -> Iterator[tuple[str, int, list[Timing]]]:
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for count in counts:
            urls = {"SQLite": f"sqlite:///{folder}/{count}.db"}
            if with_postgresql:
                cluster = PostgresCluster()
                stack.callback(cluster.stop)
                urls["PostgreSQL"] = cluster.create_database("pages")
            for kind, url in urls.items():
                yield kind, count, measure(url, Path(folder), count)


def measure(url: str, folder: Path, count: int) -> list[Timing]:
    """Fill a fresh database, then open each page in turn, round by round."""
    app = make_app(url, folder)
    with app.app_context():
        upgrade()
        team = make_team()
        fill(team, count)
        store_channels(team.workspace_id, ["On call"])
        make_alert(team.workspace_id, team.workflow_id)
        filters = [f"/events?{query}" for query in list_filters(team).values() if query]
        paths = list(dict.fromkeys([*addresses(find_ids()), *filters]))
        db.session.remove()
        times = open_pages(app, team, paths)
        db.session.remove()
    close_app(app)
    return times


def find_ids() -> dict[str, list[str]]:
    """The newest refused and processed event, a workflow, a key, a group of problems."""
    newest = select(Event).order_by(Event.id.desc())
    refused = db.session.scalars(newest.where(Event.fingerprint.is_not(None)).limit(1)).one()
    processed = db.session.scalars(newest.where(Event.state == "processed").limit(1)).one()
    return {
        "event": [refused.public_id, processed.public_id],
        "workflow": [db.session.scalars(select(Workflow.public_id).limit(1)).one()],
        "run": [db.session.scalars(select(Run.public_id).limit(1)).one()],
        "key": [db.session.scalars(select(ApiKey.public_id).limit(1)).one()],
        "problem": [str(refused.fingerprint)],
        "alert": [db.session.scalars(select(Alert.public_id).limit(1)).one()],
        "rule": [db.session.scalars(select(AlertRule.public_id).limit(1)).one()],
        "channel": [db.session.scalars(select(Channel.public_id).limit(1)).one()],
        "delivery": [db.session.scalars(select(Delivery.public_id).limit(1)).one()],
    }


def open_pages(app: Flask, team: Team, paths: list[str]) -> list[Timing]:
    client = app.test_client()
    sign_in(client, team.email)
    times: dict[str, list[float]] = {path: [] for path in paths}
    sizes, errors = {}, Counter[str]()
    collect_as_served()
    for number in range(ROUNDS + 1):
        for path in paths:
            started = time.perf_counter()
            answer = client.get(path, follow_redirects=True)
            errors[path] += answer.status_code != 200
            if number:  # The first round warms caches up.
                times[path].append((time.perf_counter() - started) * 1_000)
            sizes[path] = len(answer.data) / 1024
    return [
        Timing(
            path,
            statistics.median(each),
            statistics.quantiles(each, n=20)[-1],
            sizes[path],
            errors[path],
        )
        for path, each in times.items()
    ]


def introduction() -> str:
    return (
        "# Performance of the console's pages\n\n"
        "Written by `make bench-pages`: the server time of each page, in one process without a "
        f"network, {ROUNDS} rounds in turn over all pages, with events of 30 days of 20 workflows, "
        "2 % of them refused. p95 is the 95th percentile; its limit is 100 ms with 100,000 events "
        "and 300 ms with 1,000,000.\n\n"
        f"Machine: {machine()}. Date: {datetime.now(UTC):%Y-%m-%d}."
    )


def describe(kind: str, count: int, timings: list[Timing]) -> str:
    limit = LIMITS_MS.get(count)
    lines = [
        f"## {kind}, {count:,} events",
        "",
        "| page | median ms | p95 ms | HTML KB | errors | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for each in timings:
        verdict = "over" if limit and each.p95_ms > limit else ""
        lines.append(
            f"| `{each.path}` | {each.median_ms:.0f} | {each.p95_ms:.0f} | {each.size_kb:.0f} "
            f"| {each.errors} | {verdict} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
