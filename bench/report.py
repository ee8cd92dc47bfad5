"""docs/performance.md, drawn from the last results of each part."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from app.processing.pace import PATIENCE_SECONDS, SHARES
from bench import drain, goals, live, reading, reasons, steady
from bench.goals import Results
from bench.ingest import LOOK_SECONDS
from bench.load import CONNECTIONS
from bench.measured import Measured
from bench.servers import ROOT
from bench.subjects import BARE, BODY_BYTES, POSTGRESQL, SQLITE, kind_of
from bench.tables import Column, by_round, count, draw_table, number, ratio, spread, table, total

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
the least to the most of the rounds. A ratio is the median of the rounds' ratios, "by round" the
least and the most of them. The machine's speed varied twofold from one minute to the next, so that
figures of different parts, dates and pages can't be compared; ratios within a round can. CPU is
what the processes' own accounts say.

For comparison, under the same kind of server on two cores: of the durable requests of its kind that
a bare Flask view could answer meanwhile, Healthchecks answered 0.03 to 0.06 and Bugsink 0.03 to
0.055. Ten times the best of them is 0.6. They were measured once, at the start of this project, and
are not part of these runs.

What grows with the log, the removal of old rows, and the move from SQLite to PostgreSQL take longer
and are measured by themselves: [growth](performance-growth.md), [removal](performance-purge.md),
[move](performance-move.md), [batches](performance-batch.md), [pages](performance-pages.md),
[charts](performance-charts.md). The goals of the first three stand here, too, and the errors of
all whose results are kept."""

INGEST = f"""\
Kinds of request on both databases beside a bare Flask view, which reads nothing and stores nothing.
"With Idempotency-Key": each request has one of its own, which is a second row, remembered for a
day. "With a warning": a number came as text, which is accepted, and told in the answer and the log.
"Rejected with 401": a key that has the form of one and that nobody has, so that it is looked up;
"with 400": an event of the same length, one field of which is wrong. The limits of the key, or of
the address, are counted for each request, and each process tells the others through the database
what it counted, four times a second; a server does that only for a key that sends more than it may,
and otherwise once in many requests (see [scaling](scaling.md#several-machines)).
The worker is not running. CPU is that of the web processes; that of PostgreSQL's comes on top.
Memory (PSS: what processes share is counted once) and fsyncs are taken apart from the times, from a
server that runs alone: at rest after its start, and after {LOOK_SECONDS} s of load. The master,
which serves nothing, comes on top of the two web processes, and so does PostgreSQL with all its
processes. With SQLite, `fsync` and `fdatasync` of the web processes are counted by strace; with
PostgreSQL, `wal_sync` by its own statistics. Of the
rejected requests FLOWPULSE_REJECTED_RATE a second are stored, as by default; the rest is
counted."""


def _bare(subject: str) -> str:
    return BARE


def _alone(subject: str) -> str:
    return live.ALONE.on(kind_of(subject))


def _before(subject: str) -> str:
    return drain.before(kind_of(subject))


INGEST_TIMES = (
    Column("requests/s", number("rate", ",.0f")),
    Column("spread", spread("rate", ",.0f")),
    Column("of bare", ratio("rate", _bare)),
    Column("by round", by_round("rate", _bare)),
    Column("p50 ms", number("p50_ms", ".1f")),
    Column("p99 ms", number("p99_ms", ".1f")),
    Column("of bare", ratio("p99_ms", _bare)),
    Column("by round", by_round("p99_ms", _bare)),
    Column("errors", total("errors")),
)
INGEST_COSTS = (
    Column("CPU ms/request", number("cpu_ms", ".3f")),
    Column("spread", spread("cpu_ms", ".3f")),
    Column("of bare", ratio("cpu_ms", _bare)),
    Column("by round", by_round("cpu_ms", _bare)),
    Column("PostgreSQL's CPU ms/request", number("database_cpu_ms", ".3f")),
    Column("fsyncs/request", number("syncs", ".3f")),
    Column("two web processes MB, at rest", number("start_mb", ".0f")),
    Column("after load", number("web_mb", ".0f")),
    Column("master MB", number("master_mb", ".0f")),
    Column("PostgreSQL MB", number("database_mb", ".0f")),
)

