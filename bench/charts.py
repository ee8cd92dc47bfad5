"""`python -m bench.charts`: the server time of pages with charts, with a million runs of 90 days.

Writes the table to docs/performance-charts.md.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import func, insert, select

from app.clock import now
from app.console.event_search import SECONDS
from app.console.ranges import RANGES
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Run, Workflow
from app.processing.error_groups import find_error_group
from app.processing.rollups import Contribution, add_up
from app.workspaces.workflows import create_workflow
from bench.events import settle
from bench.machine import machine
from bench.measured import Measured, Round, keep
from bench.servers import ROOT, collect_as_served
from tests.apps import close_app, make_app
from tests.console.pages import sign_in
from tests.factories import Team, make_team
from tests.postgres import PostgresCluster

REPORT = ROOT / "docs" / "performance-charts.md"
COUNT, WORKFLOWS, DAYS = 1_000_000, 50, 90
CHUNK = 20_000
LIMIT_MS = 50
ROUNDS = 12
FAILURE_SHARE = 0.04
ZONES = ("Europe/Berlin", "Asia/Kathmandu")
"""An ordinary one, and one that is off UTC by quarters of an hour."""
ERRORS = (
    ("HTTPError", "429 Too Many Requests for order {}"),
    ("ConnectionError", "getaddrinfo ENOTFOUND api.crm.example"),
    ("TimeoutError", "no answer within {} ms"),
    ("ValidationError", "Order {} has no delivery address"),
)


@dataclass(frozen=True)
class Timing:
    """One page's server time in ms, and its size in KB."""

    path: str
    zone: str
    cpu_ms: float
    median_ms: float
    p95_ms: float
    size_kb: float
    errors: int

    def as_round(self) -> Round:
        """Its figures alone."""
        names = ("path", "zone")
        return {name: value for name, value in asdict(self).items() if name not in names}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.charts", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="number of runs")
    parser.add_argument("--no-postgresql", action="store_true", help="measure SQLite alone")
    options = parser.parse_args()
    sections, kept = [], dict[str, list[Round]]()
    for kind, timings in measure_all(options.count, not options.no_postgresql):
        kept |= {f"{kind}, `{each.path}`, {each.zone}": [each.as_round()] for each in timings}
        keep("charts", Measured(ROUNDS, 0, kept))
        sections.append(describe(kind, timings))
        print(sections[-1], flush=True)
        REPORT.write_text("\n\n".join([introduction(options.count), *sections]) + "\n")


def measure_all(count: int, with_postgresql: bool) -> Iterator[tuple[str, list[Timing]]]:
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{folder}/charts.db"}
        if with_postgresql:
            cluster = PostgresCluster()
            stack.callback(cluster.stop)
            urls["PostgreSQL"] = cluster.create_database("charts")
        for kind, url in urls.items():
            yield kind, measure(url, Path(folder), count)


def measure(url: str, folder: Path, count: int) -> list[Timing]:
    app = make_app(url, folder)
    with app.app_context():
        upgrade()
        team = make_team()
        fill(team, count)
        paths = list(list_paths())
        db.session.remove()
        times = open_pages(app, team, paths)
        db.session.remove()
    close_app(app)
    return times


def fill(team: Team, count: int) -> None:
    """Runs of the last 90 days, the first workflows the busiest, with their sums."""
    random, until = Random(1), now()
    for number in range(1, WORKFLOWS):
        create_workflow(team.workspace_id, f"Workflow {number}")
    workflows = list(db.session.scalars(select(Workflow.id).order_by(Workflow.id)))
    weights = [1 / (number + 4) for number in range(len(workflows))]
    for start in range(0, count, CHUNK):
        rows = []
        for number in range(start, min(start + CHUNK, count)):
            at = until - timedelta(days=DAYS) * (1 - (number + 1) / count)
            workflow_id = random.choices(workflows, weights)[0]
            rows.append(make_run(random, team.workspace_id, workflow_id, number, at))
        with writing() as session:
            session.execute(insert(Run.__table__), rows)  # type: ignore[arg-type]
            add_up(session, (each for row in rows for each in Contribution.list_of(row)), until)
    settle()


