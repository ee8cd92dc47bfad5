"""`python -m bench.move`: how long the move of many events from SQLite to PostgreSQL takes.

Fills a SQLite database, and calls the command as an administrator does. Writes
docs/performance-move.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from flask_migrate import upgrade

from app.extensions import db
from bench.events import fill
from bench.measured import Measured, Round, keep, machine, today
from bench.servers import ROOT
from tests.apps import close_app, make_app
from tests.factories import make_team
from tests.postgres import PostgresCluster
from tests.server import test_environment

REPORT = ROOT / "docs" / "performance-move.md"
MOVE = "move"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.move", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    cluster = PostgresCluster(durable=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            file_mb = _fill(Path(folder), options.events)
            figures, parts = _move(Path(folder), cluster)
    finally:
        cluster.stop()
    figures |= {"events": options.events, "file_mb": file_mb}
    keep("move", Measured(1, round(figures["seconds"]), {MOVE: [figures]}))
    REPORT.write_text(_describe(figures, parts))
    print(REPORT.read_text())


def _fill(folder: Path, count: int) -> float:
    """Returns the file's size in MB."""
    app = make_app(f"sqlite:///{folder}/flowpulse.db", folder)
    with app.app_context():
        upgrade()
        fill(make_team(), count)
        db.session.remove()
    close_app(app)
    return (folder / "flowpulse.db").stat().st_size / 2**20


def _move(folder: Path, cluster: PostgresCluster) -> tuple[Round, dict[str, float]]:
    """What it took, and the seconds of each of its parts."""
    url, server_before = cluster.create_database("moved"), _cpu_seconds(cluster)
    started = time.monotonic()
    command = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "move", "--to", url, "--json"],
        env=test_environment(folder, f"sqlite:///{folder}/flowpulse.db", 8000),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    printed = command.stdout.read()
    _, status, used = os.wait4(command.pid, 0)
    seconds = time.monotonic() - started
    if status:
        raise SystemExit(printed)
    report = json.loads(printed)
    rows = sum(each["rows"] for each in report["tables"])
    figures = {
        "seconds": seconds,
        "rows": rows,
        "rate": rows / seconds,
        "cpu_s": used.ru_utime + used.ru_stime,
        "database_cpu_s": _cpu_seconds(cluster) - server_before,
        "most_mb": used.ru_maxrss / 1024,
    }
    return figures, report["seconds"]


def _describe(figures: Round, parts: dict[str, float]) -> str:
    lines = [
        "# Performance of a move to PostgreSQL",
        "",
        f"Written by `python -m bench.move`: {figures['events']:,.0f} events of 30 days with the "
        "runs that they made, from SQLite to an empty PostgreSQL on the same machine, which syncs "
        "to disk; every row is looked through before, and compared afterwards.",
        "",
        f"Machine: {machine()}. Date: {today()}.",
        "",
        "| Part | Seconds |",
        "| --- | ---: |",
        *(f"| {part} | {seconds:.1f} |" for part, seconds in parts.items()),
        f"| all, with the start of the program | {figures['seconds']:.1f} |",
        "",
        "| | |",
        "| --- | ---: |",
        f"| SQLite file, MB | {figures['file_mb']:,.0f} |",
        f"| rows | {figures['rows']:,.0f} |",
        f"| rows a second | {figures['rate']:,.0f} |",
        f"| CPU of the command, s | {figures['cpu_s']:.0f} |",
        f"| CPU of PostgreSQL, s | {figures['database_cpu_s']:.0f} |",
        f"| most memory of the command, MB | {figures['most_mb']:.0f} |",
    ]
    return "\n".join(lines) + "\n"


def _cpu_seconds(cluster: PostgresCluster) -> float:
    """Of all connections that have ended."""
    assert cluster.process is not None
    times = psutil.Process(cluster.process.pid).cpu_times()
    return float(times.children_user + times.children_system)


if __name__ == "__main__":
    main()
