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
    "backup": Drill(
        DURABILITY,
        "A backup of 100,000 events under load, restored elsewhere",
        "Each 202 that was answered before it began is in it; the copy is opened and counted; "
        "p99 at most twice as long meanwhile",
        "{answered:,} answered before: {missing} missing. {megabytes:.0f} MB in {backup_s:.0f} s; "
        "p99 {beside_ms:.0f} ms without it, {meanwhile_ms:.0f} ms meanwhile",
    ),
    "full_disk": Drill(
        DURABILITY,
        "The disk full for a minute under load (a small tmpfs)",
        "503 with the cause, never a 202 that is lost; every page answers; writes again within "
        "10 s after there is room, without a restart; 0 lost; a banner before it is full",
        "{accepted:,} answered with 202, {refused:,} with 503: {lost} lost, {doubled} doubled; "
        "{pages} pages read meanwhile; writes after {resumed_s:.1f} s; "
        "{restarts} restarts of the database",
    ),
    "migration": Drill(
        DURABILITY,
        "A database of the first version with 1,000,000 events and runs is migrated by four "
        "starters at once; another one with kill -9 in the middle, three times",
        "At most 120 s; one migrates, the others wait; the next start finishes it",
        "{seconds:.0f} s, one migrated; {kills} kills, then finished, with all rows there",
    ),
    "clock": Drill(
        DURABILITY,
        "The clock (of the machine; for PostgreSQL, its own) is set ahead and back by an hour and "
        "by a day under load, and set right again",
        "Ids and order by arrival; nothing purged; no alert twice, none for what did not come "
        "meanwhile; the worker takes no more than 30 % of a processor",
        "{jumps} jumps, {accepted:,} answered with 202: {lost} lost, {doubled} doubled, "
        "{disordered} out of order; {purged} purged; {messages} messages of one failure and its "
        "end; {cpu_percent:.0f} % of a processor",
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
