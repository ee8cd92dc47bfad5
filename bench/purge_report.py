"""docs/performance-purge.md: what senders notice while rows, and while months, are removed."""

from dataclasses import replace

from bench.measured import Measured, last
from bench.purge_months import DROPPED
from bench.purge_months import PART as MONTHS
from bench.senders import CONNECTIONS, RATE
from bench.servers import ROOT
from bench.subjects import POSTGRESQL, SQLITE, kind_of
from bench.tables import NOTHING, Column, Draw, by_round, number, ratio, spread, table, total

REPORT = ROOT / "docs" / "performance-purge.md"
PART = "purge"
MOST_HELD_MS = 50
"""What a batch may hold its locks for."""

INTRODUCTION = f"""\
# Performance while events are removed

Written by `make bench-purge` and `make bench-purge-months`. Two web processes and a worker run on
the same machine as the senders: {RATE} requests a second on {CONNECTIONS} connections, each timed
from when it was due. The same worker removes and rests in turn, so that each span of removing has a
calm one right before it; on a machine whose speed changes from one minute to the next, no other
comparison holds. Every feature is on, and each 202 is on disk. "Of calm": the median of the pairs'
ratios of p99; "by round": the least and the most of them."""

ROWS = f"""\
## Row by row

About 1,000,000 events of 30 days, and a run for nearly each; nine tenths of the events are past
their time, and removed in batches until all of those are gone. Their runs go the same way
afterwards, which is not waited for. A batch holds the write lock from when it has it until its
commit is on disk.

On {POSTGRESQL} it is the time of the transaction: it locks nothing but the rows that it removes,
which nobody else writes, so no sender waits for it. It is held against the same
{MOST_HELD_MS} ms all the same; what senders notice is judged by p99, as on {SQLITE}. The goals and
why one is missed stand in [performance](performance.md#goals)."""

WHOLE = f"""\
## Month by month, on {POSTGRESQL}

Past months of about 1,000,000 events each, one dropped after the other by the worker's own code
([partitions.md](partitions.md)); events that could not be processed outlive their month, as by
default. A calm span, then as long a one from when the worker begins with the month: that is
judged. The third row holds only what was due until the month and its file were gone, some hundred
requests at most, whose p99 is nearly the longest of them. "Lock": from when it is asked for, as
others wait behind that, until its commit is on disk. The table's file is removed after that, while
others go on."""


def calm(kind: str) -> str:
    return f"{kind}, calm"


def during(kind: str) -> str:
    return f"{kind}, while events go"


def highest(figure: str, form: str) -> Draw:
    """Of all rounds."""

    def draw(measured: Measured, subject: str) -> str:
        values = measured.all(subject, figure)
        return f"{max(values):{form}}" if values else NOTHING

    return draw


def _calm_of(subject: str) -> str:
    return calm(kind_of(subject))


SENDERS = (
    Column("p50 ms", number("p50_ms", ".1f")),
    Column("p99 ms", number("p99_ms", ".1f")),
    Column("spread", spread("p99_ms", ".1f")),
    Column("of calm", ratio("p99_ms", _calm_of)),
    Column("by round", by_round("p99_ms", _calm_of)),
    Column("longest ms", highest("longest_ms", ".0f")),
    Column("requests", total("requests")),
    Column("answers other than 202", total("errors")),
)
BATCHES = (
    Column("events past", number("past", ",.0f")),
    Column("of which gone", highest("gone", ",.0f")),
    Column("rows removed", total("rows")),
    Column("in s", total("seconds")),
    Column("rows/s", number("removed_rate", ",.0f")),
    Column("batches", total("batches")),
    Column("lock: median ms", number("held_p50_ms", ".1f")),
    Column("p99 ms", number("held_p99_ms", ".1f")),
    Column("longest ms", highest("held_longest_ms", ".1f")),
    Column("over 50 ms", total("batches_over_50_ms")),
)
DROPS = (
    Column("events a month", number("events", ",.0f")),
    Column("seconds", number("seconds", ".2f")),
    Column("spread", spread("seconds", ".2f")),
    Column("lock ms", number("held_longest_ms", ".0f")),
    Column("longest", highest("held_longest_ms", ".0f")),
    Column("tries", total("tries")),
    Column("removal of the file ms", number("file_ms", ".0f")),
)


def describe(rows: Measured | None, months: Measured | None) -> str:
    """The page, of what was ever measured."""
    parts = [INTRODUCTION]
    if rows:
        parts += [ROWS, *_draw_rows(rows)]
    if months:
        drops = {name: each for name, each in months.subjects.items() if name == DROPPED}
        spans = f"Months: {months.rounds}. Spans: {months.seconds} s. {_where(months)}"
        parts += [WHOLE, spans, table(months, SENDERS)]
        parts.append(table(replace(months, subjects=drops), DROPS))
    return "\n\n".join(parts) + "\n"


def _draw_rows(measured: Measured) -> list[str]:
    going = {
        kind: during(kind) for kind in (SQLITE, POSTGRESQL) if during(kind) in measured.subjects
    }
    pairs = ", ".join(f"{kind} {len(measured.subjects[name])}" for kind, name in going.items())
    removed = {name: measured.subjects[name] for name in going.values()}
    return [
        f"Pairs: {pairs}. Calm spans: {measured.seconds} s. {_where(measured)}",
        table(measured, SENDERS),
        table(replace(measured, subjects=removed), BATCHES),
    ]


def _where(measured: Measured) -> str:
    return f"Machine: {measured.machine}. Date: {measured.date}."


def write() -> None:
    report = describe(last(PART), last(MONTHS))
    REPORT.write_text(report)
    print(report)
