"""`python -m bench`: interleaved rounds, medians and spread, written to docs/performance.md."""

import argparse
import os
import platform
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.load import CONNECTIONS, NoLoadGenerator, Round, run_round
from bench.servers import ROOT, Server
from bench.subjects import BODY_BYTES, bare_view, flowpulse
from tests.postgres import PostgresCluster

REPORT = ROOT / "docs" / "performance.md"
Results = dict[str, list[Round]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each subject (5)")
    parser.add_argument("--seconds", type=int, default=6, help="seconds of each round (6)")
    parser.add_argument("--no-postgresql", action="store_true", help="measure SQLite alone")
    options = parser.parse_args()
    try:
        results = measure(options.rounds, options.seconds, not options.no_postgresql)
    except NoLoadGenerator as error:
        raise SystemExit(str(error)) from error
    report = describe(results, options.rounds, options.seconds)
    REPORT.write_text(report)
    print(report)


def measure(rounds: int, seconds: int, with_postgresql: bool) -> Results:
    """A B C A B C …: each subject runs alone for its round, so that drift hits all alike."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        subjects = make_subjects(Path(folder), stack, with_postgresql)
        results: Results = {subject.name: [] for subject in subjects}
        for number in range(rounds + 1):
            for subject in subjects:
                with subject.running() as process:
                    run_round(subject, process, 1)
                    measured = run_round(subject, process, seconds)
                if number:  # The first round warms the machine up.
                    results[subject.name].append(measured)
                    print(f"{number} {subject.name}: {measured.requests_per_second:.0f}/s")
    return results


def make_subjects(folder: Path, stack: ExitStack, with_postgresql: bool) -> list[Server]:
    sqlite = flowpulse("run-success, SQLite", folder / "sqlite")
    subjects = [bare_view(), sqlite]
    if with_postgresql:
        cluster = PostgresCluster(durable=True)
        stack.callback(cluster.stop)
        url = cluster.create_database("bench")
        subjects.append(flowpulse("run-success, PostgreSQL", folder / "postgresql", url))
    subjects.append(replace(sqlite, name="with Idempotency-Key", with_idempotency_key=True))
    unknown = {"X-API-Key": "fp_not-a-key"}
    subjects.append(replace(sqlite, name="rejected with 401", headers=unknown, expected=401))
    subjects.append(replace(sqlite, name="rejected with 400", body="{}", expected=400))
    return subjects


def describe(results: Results, rounds: int, seconds: int) -> str:
    """The Markdown page: a row for each subject, ratios to the bare view within one run."""
    bare = results["bare Flask view"]
    lines = [
        "# Performance",
        "",
        "Written by `make bench`. Each subject runs under the same `gunicorn.conf.py` (gevent, "
        f"two web processes) with {CONNECTIONS} connections and bodies of {BODY_BYTES} bytes, "
        f"{rounds} rounds of {seconds} s, taken in turn (A B C A B C …); the table has medians, "
        "and the spread from the slowest to the fastest round. Every feature is on: warnings, "
        'rate limits, the log; "with Idempotency-Key" is run-success on SQLite with a key of its '
        "own on each request. Each 202 is on disk before it is sent "
        "(SQLite `synchronous=FULL`, PostgreSQL `synchronous_commit=on` and `fsync=on`). The "
        "worker is not running; the load generator shares the machine's cores.",
        "",
        f"Machine: {machine()}. Date: {datetime.now(UTC):%Y-%m-%d}.",
        "",
        "| | requests/s | of bare | spread | p50 ms | p99 ms | CPU ms/request | of bare "
        "| memory MB | errors |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [row(name, measured, bare) for name, measured in results.items()]
    return "\n".join(lines) + "\n"


def row(name: str, measured: list[Round], bare: list[Round]) -> str:
    rates = [each.requests_per_second for each in measured]
    rate = median(measured, "requests_per_second")
    cpu = median(measured, "cpu_ms")
    cells = [
        name,
        f"{rate:,.0f}",
        f"{rate / median(bare, 'requests_per_second'):.3f}",
        f"{min(rates):,.0f} – {max(rates):,.0f}",
        f"{median(measured, 'p50_ms'):.1f}",
        f"{median(measured, 'p99_ms'):.1f}",
        f"{cpu:.3f}",
        f"{cpu / median(bare, 'cpu_ms'):.2f}",
        f"{median(measured, 'memory_mb'):.0f}",
        str(sum(each.errors for each in measured)),
    ]
    return f"| {' | '.join(cells)} |"


def median(measured: list[Round], name: str) -> float:
    return statistics.median(getattr(each, name) for each in measured)


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB memory, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
