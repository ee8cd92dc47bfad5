"""`python -m bench.growth`: what grows with the log: fills databases with more and more events and
times inserts, claims, pages and searches in each.

Writes docs/performance-growth.md, of both databases or of one.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, select, text

from app.clock import now
from app.extensions import db, is_sqlite
from app.models import Event, Run
from bench.growth_measures import MEASURES, Subject, clock
from bench.growth_report import Step, describe
from bench.measured import Measured, Round, keep, last, machine
from bench.multiply import fill_many
from bench.servers import ROOT, collect_as_served
from tests.apps import close_app, make_app
from tests.channels.deliveries import store_channels
from tests.factories import make_alert, make_team
from tests.postgres import PostgresCluster

REPORT = ROOT / "docs" / "performance-growth.md"
COUNTS = (10_000, 100_000, 1_000_000, 10_000_000)
KINDS = ("sqlite", "postgresql")
PLAIN = ("asked", "events", "runs", "fill_seconds", "size_mb")
"""What a step tells beside its figures."""
_BUSY = (
    "The machine was busy with other things: a page of a search, whose 40 ms are those that pass, "
    "read far less in them than it does alone."
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--database", choices=KINDS, help="one of them alone")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="numbers of events")
    parser.add_argument("--folder", type=Path, help="where databases are made (a temporary one)")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="take the process's own time, as the machine is busy with something else; for SQLite",
    )
    parser.add_argument("--report", type=Path, default=REPORT, help=f"what is written ({REPORT})")
    options = parser.parse_args()
    kinds = [options.database] if options.database else list(KINDS)
    if options.processor_time:
        clock.now = time.process_time  # type: ignore[method-assign]
    steps = read_steps(last("growth"))
    for kind in kinds:
        for count in options.counts:
            step = measure(kind, count, options.folder)
            steps = [each for each in steps if (each.kind, each.asked) != (kind, count)] + [step]
            print(json.dumps(step._asdict()), flush=True)
            keep("growth", as_measured(steps))
            options.report.write_text(_introduction(options.processor_time) + describe(steps))


def as_measured(steps: Iterable[Step]) -> Measured:
    """A subject for each kind of database and number of events, with one round."""
    return Measured(1, 0, {name_of(each.kind, each.asked): [flatten(each)] for each in steps})


def name_of(kind: str, asked: int) -> str:
    return f"{kind}, {asked:,} events"


def flatten(step: Step) -> Round:
    whole = step._asdict()
    return {name: whole[name] for name in PLAIN} | step.figures


def read_steps(measured: Measured | None) -> list[Step]:
    """What `as_measured` made of them."""
    if measured is None:
        return []
    steps = []
    for subject, rounds in measured.subjects.items():
        figures, kind = dict(rounds[0]), subject.partition(",")[0]
        plain = {name: cast(Any, figures.pop(name)) for name in PLAIN}
        steps.append(Step(kind=kind, **plain, figures=figures))
    return steps


def measure(kind: str, count: int, parent: Path | None) -> Step:
    """Fill a fresh database, measure, and remove it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=parent)))
        if kind == "sqlite":
            url = f"sqlite:///{folder}/growth.db"
        else:
            cluster = PostgresCluster(durable=True)
            stack.callback(cluster.stop)
            url = cluster.create_database("growth")
        app = make_app(url, folder)
        stack.callback(close_app, app)
        with app.app_context():
            return _measure(app, kind, count)


def _measure(app: Flask, kind: str, count: int) -> Step:
    upgrade()
    team = make_team()
    started = time.monotonic()
    fill_many(team, count, now())
    filled = time.monotonic() - started
    store_channels(team.workspace_id, ["On call"])
    make_alert(team.workspace_id, team.workflow_id)
    collect_as_served()
    subject = Subject(app, team)
    figures = dict(_run(subject))
    events, runs = (db.session.scalar(select(func.count(each.id))) or 0 for each in (Event, Run))
    db.session.remove()
    return Step(kind, count, events, runs, filled, _size_mb(), figures)


def _run(subject: Subject) -> Iterator[tuple[str, float]]:
    """Each measure in turn; what it says of itself is printed as it comes."""
    for measure_one in MEASURES:
        for name, figure in measure_one(subject):
            print(f"  {name}: {figure:,.3f}", flush=True)
            yield name, figure


def _size_mb() -> float:
    query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    if not is_sqlite():
        query = "SELECT pg_database_size(current_database())"
    return float(db.session.scalar(text(query)) or 0) / 2**20


def _introduction(is_processor_time: bool) -> str:
    time_of, busy = "times", ""
    if is_processor_time:
        time_of, busy = "processor times", " " + _BUSY
    return (
        "# Performance as the log grows\n\n"
        "Written by `make bench-growth`: each column is a fresh database with so many requests of "
        "30 days, of 20 workflows and 7 keys, and the runs and sums that the worker makes of them; "
        "refused requests of the last 7 days, as retention leaves them. Figures without a unit are "
        f"median {time_of} in ms (in brackets p95, of inserts p99) in one process, without a "
        "network; each insert is on disk before it counts. The last column is the most events "
        f"against the fewest.{busy}\n\n"
        f"Machine: {machine()}. Date: {datetime.now(UTC):%Y-%m-%d}.\n\n"
    )


if __name__ == "__main__":
    main()
