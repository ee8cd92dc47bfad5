"""`python -m tests.drills.reliability`: docs/reliability.md, from what the drills found last."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter

from tests.drills.fault_rows import FAULTS
from tests.drills.further_rows import FURTHER
from tests.drills.load import CLIENTS, RATE
from tests.drills.overload_rows import OVERLOADS
from tests.drills.record import Figure, read
from tests.drills.rows import Drill
from tests.drills.storage_rows import STORAGE

FILE = Path(__file__).parents[2] / "docs" / "reliability.md"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
LOAD = "load {load:.1f}"

DRILLS: dict[str, Drill] = {
    **FAULTS,
    **STORAGE,
    **OVERLOADS,
    **FURTHER,
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

**Load**: {CLIENTS} clients that report up to {RATE} events a second together, successes and
failures, each with an execution id of its own, and note the event id of every 202. A client waits
for its answer before it sends the next, so a slow or broken server is sent less: *54/s* in a row is
what was accepted a second, or what was taken of a flood. **Reckoning**: after the
drill, once the worker has nothing left to do, each noted event is in the log exactly once and
processed, each execution has one run, the runs count as many events as there are, and the rollups
agree with the runs. *Lost* and *doubled* count what does not. **Console**: meanwhile people of the
team read pages and save forms.

`make drills` also validates 300,000 bodies with changed bytes, values and dates
(`tests/ingest/test_fuzz_validation.py`): each is taken, or refused with a row of the
[troubleshooting table](troubleshooting.md)."""

MACHINES = """\
**Machine**: {machines}; the server, its database and whoever sends
share it. Where the pass mark was not held, the row says **missed**. *load* is the machine's load
average of the last minute over its processors, at the end of the drill: above 1, something waited
for a processor all the time. Rows without it are older than this figure."""


def render() -> str:
    """The page. A drill that was never run, or not on this database, says so."""
    sections = dict.fromkeys(drill.section for drill in DRILLS.values())
    machines = MACHINES.format(machines=_tell_machines())
    return "\n\n".join([INTRODUCTION, machines, *map(_draw_section, sections)]) + "\n"


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
    found = read(name).get(database)
    if found is None:
        return "not run yet"
    parts = [drill.found.format(**found), *_tell_known(drill.besides, found)]
    parts += ["**missed**"] if drill.held and not drill.held(found) else []
    return f"{'; '.join(parts)} ({', '.join([str(found['date']), *_tell_known([LOAD], found)])})"


def _tell_known(templates: Iterable[str], found: dict[str, Figure]) -> Iterator[str]:
    """Those whose figures were recorded."""
    for template in templates:
        if all(name in found for _, name, _, _ in Formatter().parse(template) if name):
            yield template.format(**found)


def _tell_machines() -> str:
    """All that something was recorded on."""
    found = (each for name in DRILLS for each in read(name).values())
    return " or ".join(sorted({str(each["machine"]) for each in found}))


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
