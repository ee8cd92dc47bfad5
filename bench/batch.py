"""`python -m bench.batch`: events a second in batches of several sizes, beside single requests.

Writes the table to docs/performance-batch.md. `make bench-batch` calls it.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.__main__ import machine
from bench.load import CONNECTIONS, NoLoadGenerator, Round, run_round
from bench.servers import ROOT, Server
from bench.subjects import BODY_BYTES, flowpulse
from tests.postgres import PostgresCluster

REPORT = ROOT / "docs" / "performance-batch.md"
PATH = "/api/v1/ingest/batch"
SIZES = (1, 10, 100, 500)
FEW_CONNECTIONS = 4
"""For batches of 100 and more: senders of such are few."""


@dataclass(frozen=True)
class Subject:
    """A way to send: so many events in each request, over so many connections."""

    server: Server
    events: int = 1
    connections: int = CONNECTIONS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each subject (5)")
    parser.add_argument("--seconds", type=int, default=6, help="seconds of each round (6)")
    parser.add_argument("--no-postgresql", action="store_true", help="measure SQLite alone")
    options = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        databases = {"SQLite": flowpulse("SQLite", Path(folder) / "sqlite")}
        if not options.no_postgresql:
            cluster = PostgresCluster(durable=True)
            stack.callback(cluster.stop)
            url = cluster.create_database("bench")
            databases["PostgreSQL"] = flowpulse("PostgreSQL", Path(folder) / "postgresql", url)
        subjects = {name: list_subjects(server) for name, server in databases.items()}
        try:
            report = describe(subjects, measure(subjects, options), options)
        except NoLoadGenerator as error:
            raise SystemExit(str(error)) from error
    REPORT.write_text(report)
    print(report)


def list_subjects(single: Server) -> list[Subject]:
    """Single requests first: what the others are compared with."""
    keyed = {"with_idempotency_key": True}
    subjects = [Subject(replace(single, name="single requests"))]
    for size in SIZES:
        name = f"batches of {size}"
        server = replace(single, name=name, path=PATH, body=make_batch(single.body, size))
        connections = CONNECTIONS if size < 100 else FEW_CONNECTIONS
        subjects.append(Subject(server, size, connections))
        if size == 100:
            server = replace(server, name=f"{name}, with Idempotency-Key", **keyed)
            subjects.append(Subject(server, size, connections))
    return subjects


def make_batch(event: str, size: int) -> str:
    return json.dumps({"events": [{"kind": "run-success", **json.loads(event)}] * size})


def measure(
    subjects: dict[str, list[Subject]], options: argparse.Namespace
) -> dict[str, list[list[Round]]]:
    """A B C A B C …: each subject runs alone for its round, so that drift hits all alike."""
    results: dict[str, list[list[Round]]] = {
        name: [[] for _ in those] for name, those in subjects.items()
    }
    for number in range(options.rounds + 1):
        for name, those in subjects.items():
            for place, subject in enumerate(those):
                with subject.server.running() as process:
                    run_round(subject.server, process, 1, subject.connections)
                    measured = run_round(
                        subject.server, process, options.seconds, subject.connections
                    )
                if number:  # The first round warms the machine up.
                    results[name][place].append(measured)
                    rate = measured.requests_per_second * subject.events
                    print(f"{number} {name}, {subject.server.name}: {rate:,.0f} events/s")
    return results


def describe(
    subjects: dict[str, list[Subject]],
    results: dict[str, list[list[Round]]],
    options: argparse.Namespace,
) -> str:
    lines = [
        "# Performance of batches",
        "",
        f"Written by `make bench-batch`. Events of {BODY_BYTES} bytes, alone and in "
        "[batches](batch.md), under the server's own settings (gevent, two web processes), over "
        f"{CONNECTIONS} connections, or {FEW_CONNECTIONS} where a batch holds 100 and more; "
        f"{options.rounds} rounds of {options.seconds} s, taken in turn; medians, and the spread "
        "from the slowest to the fastest round. p50 and p99 are those of a request, whatever it "
        'holds. "With Idempotency-Key": each batch has one of its own, which stands for one of '
        "each event. Each answer follows the disk. The worker is not running; the load generator "
        "shares the machine's cores.",
        "",
        f"Machine: {machine()}. Date: {datetime.now(UTC):%Y-%m-%d}.",
    ]
    for name, those in subjects.items():
        lines += ["", f"## {name}", "", *table(those, results[name])]
    return "\n".join(lines) + "\n"


def table(subjects: Sequence[Subject], measured: Sequence[list[Round]]) -> list[str]:
    single = median(measured[0], "requests_per_second")
    lines = [
        "| | events/s | of single | spread | requests/s | p50 ms | p99 ms | CPU ms/event "
        "| memory MB | errors |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for subject, rounds in zip(subjects, measured, strict=True):
        rates = [each.requests_per_second * subject.events for each in rounds]
        cells = [
            subject.server.name,
            f"{statistics.median(rates):,.0f}",
            f"{statistics.median(rates) / single:.2f}",
            f"{min(rates):,.0f} – {max(rates):,.0f}",
            f"{median(rounds, 'requests_per_second'):,.0f}",
            f"{median(rounds, 'p50_ms'):.1f}",
            f"{median(rounds, 'p99_ms'):.1f}",
            f"{median(rounds, 'cpu_ms') / subject.events:.3f}",
            f"{median(rounds, 'memory_mb'):.0f}",
            str(sum(each.errors for each in rounds)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def median(rounds: Sequence[Round], name: str) -> float:
    return statistics.median(getattr(each, name) for each in rounds)


if __name__ == "__main__":
    main()
