"""`python -m bench.noting batches|months`: the real worker, which notes what it removes, and rests
from removing while a file is there.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from flask.cli import cli

from app.processing import partitions, worker
from app.processing.partition_changes import change_tables
from app.processing.partitions import tend_partitions
from app.processing.sweeping import Batch, Sweeper
from bench.servers import PYTHON, ended_at_last
from bench.subjects import FlowPulse

NOTES, PAUSE = "FLOWPULSE_BENCH_NOTES", "FLOWPULSE_BENCH_PAUSE"
START_SECONDS, WARM_SECONDS = 120, 3.0
PAUSE_SECONDS = 0.1
"""How often a worker that rests looks whether it may go on."""
TEND_EVERY = timedelta(seconds=1)
"""Instead of half a minute, for which nobody wants to wait."""
BATCHES, MONTHS = "batches", "months"


class Note(NamedTuple):
    """Something that was done: what, from when to when (monotonic seconds), how many rows went, and
    for how long the lock was held."""

    what: str
    began: float
    ended: float
    rows: int = 0
    held_ms: float = 0.0


class Noting(NamedTuple):
    """A running worker: what it notes, and the file that has it rest."""

    notes: Path
    pause: Path

    def go(self) -> float:
        """Let it remove; returns when (monotonic seconds)."""
        self.pause.unlink(missing_ok=True)
        return time.monotonic()

    def rest(self) -> float:
        """The same for the end of it; what it has begun it ends."""
        self.pause.touch()
        return time.monotonic()

    def wait(self) -> None:
        """Until the worker has begun, and is warm."""
        end = time.monotonic() + START_SECONDS
        while not self.read():
            if time.monotonic() > end:
                raise SystemExit("The worker has not begun to work.")
            time.sleep(0.1)
        time.sleep(WARM_SECONDS)

    def read(self, since: float = 0.0) -> list[Note]:
        """What began then or later; a line that is being written is left for the next time. From
        the end on, as whoever asks shares the machine, and this process, with the senders."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        found = []
        for line in reversed(lines):
            if line.endswith("]"):
                note = Note(*json.loads(line))
                if note.ended < since:
                    break
                found.append(note)
        return [each for each in reversed(found) if each.began >= since]


@contextmanager
def noting_worker(flow: FlowPulse, mode: str, kept: Mapping[str, str]) -> Iterator[Noting]:
    """A worker with those settings beside the server; it rests at first."""
    with tempfile.TemporaryDirectory() as folder:
        noting = Noting(Path(folder) / "notes", Path(folder) / "pause")
        noting.rest()
        own = {NOTES: str(noting.notes), PAUSE: str(noting.pause)}
        command = [PYTHON, "-m", "bench.noting", mode]
        with ended_at_last(command, {**flow.server.environment, **kept, **own}):
            yield noting


def main(mode: str) -> None:
    pause = Path(os.environ[PAUSE])
    with open(os.environ[NOTES], "a", buffering=1) as notes:

        def write(*values: Any) -> None:
            notes.write(json.dumps(Note(*values)) + "\n")

        MODES[mode](write, pause.exists)
        cli.main(["--app", "wsgi", "worker"])


def note_batches(write: Callable[..., None], is_resting: Callable[[], bool]) -> None:
    """Each batch of rows, with how long the write lock was held."""
    remove, step = Sweeper._remove, Sweeper.step

    def remove_and_note(sweeper: Sweeper, removal: Any, *given: Any) -> Batch:
        began = time.monotonic()
        batch = remove(sweeper, removal, *given)
        name = removal.table.__tablename__
        write(name, began, time.monotonic(), batch.rows, batch.seconds * 1_000)
        return batch

    begun: set[str] = set()

    def step_or_rest(sweeper: Sweeper) -> float:
        if not begun:
            begun.add(BEGUN)
            write(BEGUN, time.monotonic(), time.monotonic())
        return PAUSE_SECONDS if is_resting() else step(sweeper)

    patch.object(Sweeper, "_remove", remove_and_note).start()
    patch.object(Sweeper, "step", step_or_rest).start()


def note_months(write: Callable[..., None], is_resting: Callable[[], bool]) -> None:
    """Each look for what can be dropped, and each change of the tables. No row goes by itself."""

    @wraps(change_tables)
    def change_and_note(task: Callable[..., None]) -> bool:
        began = time.monotonic()
        is_done = change_tables(task)
        ended = time.monotonic()
        name = task.func.__name__ if isinstance(task, partial) else task.__name__
        write(name, began, ended, int(is_done), (ended - began) * 1_000)
        return is_done

    @wraps(tend_partitions)
    def tend_and_note() -> None:
        if is_resting():
            write(BEGUN, time.monotonic(), time.monotonic())
            return
        began = time.monotonic()
        tend_partitions()
        write(TENDED, began, time.monotonic())

    patch.object(partitions, "change_tables", change_and_note).start()
    patch.object(worker, "tend_partitions", tend_and_note).start()
    patch.object(worker, "TIDY_EVERY", TEND_EVERY).start()
    patch.object(Sweeper, "step", lambda sweeper: PAUSE_SECONDS).start()


BEGUN, TENDED = "begun", "tend_partitions"
MODES = {BATCHES: note_batches, MONTHS: note_months}

if __name__ == "__main__":
    main(sys.argv[1])
