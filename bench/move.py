"""`python -m bench.move`: how long the move of many events from SQLite to PostgreSQL takes.

Fills a SQLite database, calls the command as an administrator does, and prints the time of each
part, rows per second, and the most memory that the command had at once.
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
from bench.measured import machine
from tests.apps import close_app, make_app
from tests.factories import make_team
from tests.postgres import PostgresCluster
from tests.server import test_environment


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.move", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    cluster = PostgresCluster(durable=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            _fill(Path(folder), options.events)
            _move(Path(folder), cluster)
    finally:
        cluster.stop()


def _fill(folder: Path, count: int) -> None:
    app = make_app(f"sqlite:///{folder}/flowpulse.db", folder)
    with app.app_context():
        upgrade()
        fill(make_team(), count)
        db.session.remove()
    close_app(app)
    size = (folder / "flowpulse.db").stat().st_size
    print(f"{count:,} events, {size / 2**20:,.0f} MiB. Machine: {machine()}", flush=True)


def _move(folder: Path, cluster: PostgresCluster) -> None:
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
    print("| Part | Seconds |\n|---|---:|")
    for part, part_seconds in report["seconds"].items():
        print(f"| {part} | {part_seconds:.1f} |")
    print(f"| all | {seconds:.1f} |\n")
    print(f"{rows:,} rows, {rows / seconds:,.0f} a second")
    own, server = used.ru_utime + used.ru_stime, _cpu_seconds(cluster) - server_before
    print(f"CPU: {own:.0f} s of the command, {server:.0f} s of PostgreSQL")
    print(f"most memory: {used.ru_maxrss / 1024:.0f} MiB")


def _cpu_seconds(cluster: PostgresCluster) -> float:
    """Of all connections that have ended."""
    assert cluster.process is not None
    times = psutil.Process(cluster.process.pid).cpu_times()
    return float(times.children_user + times.children_system)


if __name__ == "__main__":
    main()
