"""What senders notice while PostgreSQL drops past months, one after the other, as a whole."""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from app.clock import now
from app.extensions import db, writing
from app.models import Event
from app.processing.partition_list import month_of, next_month
from app.processing.partition_making import make_months
from bench.measured import Measured, Round
from bench.multiply import fill_many
from bench.noting import MONTHS, TENDED, Note, noting_worker
from bench.senders import Senders, sum_up
from bench.subjects import POSTGRESQL, FlowPulse, databases, flowpulse

PART = "purge_months"
CALM, DURING, DROPPED = (
    f"{POSTGRESQL}, calm",
    f"{POSTGRESQL}, from when a month is dropped",
    f"{POSTGRESQL}, until it is dropped",
)
SETTLE_SECONDS = 1.0
LONGEST_SECONDS = 120
DETACHED, REMOVED = "_detach", "_remove"
"""The changes of the tables by their functions: only the first holds others up."""


def measure(options: argparse.Namespace) -> Iterator[Measured]:
    """What was measured so far, after each month, on a PostgreSQL of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        *_, database = databases(Path(folder), stack, True)
        yield from measure_in(flowpulse(database), options)


def measure_in(flow: FlowPulse, options: argparse.Namespace) -> Iterator[Measured]:
    subjects: dict[str, list[Round]] = {CALM: [], DURING: [], DROPPED: []}
    months = list_months(now(), options.months)
    rows = fill(flow, months, options.count)
    with flow.server.running(), Senders(flow, options.rate) as senders:
        for month, events in zip(months, rows, strict=True):
            for name, found in drop(flow, senders, month, options.calm).items():
                subjects[name].append(found | {"events": events})
            say(month, subjects)
            yield Measured(len(subjects[CALM]), round(options.calm), subjects)


def say(month: datetime, subjects: dict[str, list[Round]]) -> None:
    calm, during, dropped = (subjects[name][-1] for name in (CALM, DURING, DROPPED))
    print(
        f"{month:%B %Y}, {dropped['events']:,.0f} events: dropped in {dropped['seconds']:.2f} s, "
        f"lock {dropped['held_longest_ms']:.0f} ms, p99 {calm['p99_ms']:.1f} ms calm, "
        f"{during['p99_ms']:.1f} ms from then on",
        flush=True,
    )


def list_months(at: datetime, number: int) -> list[datetime]:
    """The beginnings of so many months up to the one before the last, the oldest first."""
    months: list[datetime] = []
    start = month_of(at)
    for _ in range(number + 1):
        start = month_of(start - timedelta(days=1))
        months.insert(0, start)
    return months[:number]


def fill(flow: FlowPulse, months: list[datetime], number: int) -> list[int]:
    """So many events for each month, each in its month's table; returns how many each got."""
    until = next_month(months[-1])
    days = (until - months[0]).days
    started = time.monotonic()
    with flow.app():
        with writing() as session:
            make_months(session, months)
        whole = number * len(months)
        stretch = min(10_000, max(whole // 100, 10))
        fill_many(flow.team, whole, until, stretch=stretch, days=days)
        counts = [_count(start) for start in months]
    took = time.monotonic() - started
    print(f"{sum(counts):,} events of {len(months)} months in {took:.0f} s", flush=True)
    return counts


def _count(start: datetime) -> int:
    inside = (Event.received_at >= start) & (Event.received_at < next_month(start))
    return db.session.scalar(select(func.count()).select_from(Event).where(inside)) or 0


def drop(flow: FlowPulse, senders: Senders, month: datetime, seconds: float) -> dict[str, Round]:
    """A calm span, and as long a one from when the worker drops the month."""
    days = (now() - next_month(month)).days
    with noting_worker(flow, MONTHS, {"FLOWPULSE_EVENT_DAYS": str(days)}) as noting:
        noting.wait()
        began = time.monotonic()
        time.sleep(seconds)
        went = noting.go()
        while not (notes := _read_dropped(noting.read(went))):
            time.sleep(0.1)
            if time.monotonic() > went + LONGEST_SECONDS:
                raise SystemExit(f"{month:%B %Y} was not dropped.")
        first, over = min(each.began for each in notes), notes[-1].ended
        time.sleep(max(first + seconds - time.monotonic(), 0))
        noting.rest()
        time.sleep(SETTLE_SECONDS)
    last = max(over, first + seconds)
    return {
        CALM: sum_up(senders.between(began, went)),
        DURING: sum_up(senders.between(first, last)),
        DROPPED: sum_up(senders.between(first, over)) | sum_up_changes(notes),
    }


def _read_dropped(notes: list[Note]) -> list[Note]:
    """All of a look that has removed a table, with those before it that could not."""
    if not any(each.what == REMOVED and each.rows for each in notes):
        return []
    changes = [each for each in notes if each.what in (DETACHED, REMOVED)]
    ended = [each for each in notes if each.what == TENDED and each.ended >= changes[-1].ended]
    return sorted([*changes, ended[0]], key=lambda each: each.ended) if ended else []


def sum_up_changes(notes: list[Note]) -> Round:
    """The lock: from when it is asked for, as others wait behind that, until the commit."""
    locked = [each.held_ms for each in notes if each.what == DETACHED]
    removed = [each.held_ms for each in notes if each.what == REMOVED]
    began = min(each.began for each in notes)
    return {
        "seconds": max(each.ended for each in notes) - began,
        "tries": len(locked),
        "held_longest_ms": max(locked),
        "file_ms": sum(removed),
    }