LIVE = f"""\
run-success while other things go on, beside the same server in the same state without them. A
live log is an HTTP connection to `/events/stream` that a signed-in browser would hold: it has no
filter, reads all that comes, and begins anew, as the page does, where the server has cut it off
for being too slow. All are read by one process, which shares the machine; what it takes are
"readers' cores". "The worker drains": it works on a backlog of at least {live.BACKLOG:,} events
with rollups and three alert rules, to which the load adds; "drained" is what it made of it
meanwhile. fsyncs are counted apart, over {LOOK_SECONDS} s, beside the worker alone: with SQLite
those of the web processes, with PostgreSQL those of its log, which the worker's commits are part
of. No goal is set for its p99, which is that of a server whose two cores are both full.

What two web processes take grows with what they have done, and less and less. When it was looked
into, on SQLite: ingest alone took 85 MB after its first round and 89 MB after six; the first 200
live logs added 23 MB, half of it memory that had been shared with the master and is a process's own
once it is written to; eleven more rounds of them added 15 MB. The objects that Python holds were as
many after the twelfth round as after the sixth, so nothing is kept for ever: it is the statements
that each connection to SQLite keeps prepared, 128 at most, of which a live log has another for each
number of rows. With 16 of them the growth ended after four rounds, at 115 MB; but whoever processes
events would prepare its own again and again then. Neither a single arena for all threads nor a page
cache of 300 KB for each connection made a difference."""

LIVE_COLUMNS = (
    Column("requests/s", number("rate", ",.0f")),
    Column("spread", spread("rate", ",.0f")),
    Column("of alone", ratio("rate", _alone)),
    Column("by round", by_round("rate", _alone)),
    Column("p50 ms", number("p50_ms", ".1f")),
    Column("p99 ms", number("p99_ms", ".1f")),
    Column("CPU ms/request", number("cpu_ms", ".3f")),
    Column("errors", total("errors")),
    Column("drained/s", number("drained", ",.0f")),
    Column("rows to live logs/s", number("rows", ",.0f")),
    Column("begun anew", total("reconnects")),
    Column("readers' cores", number("readers_cpu", ".2f")),
    Column("fsyncs/request", number("syncs", ".3f")),
    Column("two web processes MB", number("web_mb", ".0f")),
    Column("spread", spread("web_mb", ".0f")),
)

WORKER = f"""\
The worker alone with a backlog of {drain.EVENTS // drain.PARTS:,} events of 20 workflows, a
twentieth of them failures, with rollups and three alert rules over all workflows (each failure, the
failure rate, runs slower than usual); timed from the end of its first batch. Nobody sends
meanwhile."""
WORKER_COLUMNS = (
    Column("events/s", number("rate", ",.0f")),
    Column("spread", spread("rate", ",.0f")),
    Column("seconds", number("seconds", ".1f")),
    Column("CPU µs/event", number("cpu_us", ".0f")),
    Column("PostgreSQL's CPU µs/event", number("database_cpu_us", ".0f")),
    Column("worker MB", number("worker_mb", ".0f")),
)
STEADY = f"""\
What steady senders notice of a backlog that is drained to its end: {steady.RATE} requests a second
over {CONNECTIONS} connections that pause, which is less than what the worker does beside them. The
worker is halted and let go in turn, so that rounds with it are held against one without it before
them ("calm"; {steady.ROUNDS_BY_CALM} rounds have it in common). Seconds and events/s are those in
which the worker was let go. So few requests are hardly ever in each other's way; with SQLite the
slowest wait for the worker's batch, during which nobody else can write."""
ENDS_COLUMNS = (
    Column("events", number("events", ",.0f")),
    Column("seconds", number("seconds", ",.0f")),
    Column("events/s", number("rate", ",.0f")),
    Column("left", number("left", ",.0f")),
    Column("CPU µs/event", number("cpu_us", ".0f")),
    Column("worker MB", number("worker_mb", ".0f")),
)
STEADY_COLUMNS = (
    Column("rounds", count("p99_ms")),
    Column("drained/s", number("drained", ",.0f")),
    Column("requests/s", number("rate", ",.0f")),
    Column("p50 ms, calm", number("calm_p50_ms", ".1f")),
    Column("p50 ms", number("p50_ms", ".1f")),
    Column("p99 ms, calm", number("calm_p99_ms", ".1f")),
    Column("p99 ms", number("p99_ms", ".1f")),
    Column("of calm", number("p99_ratio", ".2f")),
    Column("by round", spread("p99_ratio", ".2f")),
    Column("errors", total("errors")),
)
MEANWHILE = f"""\
What senders notice whose rate the worker doesn't outrun: rounds without ("calm") and with the
worker in turn, for each of its shares: where more waits than one batch takes for
{PATIENCE_SECONDS:.0f} s on end, it takes the next one, and the greatest after
{PATIENCE_SECONDS * (len(SHARES) - 1) / 60:.0f} minutes. They begin with a backlog of
{drain.EVENTS // drain.PARTS:,} events. wrk has no fixed rate, so connections pause before each
request, {drain.PAUSE_MS} ms in the mean and not all at once, and there are as many as it takes to
send {drain.SHARE:.0%} of what the server took in alone just before with {CONNECTIONS} connections
that never paused. Where answers take much less than the pause, the rate hardly depends on them; the
first column shows how far it did."""
MEANWHILE_COLUMNS = (
    Column("requests/s", number("rate", ",.0f")),
    Column("p50 ms", number("p50_ms", ".1f")),
    Column("p99 ms", number("p99_ms", ".1f")),
    Column("spread", spread("p99_ms", ".1f")),
    Column("of before", ratio("p99_ms", _before)),
    Column("by round", by_round("p99_ms", _before)),
    Column("CPU ms/request", number("cpu_ms", ".3f")),
    Column("errors", total("errors")),
    Column("drained/s", number("drained", ",.0f")),
)

