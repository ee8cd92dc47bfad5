"""`python -m bench.purge`: what senders notice while nine tenths of a million events are removed,
or, with `--months`, while PostgreSQL drops months of a million events each.

Writes docs/performance-purge.md.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from app.clock import now
from app.extensions import db
from app.models import Event
from bench import purge_months
from bench.events import DAYS
from bench.measured import Measured, Round, keep, last
from bench.multiply import fill_many
from bench.noting import BATCHES, BEGUN, Note, Noting, noting_worker
from bench.purge_report import PART, calm, during, write
from bench.senders import RATE, Senders, percentile, sum_up
from bench.subjects import POSTGRESQL, SQLITE, FlowPulse, databases, flowpulse

COUNT = 1_000_000
PAST_SHARE = 0.9
CALM_SECONDS = 10.0
SLICE_SECONDS = {SQLITE: 20.0, POSTGRESQL: 30.0}
"""Of removing, between two calm spans: five or so until all is gone."""
LEAST_SHARE = 0.25
"""A last span that is shorter than so much of a whole one is no pair."""
SETTLE_SECONDS, LOOK_SECONDS = 1.0, 0.5
"""After each change; and how often it looks whether all are gone."""
LONGEST_SECONDS = 900
KEPT_DAYS = ("FLOWPULSE_EVENT_DAYS", "FLOWPULSE_FAILURE_DAYS", "FLOWPULSE_REJECTED_DAYS")
NO_SIZE = {"FLOWPULSE_REJECTED_ROWS": "100000000"}

Pair = tuple[Round, Round]
"""What a calm span came to, and the span of removing after it."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.purge", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="number of events (of a month)")
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second")
    parser.add_argument("--calm", type=float, default=CALM_SECONDS, help="seconds of a calm span")
    parser.add_argument("--slice", type=float, help="seconds of removing between two calm spans")
    parser.add_argument("--no-postgresql", action="store_true", help="measure SQLite alone")
    parser.add_argument("--only", choices=(SQLITE, POSTGRESQL), help="measure one of them")
    parser.add_argument("--months", type=int, nargs="?", const=2, help="drop so many months (2)")
    options = parser.parse_args()
    if options.months:
        for measured in purge_months.measure(options):
            keep(purge_months.PART, measured)
            write()
        return
    for flow in make_flows(not options.no_postgresql):
        kind = flow.database.kind
        if options.only in (None, kind):
            pairs: list[Pair] = []
            for pair in measure(flow, options):
                pairs.append(pair)
                keep_pairs(kind, pairs, options.calm)
                say(kind, pairs)
            write()


def keep_pairs(kind: str, pairs: list[Pair], seconds: float) -> None:
    """Beside what was measured of the other database."""
    before = last(PART)
    subjects = {
        name: rounds
        for name, rounds in (before.subjects.items() if before else ())
        if name in [made for each in (SQLITE, POSTGRESQL) for made in (calm(each), during(each))]
    }
    subjects[calm(kind)] = [each for each, _ in pairs]
    subjects[during(kind)] = [each for _, each in pairs]
    keep(PART, Measured(len(pairs), round(seconds), subjects))


def say(kind: str, pairs: list[Pair]) -> None:
    before, going = pairs[-1]
    print(
        f"{len(pairs)} {kind}: p99 {before.get('p99_ms', 0):.1f} ms calm, "
        f"{going.get('p99_ms', 0):.1f} ms while {going['rows']:,.0f} rows go "
        f"({going['gone']:,.0f} of {going['past']:,.0f} events are gone), "
        f"lock {going.get('held_longest_ms', 0):.1f} ms at most",
        flush=True,
    )


def make_flows(with_postgresql: bool) -> Iterator[FlowPulse]:
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for database in databases(Path(folder), stack, with_postgresql):
            yield flowpulse(database)


def measure(flow: FlowPulse, options: argparse.Namespace) -> Iterator[Pair]:
    """Calm, removing, calm, removing … until all events that are past their time are gone."""
    seconds = options.slice or SLICE_SECONDS[flow.database.kind]
    days = round(DAYS * (1 - PAST_SHARE))
    past = fill(flow, options.count, days)
    kept = {**dict.fromkeys(KEPT_DAYS, str(days)), **NO_SIZE}
    gone, end = 0.0, time.monotonic() + LONGEST_SECONDS
    with (
        flow.server.running(),
        Senders(flow, options.rate) as senders,
        noting_worker(flow, BATCHES, kept) as noting,
    ):
        noting.wait()
        while time.monotonic() < end:
            pair, is_over = take_pair(senders, noting, options.calm, seconds, past - gone)
            gone += pair[1]["event_rows"]
            yield pair[0], pair[1] | {"past": past, "gone": gone, "events": options.count}
            if is_over:
                return
    print("They are not all gone in the longest time that this waits for.")


def fill(flow: FlowPulse, number: int, days: int) -> int:
    """Returns how many events are past their time."""
    with flow.app():
        started = time.monotonic()
        fill_many(flow.team, number, now(), stretch=min(10_000, max(number // 100, 10)))
        past = Event.received_at < now() - timedelta(days=days)
        count = db.session.scalar(select(func.count()).select_from(Event).where(past)) or 0
        took = time.monotonic() - started
        print(f"{flow.database.kind}: {number:,} events in {took:.0f} s", flush=True)
        return count


def take_pair(
    senders: Senders, noting: Noting, calm_seconds: float, seconds: float, left: float
) -> tuple[Pair, bool]:
    """And whether the events that were left are gone: then it is their runs' turn."""
    began = time.monotonic()
    time.sleep(calm_seconds)
    went = noting.go()
    while not _are_gone(noting.read(went), left):
        time.sleep(LOOK_SECONDS)
        if time.monotonic() >= went + seconds:
            break
    ended = noting.rest()
    time.sleep(SETTLE_SECONDS)  # What it has begun is over by then.
    notes = noting.read(went)
    pair = sum_up(senders.between(began, went)), sum_up(senders.between(went, ended))
    if ended - went < seconds * LEAST_SHARE:
        pair = without_times(pair[0]), without_times(pair[1])
    return (pair[0], pair[1] | sum_up_notes(notes, ended - went)), _are_gone(notes, left)


def without_times(found: Round) -> Round:
    """Of a last span that was too short to be compared."""
    return {name: each for name, each in found.items() if not name.endswith("_ms")}


def _are_gone(notes: list[Note], left: float) -> bool:
    """Runs follow events, workspace by workspace."""
    rows = sum(each.rows for each in notes if each.what == "events")
    return rows >= left or any(each.what == "runs" for each in notes)


def sum_up_notes(notes: list[Note], seconds: float) -> Round:
    held = sorted(each.held_ms for each in notes if each.what != BEGUN)
    rows = sum(each.rows for each in notes)
    found: Round = {
        "batches": len(held),
        "batches_over_50_ms": sum(each > 50 for each in held),
        "rows": rows,
        "event_rows": sum(each.rows for each in notes if each.what == "events"),
        "seconds": seconds,
        "removed_rate": rows / max(seconds, 0.001),
    }
    if held:
        found |= {
            "held_p50_ms": statistics.median(held),
            "held_p99_ms": percentile(held),
            "held_longest_ms": held[-1],
        }
    return found


if __name__ == "__main__":
    main()
