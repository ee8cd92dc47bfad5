"""`python -m tests.drills.reliability`: docs/reliability.md, from what the drills found last."""

from pathlib import Path
from typing import NamedTuple

from tests.drills.load import CLIENTS, RATE
from tests.drills.record import Figure, read

FILE = Path(__file__).parents[2] / "docs" / "reliability.md"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
DURABILITY, OVERLOAD, OTHERS = "Durability and faults", "Overload", "Further drills"


class Drill(NamedTuple):
    """A row of the page."""

    section: str
    fault: str
    mark: str
    found: str
    """A format string with the names of the figures that the drill records."""
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    """Where it means anything."""


DRILLS: dict[str, Drill] = {
    "kill_web": Drill(
        DURABILITY,
        "kill -9 of a random web process, 20 times, under load",
        "0 lost, 0 doubled; accepting again within 5 s; processing within 30 s",
        "{accepted:,} answered with 202: {lost} lost, {doubled} doubled; "
        "accepting after {accepting_s:.1f} s at most",
    ),
    "kill_everything": Drill(
        DURABILITY,
        "kill -9 of everything, 10 times, under load",
        "0 lost, 0 doubled; accepting again within 5 s; processing within 30 s",
        "{accepted:,} answered with 202: {lost} lost, {doubled} doubled; accepting after "
        "{accepting_s:.1f} s at most, processing after {processing_s:.1f} s",
    ),
    "kill_worker": Drill(
        DURABILITY,
        "kill -9 of the worker, 50 times, under load",
        "0 lost, 0 doubled; processing again within 30 s",
        "{accepted:,} answered with 202: {lost} lost, {doubled} doubled; "
        "processing after {processing_s:.1f} s at most",
    ),
    "slow_sockets": Drill(
        OVERLOAD,
        "1,000 connections that idle, send half a head or no body, send or take a byte a second",
        "good requests' p99 within 1 s; closed after 15 to 30 s",
        "{requests:,} good requests, p99 {p99_ms:.0f} ms; closed after {first_closed_s:.0f} to "
        "{last_closed_s:.0f} s, {open} left open",
    ),
    "large_bodies": Drill(
        OVERLOAD,
        "50 bodies of 10 MB at once, with a length and in chunks: events, batches and forms",
        "413; at most 20 MB more memory",
        "{more_mb:.1f} MB more at most ({worst})",
    ),
    "bombs": Drill(
        OVERLOAD,
        "Nesting of 100,000 levels, numbers of 1,000,000 digits, packed zeros, names, escapes, "
        "parts, headers, cookies",
        "400, 413, 415 or 431 within 200 ms",
        "{bombs} tried, the slowest {slowest_ms:.0f} ms ({slowest}), half of them within "
        "{median_ms:.0f} ms",
    ),
    "flood_without_key": Drill(
        OVERLOAD,
        "10,000 requests a second without a key, offered for 5 minutes",
        "disk bounded, all counted; a good key's p99 within 2 s, the log's page within 1 s",
        "{sent:,} of {offered:,} taken and {shown:,} counted; {more_mb:.0f} MB more on disk; a "
        "good key's p99 {good_p99_ms:.0f} ms, the page {page_ms:.0f} ms at most",
    ),
    "flood_with_one_key": Drill(
        OVERLOAD,
        "2,000 events a second with one key",
        "429 with Retry-After, all counted; other keys unharmed",
        "{sent:,} sent, {refused:,} refused, {with_retry_after:,} told when to come again, "
        "{shown:,} counted; another key's p99 {good_p99_ms:.0f} ms, {good_others} of "
        "{good:,} not taken",
    ),
    "load_for_an_hour": Drill(
        OVERLOAD,
        "An hour of load",
        "memory at most 10 % more; file descriptors as many",
        "{accepted:,} answered with 202: {lost} lost, {doubled} doubled; {before_mb:.0f} MB after "
        "5 minutes, {after_mb:.0f} MB at the end ({growth_percent:+.1f} %); "
        "{before_descriptors:.0f} descriptors, then {after_descriptors:.0f}",
    ),
}
"""By the name under which a drill records what it found (`tests.drills.record`)."""

INTRODUCTION = f"""\
# Reliability

What happens to reports when things break, tried on the real server over HTTP: web processes under
gunicorn and the worker, under supervisord. `make drills` runs everything and rewrites this page; a
short version of each drill is in `make test`. One of them:

```sh
.venv/bin/python -m pytest -m drill tests/drills/test_kill.py -k worker -s --timeout 3600
.venv/bin/python -m tests.drills.reliability
```

**Load**: {CLIENTS} clients that report {RATE} events a second together, successes and failures,
each with an execution id of its own, and note the event id of every 202. **Reckoning**: after the
drill, once the worker has nothing left to do, each noted event is in the log exactly once and
processed, each execution has one run, the runs count as many events as there are, and the rollups
agree with the runs. *Lost* and *doubled* count what does not."""


def render() -> str:
    """The page. A drill that was never run, or not on this database, says so."""
    sections = dict.fromkeys(drill.section for drill in DRILLS.values())
    return "\n\n".join([INTRODUCTION, *map(_draw_section, sections)]) + "\n"


def _draw_section(section: str) -> str:
    lines = [f"## {section}", ""]
    lines += ["| Fault | Pass mark | SQLite | PostgreSQL |", "|---|---|---|---|"]
    for name, drill in DRILLS.items():
        if drill.section == section:
            cells = [_draw_cell(name, drill, database) for database in DATABASES]
            lines.append(f"| {' | '.join([drill.fault, drill.mark, *cells])} |")
    return "\n".join(lines)


def _draw_cell(name: str, drill: Drill, database: str) -> str:
    if database not in drill.databases:
        return "–"
    found: dict[str, Figure] | None = read(name).get(database)
    if found is None:
        return "not run yet"
    return f"{drill.found.format(**found)} ({found['date']})"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
