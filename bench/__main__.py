"""`python -m bench`: measures ingest and what goes on beside it, and writes docs/performance.md.

The report is drawn from the last results of each part, so that a part can be measured alone. Ends
with 1 where a goal is missed for no reason that is written down (bench/reasons.py).
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench import (
    drain,
    growth_inserts,
    growth_report,
    ingest,
    live,
    purge_months,
    purge_report,
    reading,
    reasons,
    search_report,
)
from bench.load import NoLoadGenerator, find_wrk
from bench.measured import Measured, Progress, keep, last
from bench.report import FILE, render

Measure = Callable[[Path, int, int, bool, Progress], Measured]


class Part(NamedTuple):
    """What is measured together, with its usual number of rounds and the seconds of each."""

    measure: Measure
    rounds: int
    seconds: int


PARTS = {
    "ingest": Part(ingest.measure, 5, 4),
    "live": Part(live.measure, 5, 3),
    "worker": Part(drain.measure, 5, 4),
    "reading": Part(reading.measure, 5, 1),
}
"""All together take three quarters of an hour on two cores that do nothing else."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="measure this part alone")
    parser.add_argument("--rounds", type=int, help="rounds of each subject")
    parser.add_argument("--seconds", type=int, help="seconds of each round")
    parser.add_argument("--no-postgresql", action="store_true", help="measure SQLite alone")
    parser.add_argument("--report", action="store_true", help="only draw the pages anew")
    parser.add_argument("--check", action="store_true", help="only judge the last results")
    options = parser.parse_args()
    if not options.check:
        measure(options)
    lines, code = reasons.check(last_results())
    print("\n".join(lines))
    sys.exit(code)


def measure(options: argparse.Namespace) -> None:
    for name in [] if options.report else [options.only] if options.only else PARTS:
        run(name, options)
    for write_page in PAGES if options.report else ():
        write_page()
    write()


def run(name: str, options: argparse.Namespace) -> None:
    try:
        find_wrk()
    except NoLoadGenerator as error:
        raise SystemExit(str(error)) from error
    part = PARTS[name]
    rounds, seconds = options.rounds or part.rounds, options.seconds or part.seconds
    with tempfile.TemporaryDirectory(prefix="flowpulse-bench-") as folder:
        keep(name, part.measure(Path(folder), rounds, seconds, not options.no_postgresql, _say))


OTHERS = (
    *("growth", growth_inserts.PART, "purge", purge_months.PART),
    *("move", "batch", "pages", "charts"),
)
"""What has a program and a document of its own; only its goals and errors stand here."""
PAGES = (growth_report.write, purge_report.write, search_report.write)
"""What draws documents from the last results, beside this part's own."""


def last_results() -> dict[str, Measured]:
    return {name: measured for name in (*PARTS, *OTHERS) if (measured := last(name))}


def write() -> None:
    report = render(last_results())
    FILE.write_text(report)
    print(report)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
