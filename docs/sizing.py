"""What docs/scaling.md reckons with, from the last results of the benchmarks, and its tables.

After a new measurement: `make docs-tables`.
"""

import math
from typing import NamedTuple

from app.config import SETTINGS
from bench import purge_report, steady
from bench.drain import alone, during
from bench.ingest import SUCCESS
from bench.measured import Measured, last
from bench.servers import WEB_PROCESSES
from bench.subjects import POSTGRESQL, SQLITE
from bench.writers import BATCHES, BYTES, PROCESSES, WEIGHED, by, per_commit


class Figure(NamedTuple):
    """What was measured, and by what."""

    value: float
    unit: str
    what: str
    source: str


BENCH = "`make bench`"
RESULTS = {name: last(name) for name in ("ingest", "worker", "writers", "purge")}


def measured(part: str, subject: str, figure: str) -> float:
    """The median; raises LookupError where it was never measured."""
    results: Measured | None = RESULTS[part]
    value = results and results.median(subject, figure)
    if value is None:
        raise LookupError(f"bench/results/{part}.json has no {figure} of {subject}")
    return value


def figure(
    part: str, subject: str, name: str, unit: str, what: str, source: str = BENCH
) -> Figure | None:
    """What was measured; None where the last results are from before it was."""
    try:
        return Figure(measured(part, subject, name), unit, what, source)
    except LookupError:
        return None


def _written(batch: int, what: str) -> Figure:
    rate = measured("writers", by(PROCESSES[-1]), per_commit(batch))
    return Figure(rate, "events/s", what, "`make bench-writers`")


FIGURES = {
    "single_sqlite": Figure(
        measured("ingest", SUCCESS[SQLITE], "rate"),
        "events/s",
        "one event a request, SQLite",
        BENCH,
    ),
    "single": Figure(
        measured("ingest", SUCCESS[POSTGRESQL], "rate"),
        "events/s",
        "one event a request, PostgreSQL",
        BENCH,
    ),
    "cpu": Figure(
        measured("ingest", SUCCESS[POSTGRESQL], "cpu_ms"), "ms", "web CPU for each of those", BENCH
    ),
    "commits": _written(500, "8 processes, 500 events a commit, no HTTP"),
    "small_commits": _written(15, "8 processes, 15 events a commit, no HTTP"),
    "worker_alone": Figure(
        measured("worker", alone(POSTGRESQL), "rate"),
        "events/s",
        "one worker where nobody sends, PostgreSQL",
        BENCH,
    ),
    "worker": Figure(
        measured("worker", during(POSTGRESQL), "drained"),
        "events/s",
        "one worker beside senders at half of full load, PostgreSQL",
        BENCH,
    ),
    "worker_sqlite": Figure(
        measured("worker", during(SQLITE), "drained"),
        "events/s",
        "one worker beside senders at half of full load, SQLite",
        BENCH,
    ),
    "bytes": Figure(
        measured("writers", WEIGHED, BYTES),
        "bytes",
        "an event with its run and all indexes on disk",
        "`make bench-writers`",
    ),
    "web_mb": Figure(
        measured("ingest", SUCCESS[POSTGRESQL], "web_mb") / WEB_PROCESSES,
        "MB",
        "a web process after load (PSS)",
        BENCH,
    ),
    "master_mb": Figure(
        measured("ingest", SUCCESS[POSTGRESQL], "master_mb"),
        "MB",
        "the web processes' master",
        BENCH,
    ),
    "database_cpu": Figure(
        measured("ingest", SUCCESS[POSTGRESQL], "database_cpu_ms"),
        "ms",
        "PostgreSQL's CPU for one event a request",
        BENCH,
    ),
    "worker_database_cpu": Figure(
        measured("worker", alone(POSTGRESQL), "database_cpu_us") / 1_000,
        "ms",
        "PostgreSQL's CPU for an event that the worker takes on",
        BENCH,
    ),
}
REMOVED = (
    "rows/s",
    "rows that retention removes beside senders, one worker, PostgreSQL",
    "`make bench-purge`",
)
SINCE_LATELY = {
    "removed": figure("purge", purge_report.during(POSTGRESQL), "removed_rate", *REMOVED)
    or figure("purge", POSTGRESQL, "rate", *REMOVED),  # As older results name it.
    "worker_mb": figure(
        "worker", alone(POSTGRESQL), "worker_mb", "MB", "a worker after a backlog (PSS)"
    ),
    "database_mb": figure(
        "ingest",
        SUCCESS[POSTGRESQL],
        "database_mb",
        "MB",
        "PostgreSQL with all its processes after some seconds of load, settings as delivered (PSS)",
    ),
    **{
        f"steady_{kind}": figure(
            "worker",
            steady.to_its_end(kind),
            "rate",
            "events/s",
            f"one worker beside {steady.RATE} requests a second, {kind}",
        )
        for kind in (SQLITE, POSTGRESQL)
    },
}
"""Figures that older results don't have."""
FIGURES |= {name: each for name, each in SINCE_LATELY.items() if each is not None}
DAY = 86_400
PEAK = 3
"""How much more comes in the busiest hour than on average."""
SHARE = 0.6
"""Of its cores that a machine should use at the peak, so that one more machine may fail."""
CATCH_UP = 1.5
"""How much more than the average the workers can do, so that what a peak leaves is soon done."""
KEPT_DAYS = int(next(each.default for each in SETTINGS if each.name == "FLOWPULSE_EVENT_DAYS"))
LONGEST_DAYS = KEPT_DAYS + 31
"""A month is dropped once its last event is past its time: its first ones stay a month longer."""
VOLUMES = (100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)


