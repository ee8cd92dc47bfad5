"""`python -m tests.drills.reliability`: docs/reliability.md, from what the drills found last."""

from collections.abc import Iterable
from pathlib import Path
from string import Formatter, ascii_uppercase

from tests.drills.fault_rows import FAULTS
from tests.drills.further_rows import FURTHER
from tests.drills.load import CLIENTS, MINUTES, RATE
from tests.drills.marks import AMOUNTS, FEWEST_BETWEEN, STEADY_RATE, at_least
from tests.drills.overload_rows import OVERLOADS
from tests.drills.record import BROKEN, Found, read
from tests.drills.rows import Drill
from tests.drills.storage_rows import STORAGE
from tests.storage import IN_MEMORY

FILE = Path(__file__).parents[2] / "docs" / "reliability.md"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
LOAD, CODE = "load {load:.1f}", "code {code}"
SKIPPED_ON = "could not be run again on {skipped}"

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
failures that ended within {MINUTES // 60} hours, each with an execution id of its own, and note
the event id of every 202. A client waits for its answer before it sends the next, so a slow or
broken server is sent less: *54/s* in a row is what was accepted a second, or what was taken of a
flood. That the load was there belongs to the pass mark of each drill under load: {STEADY_RATE}/s
at least where the fault itself keeps nobody waiting, and otherwise {FEWEST_BETWEEN} accepted before
each fault; before each kill it is up to five seconds' worth. So does the amount that a row names,
of kills, requests, minutes: what was broken off sooner has shown less. **Reckoning**: after the
drill, once the worker has nothing left to do, each noted event is in the log exactly once and
processed, each execution has one run, with the outcome, the duration, the end and the error that
were sent, the runs count as many events as there are, and the rollups agree with the runs, by
quarters of an hour, hours and days. *Lost*, *doubled* and *altered* count what does not.
**Console**: meanwhile people of the team read pages and save forms.

`make drills` also validates 300,000 bodies with changed bytes, values and dates
(`tests/ingest/test_fuzz_validation.py`): each is taken, or refused with a row of the
[troubleshooting table](troubleshooting.md)."""

MACHINES = """\
{machines}. Each result names its machine, which the server, its
database and whoever sends share. *On disk, synced*: the database's files are on a disk, and each
commit waits for it; *in memory*: they are not, and so all of it was quicker. Where the pass mark
was not held, or a figure is missing that it asks for, the row says **missed**; **did not finish**
where a drill broke before it had its figures; where one can't be run, as without root, older
figures stay and say so. *load* is the machine's load average of the last minute over its
processors, at the end of the drill: above 1, something waited for a processor all the time.
*code* is the state of `app/` that was tried, as `git rev-parse HEAD:app` names it; with
a `+`, something in it had changed since."""


def is_held(name: str, found: Found) -> bool:
    """Whether what a drill found holds the mark of its row, and is as much as the row says."""
    held = DRILLS[name].held
    return (held is None or held(found)) and at_least(**AMOUNTS.get(name, {}))(found)


def render() -> str:
    """The page. A drill that was never run, or not on this database, says so."""
    sections = dict.fromkeys(drill.section for drill in DRILLS.values())
    names = (f"**M{name[1:]}**: {told}" for told, name in _name_machines().items())
    machines = MACHINES.format(machines="; ".join(names))
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
    parts = _tell_found(name, found)
    circumstances = [str(found["date"]), _name_machines()[str(found["machine"])]]
    if BROKEN not in found:
        circumstances.append(str(found.get("storage", IN_MEMORY)))
    circumstances += _tell_known([LOAD, CODE, SKIPPED_ON], found)
    return f"{'; '.join(parts)} ({', '.join(circumstances)})"


def _tell_found(name: str, found: Found) -> list[str]:
    drill = DRILLS[name]
    if BROKEN in found:
        return ["**did not finish**"]
    if not _is_known(drill.found, found):
        return ["not run here"]
    parts = [drill.found.format(**found), *_tell_known(drill.besides, found)]
    return [*parts, *([] if is_held(name, found) else ["**missed**"])]


def _tell_known(templates: Iterable[str], found: Found) -> list[str]:
    """Those whose figures were recorded."""
    return [template.format(**found) for template in templates if _is_known(template, found)]


def _is_known(template: str, found: Found) -> bool:
    return all(name in found for _, name, _, _ in Formatter().parse(template) if name)


def _name_machines() -> dict[str, str]:
    """By a machine that something was recorded on, what the rows call it: A, B …"""
    found = (each for name in DRILLS for each in read(name).values())
    machines = sorted({str(each["machine"]) for each in found})
    return {
        machine: f"machine {letter}"
        for machine, letter in zip(machines, ascii_uppercase, strict=False)
    }


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
