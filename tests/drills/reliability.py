"""`python -m tests.drills.reliability`: docs/reliability.md, from what the drills found last."""

from pathlib import Path

from tests.drills.fault_rows import FAULTS
from tests.drills.further_rows import FURTHER
from tests.drills.load import CLIENTS, RATE
from tests.drills.overload_rows import OVERLOADS
from tests.drills.record import Figure, read
from tests.drills.rows import Drill
from tests.drills.storage_rows import STORAGE

FILE = Path(__file__).parents[2] / "docs" / "reliability.md"
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

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

**Load**: {CLIENTS} clients that report {RATE} events a second together, successes and failures,
each with an execution id of its own, and note the event id of every 202. **Reckoning**: after the
drill, once the worker has nothing left to do, each noted event is in the log exactly once and
processed, each execution has one run, the runs count as many events as there are, and the rollups
agree with the runs. *Lost* and *doubled* count what does not. **Console**: meanwhile people of the
team read pages and save forms.

`make drills` also validates 300,000 bodies with changed bytes, values and dates
(`tests/ingest/test_fuzz_validation.py`): each is taken, or refused with a row of the
[troubleshooting table](troubleshooting.md)."""


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