def value(name: str) -> float:
    return FIGURES[name].value


def draw_figures() -> str:
    lines = ["| | Measured | By |", "|---|---:|---|"]
    for figure in FIGURES.values():
        lines.append(f"| {figure.what} | {_plain(figure.value)} {figure.unit} | {figure.source} |")
    return "\n".join(lines)


def draw_writers() -> str:
    """Medians, with the least and the most where there was more than one round; then how often it
    was measured, and which size of a commit did best."""
    lines = [
        f"| processes | {' | '.join(map(per_commit, BATCHES))} |",
        f"|---:|{'---:|' * len(BATCHES)}",
    ]
    for processes in PROCESSES:
        rates = [_draw_rate(by(processes), per_commit(batch)) for batch in BATCHES]
        lines.append(f"| {processes} | {' | '.join(rates)} |")
    return "\n".join([*lines, "", _describe_writers()])


def _describe_writers() -> str:
    rates = {
        batch: [measured("writers", by(each), per_commit(batch)) for each in PROCESSES]
        for batch in BATCHES
    }
    spans = [f"{min(each):,.0f} – {max(each):,.0f} with {batch}" for batch, each in rates.items()]
    best = max(rates, key=lambda batch: max(rates[batch]))
    results = RESULTS["writers"]
    rounds = results.rounds if results else 0
    times = "one round" if rounds == 1 else f"{rounds} rounds"
    doubt = ", so that differences of a few tenths may be chance" if rounds == 1 else ""
    return (
        f"Measured in {times} of {results.seconds if results else 0} s{doubt}. Events a second, by "
        f"events a commit: {', '.join(spans)}. The most came with {best} a commit."
    )


def _draw_rate(processes: str, commits: str) -> str:
    rate, results = measured("writers", processes, commits), RESULTS["writers"]
    found = results and results.spread(processes, commits)
    least, most = found or (rate, rate)
    return f"{rate:,.0f}" if least == most else f"{rate:,.0f} ({least:,.0f} – {most:,.0f})"