READING = f"""\
Each page and each address of the reading API with {reading.EVENTS:,} events of 30 days and the
demo's data, over HTTP with {reading.CONNECTIONS} connection, which asks again as soon as it is
answered; pages and files are opened by a signed-in browser. What two web processes can do follows
from the CPU that a request takes. Nothing is written, so no request waits for the disk, but for
exports, which the audit log notes."""
READING_COLUMNS = (
    Column("requests/s", number("rate", ",.0f")),
    Column("spread", spread("rate", ",.0f")),
    Column("p50 ms", number("p50_ms", ".1f")),
    Column("p99 ms", number("p99_ms", ".1f")),
    Column("CPU ms/request", number("cpu_ms", ".1f")),
    Column("PostgreSQL's CPU ms/request", number("database_cpu_ms", ".1f")),
    Column("errors", total("errors")),
)


def render(results: Results) -> str:
    """The page: the goals, and a section for each part that was ever measured."""
    sections = [INTRODUCTION, _draw_goals(results)]
    sections += [draw(results[name]) for name, draw in SECTIONS.items() if name in results]
    return "\n\n".join(sections) + "\n"


def _draw_goals(results: Results) -> str:
    held = draw_table(["", "limit", "measured", "held"], goals.rows(results))
    return "\n\n".join(filter(None, ["## Goals", held, reasons.draw(results)]))


def _draw_ingest(measured: Measured) -> str:
    tables = (table(measured, columns) for columns in (INGEST_TIMES, INGEST_COSTS))
    return "\n\n".join(["## Ingest", INGEST, _when(measured), *tables])


def _draw_live(measured: Measured) -> str:
    return "\n\n".join(
        ["## Beside the worker and live logs", LIVE, _when(measured), table(measured, LIVE_COLUMNS)]
    )


def _draw_worker(measured: Measured) -> str:
    kinds = {kind_of(name): None for name in measured.subjects}

    def rows(*names: Callable[[str], Iterable[str]]) -> Measured:
        wanted = [name for kind in kinds for find in names for name in find(kind)]
        return _part(measured, [name for name in wanted if measured.subjects.get(name)])

    ends = rows(lambda kind: [steady.to_its_end(kind)])
    beside = rows(lambda kind: [steady.beside(kind)])
    meanwhile, by_share = (
        rows(lambda kind: [drain.before(kind), drain.during(kind)]),
        rows(drain.shares),
    )
    steadily = [STEADY, table(ends, ENDS_COLUMNS), table(beside, STEADY_COLUMNS)]
    return "\n\n".join(
        [
            "## The worker",
            WORKER,
            table(rows(lambda kind: [drain.alone(kind)]), WORKER_COLUMNS),
            *(steadily if beside.subjects else []),
            MEANWHILE,
            _when(measured),
            table(meanwhile, MEANWHILE_COLUMNS),
            *([table(by_share, STEADY_COLUMNS)] if by_share.subjects else []),
        ]
    )


def _draw_reading(measured: Measured) -> str:
    parts = ["## Reading", READING, _when(measured)]
    if missing := reading.list_unread(measured):
        names = ", ".join(f"`{each}`" for each in missing)
        parts.append(f"Newer than these results, and not measured: {names}.")
    for kind in (SQLITE, POSTGRESQL):
        memory = reading.memory_of(kind)
        of_kind = [name for name in measured.subjects if kind_of(name) == kind and name != memory]
        if of_kind:
            parts += [f"### {kind}", *_tell_memory(measured, memory)]
            parts.append(table(_part(measured, of_kind), READING_COLUMNS))
    return "\n\n".join(parts)


def _tell_memory(measured: Measured, subject: str) -> Iterator[str]:
    start, taken = measured.median(subject, "start_mb"), measured.spread(subject, "web_mb")
    if start is not None and taken is not None:
        yield (
            f"The two web processes took {start:.0f} MB before anybody read, and "
            f"{taken[0]:.0f} to {taken[1]:.0f} MB after the rounds, in each of which all was read."
        )


def _part(measured: Measured, subjects: list[str]) -> Measured:
    return replace(measured, subjects={name: measured.subjects[name] for name in subjects})


def _when(measured: Measured) -> str:
    return (
        f"Rounds: {measured.rounds} of {measured.seconds} s. "
        f"Machine: {measured.machine}. Date: {measured.date}."
    )


SECTIONS = {
    "ingest": _draw_ingest,
    "live": _draw_live,
    "worker": _draw_worker,
    "reading": _draw_reading,
}
