"""`python -m bench.purge`: what senders notice while nine tenths of a million events are removed.

Writes docs/performance-purge.md.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from flask.cli import cli
from sqlalchemy import func, select

from app.extensions import db
from app.models import Event, Run
from app.processing.sweeping import Batch, Sweeper
from bench import events
from bench.measured import Measured, Round, keep, last
from bench.servers import PYTHON, ROOT
from bench.subjects import POSTGRESQL, SQLITE, FlowPulse, databases, flowpulse
from bench.tables import draw_table
from tests.together import Meanwhile

REPORT = ROOT / "docs" / "performance-purge.md"
COUNT = 1_000_000
PAST_SHARE = 0.9
CONNECTIONS, RATE = 16, 200
CALM_SECONDS = 30
QUIET_SECONDS = 6.0
"""When nothing has been removed for so long, all is removed."""
LONGEST_SECONDS = 1_800
NOTES = "FLOWPULSE_BENCH_NOTES"
KEPT_DAYS = ("FLOWPULSE_EVENT_DAYS", "FLOWPULSE_FAILURE_DAYS", "FLOWPULSE_REJECTED_DAYS")
NOTHING_PAST = {**dict.fromkeys(KEPT_DAYS, "3650"), "FLOWPULSE_REJECTED_ROWS": "100000000"}


class Answer(NamedTuple):
    """When a request was due (monotonic seconds), how long after that its answer was there, and
    whether it was a 202."""

    due: float
    took_ms: float
    is_good: bool


class Note(NamedTuple):
    """A batch that was removed: its end (monotonic seconds), its rows, and how long the write lock
    was held."""

    at: float
    rows: int
    held_ms: float


class Figures(NamedTuple):
    """Of one database."""

    before: list[Answer]
    during: list[Answer]
    after: list[Answer]
    notes: list[Note]
    left: int

    @property
    def seconds(self) -> float:
        return self.notes[-1].at - self.notes[0].at

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.notes)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.purge", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="number of events")
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second")
    parser.add_argument("--no-postgresql", action="store_true", help="measure SQLite alone")
    parser.add_argument("--only", choices=(SQLITE, POSTGRESQL), help="measure one of them")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        run_noting_worker()
        return
    last_time = last("purge")
    results = last_time.subjects if last_time else {}
    for flow in make_flows(not options.no_postgresql):
        if options.only in (None, flow.database.kind):
            figures = measure(flow, options.count, options.rate)
            results[flow.database.kind] = [{"events": options.count, **sum_up(figures)}]
            measured = Measured(1, round(figures.seconds), results)
            keep("purge", measured)
            REPORT.write_text(describe(measured, options.rate))
    print(REPORT.read_text())


def run_noting_worker() -> None:
    """The real worker, which writes down what each batch came to."""
    remove = Sweeper._remove
    with open(os.environ[NOTES], "a", buffering=1) as notes:

        def note(*given: Any) -> Batch:
            batch = remove(*given)
            line = Note(time.monotonic(), batch.rows, batch.seconds * 1_000)
            notes.write(json.dumps(line) + "\n")
            return batch

        Sweeper._remove = note  # type: ignore[method-assign]
        cli.main(["--app", "wsgi", "worker"])


def make_flows(with_postgresql: bool) -> Iterator[FlowPulse]:
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for database in databases(Path(folder), stack, with_postgresql):
            yield flowpulse(database)


def measure(flow: FlowPulse, number: int, rate: int) -> Figures:
    """Calm, then while it is removed, then calm again; each time the same senders."""
    fill(flow, number)
    days = str(round(events.DAYS * (1 - PAST_SHARE)))
    before, _ = send_while_working(flow, NOTHING_PAST, rate)
    during, notes = send_while_working(
        flow, dict.fromkeys(KEPT_DAYS, days), rate, until_removed=True
    )
    after, _ = send_while_working(flow, NOTHING_PAST, rate)
    span = [each for each in during if notes[0].at <= each.due <= notes[-1].at]
    return Figures(before, span, after, notes, count_left(flow))


def fill(flow: FlowPulse, number: int) -> None:
    with flow.app():
        started = time.monotonic()
        events.fill(flow.team, number)
        took = time.monotonic() - started
        print(f"{flow.database.kind}: {number:,} events in {took:.0f} s", flush=True)


def count_left(flow: FlowPulse) -> int:
    with flow.app():
        rows = (db.session.scalar(select(func.count()).select_from(each)) for each in (Event, Run))
        return sum(each or 0 for each in rows)


def send_while_working(
    flow: FlowPulse, kept: Mapping[str, str], rate: int, until_removed: bool = False
) -> tuple[list[Answer], list[Note]]:
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        server = replace(flow.server, environment={**flow.server.environment, **kept})
        environment = {**server.environment, NOTES: str(notes)}
        command = [PYTHON, "-m", "bench.purge", "--worker"]
        with server.running(), Senders(flow, rate) as senders:
            time.sleep(3)  # Connections and caches are warm.
            started = time.monotonic()
            worker = subprocess.Popen(command, cwd=ROOT, env=environment)
            try:
                if until_removed:
                    wait_until_quiet(notes)
                else:
                    time.sleep(CALM_SECONDS)
            finally:
                worker.terminate()
                worker.wait(60)
        found = read_notes(notes)
    return [each for each in senders.answers if each.due >= started], found


def read_notes(path: Path) -> list[Note]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [Note(*json.loads(line)) for line in lines if line.endswith("]")]


def wait_until_quiet(path: Path) -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        time.sleep(1)
        notes = read_notes(path)
        if notes and time.monotonic() - notes[-1].at > QUIET_SECONDS:
            return
    print("It is not all removed in the longest time that this waits for.")


class Senders(Meanwhile):
    """So many requests a second, whatever becomes of the ones before: each is timed from when it
    was due, not from when a connection was free for it."""

    def __init__(self, flow: FlowPulse, rate: int) -> None:
        super().__init__(self._send for _ in range(CONNECTIONS))
        self._rate = rate
        self.answers: list[Answer] = []
        self._port = int(flow.server.environment["PORT"])
        self._request, self._numbers = flow.success(), count()
        self._begun = time.monotonic()

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        path, body = self._request.path, self._request.body
        headers = {**self._request.headers, "Content-Type": "application/json"}
        while not self.is_over.is_set():
            due = self._begun + next(self._numbers) / self._rate
            time.sleep(max(due - time.monotonic(), 0))
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
                is_good = answer.status == self._request.expected
            except OSError:
                connection.close()
                is_good = False
            self.answers.append(Answer(due, (time.monotonic() - due) * 1_000, is_good))


def describe(measured: Measured, rate: int = RATE) -> str:
    return "\n".join(
        (
            "# Performance while events are removed",
            "",
            "Written by `python -m bench.purge`: events (and a run for nearly each), of which "
            f"{PAST_SHARE:.0%} are past their time. Two web processes and a worker on the "
            f"same machine as the senders: {rate} requests a second on {CONNECTIONS} connections, "
            "each timed from when it was due. First with nothing to remove (before), then while "
            "all of it is removed, then again with nothing to remove (after). A batch holds the "
            "write lock from when it has it until its commit is on disk (on PostgreSQL there is no "
            "such lock: it is the time of the transaction). Every feature is on, and each 202 is "
            "on disk.",
            "",
            f"Machine: {measured.machine}. Date: {measured.date}.",
            "",
            draw_table(["", *measured.subjects], list_rows(measured)),
            "",
        )
    )


def list_rows(measured: Measured) -> list[tuple[str, ...]]:
    kinds = measured.subjects
    return [
        (label, *(f"{measured.median(kind, name):{form}}" for kind in kinds))
        for name, (label, form) in ROWS.items()
    ]


def sum_up(figures: Figures) -> Round:
    held = sorted(each.held_ms for each in figures.notes)
    found: Round = {}
    spans = {"before": figures.before, "while": figures.during, "after": figures.after}
    for name, answers in spans.items():
        times = [each.took_ms for each in answers]
        found |= {f"{name}_p50_ms": statistics.median(times), f"{name}_p99_ms": percentile(times)}
    calm = percentile([each.took_ms for each in (*figures.before, *figures.after)])
    answers = [each for span in spans.values() for each in span]
    return found | {
        "p99_ratio": found["while_p99_ms"] / calm,
        "errors": sum(not each.is_good for each in answers),
        "held_p50_ms": statistics.median(held),
        "held_p99_ms": percentile(held),
        "held_longest_ms": held[-1],
        "batches": len(held),
        "batches_over_50_ms": sum(each > 50 for each in held),
        "rows": figures.rows,
        "seconds": figures.seconds,
        "rate": figures.rows / max(figures.seconds, 0.001),
        "left": figures.left,
    }


ROWS = {
    "events": ("events", ",.0f"),
    **{
        f"{span}_{part}_ms": (f"202, {span}: {part} ms", ".1f")
        for span in ("before", "while", "after")
        for part in ("p50", "p99")
    },
    "p99_ratio": ("p99 while, of before and after", ".2f"),
    "errors": ("answers other than 202", ",.0f"),
    "held_p50_ms": ("write lock held: median ms", ".1f"),
    "held_p99_ms": ("write lock held: p99 ms", ".1f"),
    "held_longest_ms": ("write lock held: longest ms", ".1f"),
    "batches": ("batches", ",.0f"),
    "batches_over_50_ms": ("batches over 50 ms", ",.0f"),
    "rows": ("rows removed", ",.0f"),
    "seconds": ("seconds until all were removed", ",.0f"),
    "rate": ("rows removed a second", ",.0f"),
    "left": ("rows left", ",.0f"),
}
"""A figure's name in the table, and its form."""


def percentile(values: list[float], percent: int = 99) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


if __name__ == "__main__":
    main()