def make_run(
    random: Random, workspace_id: int, workflow_id: int, number: int, at: datetime
) -> dict[str, Any]:
    failed = random.random() < FAILURE_SHARE
    error_type, message = random.choice(ERRORS)
    message = message.format(number)
    usual = 300 * (1 + workflow_id % 12) ** 2
    slow = 8 if random.random() < 0.0005 else 1
    return {
        "public_id": new_id(),
        "workspace_id": workspace_id,
        "workflow_id": workflow_id,
        "external_execution_id": f"run_{number}",
        "outcome": "failure" if failed else "success",
        "ended_at": at,
        "duration_ms": round(usual * random.lognormvariate(0, 0.4) * slow, 1),
        "source_platform": random.choice(("n8n", "make", "zapier")),
        "correlation_id": f"order-{number // 3}",
        "error_type": error_type if failed else None,
        "error_message": message if failed else None,
        "error_group": find_error_group(error_type, message) if failed else None,
        "decided_by_event_id": number + 1,
        "event_count": 1,
        "is_test": False,
        "created_at": at,
        "updated_at": at,
    }


def list_paths() -> Iterator[tuple[str, str]]:
    """Addresses and zones: of the busiest workflow, of Insights, of the runs."""
    busiest = select(Run.workflow_id).group_by(Run.workflow_id).order_by(func.count().desc())
    workflow = db.session.get_one(Workflow, db.session.scalars(busiest.limit(1)).one())
    run = db.session.scalars(select(Run).order_by(Run.id.desc()).limit(1)).one()
    yield "/", ZONES[0]
    for zone in ZONES:
        for name in RANGES:
            yield f"/insights?range={name}", zone
            yield f"/workflows/{workflow.public_id}?range={name}", zone
    group = find_error_group(*ERRORS[0])
    for query in (
        "",
        "?outcome=failure",
        "?platform=make&outcome=failure",
        f"?workflow={workflow.slug}&outcome=failure",
        f"?error={group}",
        f"?correlation={run.correlation_id}",
        f"?q={run.external_execution_id}",
        "?q=nowhere-to-be-found",
    ):
        yield f"/runs{query}", ZONES[0]
    yield f"/runs/{run.public_id}", ZONES[0]
    yield "/runs/errors", ZONES[0]


def open_pages(app: Flask, team: Team, paths: list[tuple[str, str]]) -> list[Timing]:
    client = app.test_client()
    sign_in(client, team.email)
    times: dict[tuple[str, str], list[float]] = {each: [] for each in paths}
    cpu: dict[tuple[str, str], list[float]] = {each: [] for each in paths}
    sizes, errors = {}, Counter[tuple[str, str]]()
    collect_as_served()
    for number in range(ROUNDS + 1):
        for path, zone in paths:
            client.set_cookie("time_zone", zone)
            started, cpu_before = time.perf_counter(), time.process_time()
            answer = client.get(path)
            took = (time.perf_counter() - started) * 1_000
            worked = (time.process_time() - cpu_before) * 1_000
            errors[path, zone] += answer.status_code != 200
            if number:  # The first round warms caches up.
                times[path, zone].append(took)
                cpu[path, zone].append(worked)
            sizes[path, zone] = len(answer.data) / 1024
    return [
        Timing(
            *key,
            statistics.median(cpu[key]),
            statistics.median(each),
            statistics.quantiles(each, n=20)[-1],
            sizes[key],
            errors[key],
        )
        for key, each in times.items()
    ]


def introduction(count: int) -> str:
    return (
        "# Performance of charts and run history\n\n"
        "Written by `make bench-charts`: the server time of each page, in one process without "
        f"a network, {ROUNDS} rounds in turn over all pages, with {count:,} runs of {DAYS} days of "
        f"{WORKFLOWS} workflows. The workflow is the busiest of them. The median of pages with "
        f"charts may be {LIMIT_MS} ms. CPU is the median of what the process itself worked, with "
        "SQLite and without PostgreSQL's server: it tells more than the median where other "
        "programs keep the machine busy. A search for a text that is nowhere takes the "
        f"{SECONDS * 1_000:.0f} ms that a search may take, and offers to go on.\n\n"
        f"Machine: {machine()}. Date: {datetime.now(UTC):%Y-%m-%d}."
    )


def describe(kind: str, timings: list[Timing]) -> str:
    lines = [
        f"## {kind}",
        "",
        "| page | zone | CPU ms | median ms | p95 ms | HTML KB | errors | |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for each in timings:
        verdict = "over" if "q=nowhere" not in each.path and each.median_ms > LIMIT_MS else ""
        lines.append(
            f"| `{each.path}` | {each.zone} | {each.cpu_ms:.0f} | {each.median_ms:.0f} "
            f"| {each.p95_ms:.0f} | {each.size_kb:.0f} "
            f"| {each.errors} | {verdict} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
