"""`python -m bench.growth`: what grows with the log: fills databases with more and more events and
times the worker, pages and searches in each, then inserts and claims in all of them in turn.

Writes docs/performance-growth.md, of both databases or of one.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from app.extensions import db
from app.models import Event, Run
from bench import growth_inserts
from bench.growth_databases import Filled, fill, size_mb
from bench.growth_measures import MEASURES, Subject, clock
from bench.growth_report import REPORT, write
from bench.growth_steps import PART, Step, as_measured, name_of, read_steps
from bench.measured import Measured, Round, keep, last
from bench.servers import collect_as_served

COUNTS = (10_000, 100_000, 1_000_000, 10_000_000)
KINDS = ("sqlite", "postgresql")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--database", choices=KINDS, help="one of them alone")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="numbers of events")
    parser.add_argument("--up-to", type=int, default=max(COUNTS), help="of these, the most")
    parser.add_argument("--only-inserts", action="store_true", help="fill, and insert in turn")
    parser.add_argument("--rounds", type=int, default=growth_inserts.ROUNDS, help="of inserts")
    parser.add_argument("--folder", type=Path, help="where databases are made (a temporary one)")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="take the process's own time, as the machine is busy with something else; for SQLite",
    )
    parser.add_argument("--report", type=Path, default=REPORT, help=f"what is written ({REPORT})")
    options = parser.parse_args()
    if options.processor_time:
        clock.now = time.process_time  # type: ignore[method-assign]
    for kind in [options.database] if options.database else KINDS:
        run(kind, options)


def run(kind: str, options: argparse.Namespace) -> None:
    """All sizes of a database stay until the inserts at the end; what is measured is kept, and the
    report written, after each step."""
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        filled = []
        for count in sorted(each for each in options.counts if each <= options.up_to):
            filled.append(fill(kind, count, folder / str(count), stack))
            if not options.only_inserts:
                keep_step(measure(filled[-1]))
                write(options.report)
        for found in insert_in_turn(filled, options.rounds):
            keep_inserts(kind, found, options.rounds)
        write(options.report)
    print(f"{kind}: {time.monotonic() - began:.0f} s", flush=True)


def keep_step(step: Step) -> None:
    print(json.dumps(step._asdict()), flush=True)
    steps = read_steps(last(PART))
    others = [each for each in steps if (each.kind, each.asked) != (step.kind, step.asked)]
    keep(PART, as_measured([*others, step]))


def keep_inserts(kind: str, found: dict[str, list[Round]], rounds: int) -> None:
    """Beside those of the other kind of database; what is not of this run is no pair of it."""
    before = last(growth_inserts.PART)
    others = before.subjects if before else {}
    others = {name: each for name, each in others.items() if not name.startswith(f"{kind}, ")}
    keep(growth_inserts.PART, Measured(rounds, 0, others | found))


def insert_in_turn(filled: Iterable[Filled], rounds: int) -> Iterator[dict[str, list[Round]]]:
    collect_as_served()
    grown = [growth_inserts.Grown(name_of(each.kind, each.asked), each.app) for each in filled]
    return growth_inserts.measure(grown, rounds, lambda line: print(line, flush=True))


def measure(filled: Filled) -> Step:
    """All that is measured in one database by itself."""
    with filled.app.app_context():
        collect_as_served()
        figures = dict(_run(Subject(filled.app, filled.team)))
        events, runs = (
            db.session.scalar(select(func.count(each.id))) or 0 for each in (Event, Run)
        )
        size = size_mb()
        db.session.remove()
    is_processor_time = int(clock.now is time.process_time)
    return Step(
        *(filled.kind, filled.asked, events, runs, filled.seconds, size, figures),
        is_processor_time=is_processor_time,
    )


def _count(table: Any) -> int:
    return db.session.scalar(select(func.count(table.id))) or 0


def _run(subject: Subject) -> Iterator[tuple[str, float]]:
    """Each measure in turn; what it says of itself is printed as it comes."""
    for measure_one in MEASURES:
        for name, figure in measure_one(subject):
            print(f"  {name}: {figure:,.3f}", flush=True)
            yield name, figure


if __name__ == "__main__":
    main()
