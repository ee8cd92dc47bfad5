"""docs/performance.md, drawn from the last results of each part."""

from bench import goals
from bench.goals import Results
from bench.ingest import LOOK_SECONDS
from bench.load import CONNECTIONS
from bench.measured import Measured
from bench.servers import ROOT
from bench.subjects import BARE, BODY_BYTES
from bench.tables import Column, draw_table, number, ratio, spread, table, total

FILE = ROOT / "docs" / "performance.md"

INTRODUCTION = f"""\
# Performance

Written by `make bench`, from the last results of each of its parts (`bench/results/`). Every
server runs under the same `gunicorn.conf.py` (gevent, two web processes), with every feature on:
warnings, idempotency, rate limits, the log. Load comes from `wrk` with {CONNECTIONS} connections,
each of which asks again as soon as it is answered; bodies have {BODY_BYTES} bytes. Each 202 is on
disk before it is sent (SQLite `synchronous=FULL`, PostgreSQL `synchronous_commit=on` and
`fsync=on`). The load generator, PostgreSQL and whatever else is measured share the machine's
cores with the web processes; nothing is bound to a core. Subjects take turns (A B C A B C …), so
that a machine that slows down slows all of them down; tables show medians, and the spread from
the least to the most of the rounds. CPU is what the processes' own accounts say."""

INGEST = f"""\
Five kinds of request beside a bare Flask view, which reads nothing and stores nothing. The worker
is not running. CPU is that of the web processes; that of PostgreSQL's comes on top. Memory (PSS:
what processes share is counted once) and fsyncs are taken apart from the times, from a server
that runs alone: at rest after its start, and after {LOOK_SECONDS} s of load. The master, which
serves nothing, comes on top of the two web processes. With SQLite, `fsync` and `fdatasync` of the
web processes are counted by strace; with PostgreSQL, `wal_sync` by its own statistics."""

INGEST_TIMES = (
    Column("requests/s", number("rate", ",.0f")),
    Column("of bare", ratio("rate", BARE)),
    Column("spread", spread("rate", ",.0f")),
    Column("p50 ms", number("p50_ms", ".1f")),
    Column("p99 ms", number("p99_ms", ".1f")),
    Column("of bare", ratio("p99_ms", BARE)),
    Column("errors", total("errors")),
)
INGEST_COSTS = (
    Column("CPU ms/request", number("cpu_ms", ".3f")),
    Column("of bare", ratio("cpu_ms", BARE)),
    Column("spread", spread("cpu_ms", ".3f")),
    Column("PostgreSQL's CPU ms/request", number("database_cpu_ms", ".3f")),
    Column("fsyncs/request", number("syncs", ".3f")),
    Column("two web processes MB, at rest", number("start_mb", ".0f")),
    Column("after load", number("web_mb", ".0f")),
    Column("master MB", number("master_mb", ".0f")),
)


def render(results: Results) -> str:
    """The page: the goals, and a section for each part that was ever measured."""
    sections = [INTRODUCTION, _draw_goals(results)]
    sections += [draw(results[name]) for name, draw in SECTIONS.items() if name in results]
    return "\n\n".join(sections) + "\n"


def _draw_goals(results: Results) -> str:
    return "## Goals\n\n" + draw_table(["", "limit", "measured", "held"], goals.rows(results))


def _draw_ingest(measured: Measured) -> str:
    tables = (table(measured, columns) for columns in (INGEST_TIMES, INGEST_COSTS))
    return "\n\n".join(["## Ingest", INGEST, _when(measured), *tables])


def _when(measured: Measured) -> str:
    return (
        f"{measured.rounds} rounds of {measured.seconds} s. "
        f"Machine: {measured.machine}. Date: {measured.date}."
    )


SECTIONS = {"ingest": _draw_ingest}