def draw_sizes() -> str:
    lines = [
        "| Events a day | on average | at the peak | web cores | workers | PostgreSQL's cores "
        f"| memory of web and workers | disk a day | {KEPT_DAYS} days "
        f"| {LONGEST_DAYS} days |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for events in VOLUMES:
        mean, size = events / DAY, events * value("bytes")
        lines.append(
            f"| {events:,} | {_rate(mean)} | {_rate(mean * PEAK)} | {web_cores(mean)} "
            f"| {workers(mean)} | {database_cores(mean)} | {_memory(mean)} | {_size(size)} "
            f"| {_size(size * KEPT_DAYS)} | {_size(size * LONGEST_DAYS)} |"
        )
    return "\n".join(lines)


def draw_billion() -> str:
    """The arithmetic for 1,000,000,000 events a day."""
    mean = VOLUMES[-1] / DAY
    peak = mean * PEAK
    size, commits = VOLUMES[-1] * value("bytes"), value("commits")
    rows = (
        ("Events on average", "1,000,000,000 / 86,400 s", _rate(mean)),
        ("Events at the peak", f"x {PEAK}", _rate(peak)),
        (
            "Web cores, one event a request",
            f"{peak:,.0f} x {_plain(value('cpu'))} ms / {SHARE:g}",
            f"{web_cores(mean)}",
        ),
        ("Commits, one event each", "each waits for the disk", _rate(peak)),
        ("Commits, 15 events each", f"{peak:,.0f} / 15", _rate(peak / 15)),
        ("Commits, 500 events each", f"{peak:,.0f} / 500", _rate(peak / 500)),
        (
            "Databases, by what one takes in",
            f"{peak:,.0f} / {commits:,.0f}, rounded up",
            f"{math.ceil(peak / commits)}",
        ),
        (
            "Workers",
            f"{mean:,.0f} x {CATCH_UP:g} / {value('worker'):,.0f}, as if each did as much",
            f"{workers(mean)}",
        ),
        (
            "PostgreSQL's cores, one event a request",
            f"({peak:,.0f} x {_plain(value('database_cpu'))} ms"
            f" + {mean * CATCH_UP:,.0f} x {_plain(value('worker_database_cpu'))} ms) / {SHARE:g}",
            f"{database_cores(mean)}",
        ),
        (
            "Memory of web and workers",
            "a web process for each core, and the workers",
            _memory(mean),
        ),
        ("Disk a day", f"1,000,000,000 x {value('bytes'):,.0f} bytes", _size(size)),
        (f"Disk for {KEPT_DAYS} days", f"x {KEPT_DAYS}", _size(size * KEPT_DAYS)),
        (
            "Disk at most, before a month is dropped",
            f"x {LONGEST_DAYS}",
            _size(size * LONGEST_DAYS),
        ),
        *_removal(mean),
        (
            "Network, bodies of 400 bytes with their heads",
            f"{peak:,.0f} x about 900 bytes",
            f"{peak * 900 / 1e6:,.0f} MB/s",
        ),
    )
    lines = ["| | Reckoned | |", "|---|---|---:|"]
    return "\n".join(lines + [f"| {what} | {how} | {result} |" for what, how, result in rows])


def _removal(mean: float) -> list[tuple[str, str, str]]:
    """Runs go row by row, as many a second as once came; nothing where it was never measured."""
    if "removed" not in FIGURES:
        return []
    removed = value("removed")
    how = f"{mean:,.0f} / {removed:,.0f} rows that one worker removed a second"
    return [("Removing the runs, by workers that do nothing else", how, f"{mean / removed:.1f}")]


def web_cores(mean: float) -> int:
    """For one event a request, at the peak."""
    return math.ceil(mean * PEAK * value("cpu") / 1_000 / SHARE)


def workers(mean: float) -> int:
    return math.ceil(mean * CATCH_UP / value("worker"))


def database_cores(mean: float) -> int:
    """For events that come at the peak, and for workers that do CATCH_UP of the average."""
    came = mean * PEAK * value("database_cpu")
    processed = mean * CATCH_UP * value("worker_database_cpu")
    return math.ceil((came + processed) / 1_000 / SHARE)


def _memory(mean: float) -> str:
    """Of a web process for each core, but two at least, with a master for each two, and of the
    workers; without a worker's own figure each is taken for a web process."""
    processes = max(web_cores(mean), WEB_PROCESSES)
    web = processes * value("web_mb") + math.ceil(processes / 2) * value("master_mb")
    worker = FIGURES.get("worker_mb", FIGURES["web_mb"]).value
    return f"{(web + workers(mean) * worker) / 1_024:,.1f} GB"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def _rate(each_second: float) -> str:
    return f"{each_second:,.0f}/s" if each_second >= 10 else f"{each_second:.1f}/s"


def _size(count: float) -> str:
    for unit, least in (("TB", 1e12), ("GB", 1e9)):
        if count >= least:
            return f"{count / least:,.1f} {unit}"
    return f"{count / 1e6:,.0f} MB"
