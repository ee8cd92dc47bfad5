"""A backlog that the worker drains to its end, and what steady senders notice of it meanwhile.

Senders go on all the time; the worker is halted and let go again in turn, so that each round with
it has one without it just before.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from bench.backlog import Backlog
from bench.load import CONNECTIONS, Load, run_round
from bench.measured import Progress, Round
from bench.servers import START_SECONDS, NotReady, Web, cpu_seconds, pss_mb
from bench.subjects import FlowPulse
from bench.watched_worker import HALT, HALTED, LOOK_SECONDS

EVENTS = 100_000
RATE = 150
"""Requests a second, over as many connections as always: less than what the worker does beside
them, so that what waits gets less."""
FEW = 150
"""So few may wait at the end: senders go on."""
LONGEST_SECONDS = 420
ROUNDS_BY_CALM = 6
"""So many rounds in turn have the calm before them in common."""


class Halted(NamedTuple):
    """A worker that stands still but for the rounds it is let go for."""

    process: psutil.Process
    folder: Path

    def wait_until_still(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not (self.folder / HALTED).exists():
            if time.monotonic() > deadline:
                raise NotReady("The worker does not stand still.")
            time.sleep(LOOK_SECONDS)

    @contextmanager
    def let_go(self) -> Iterator[None]:
        (self.folder / HALT).unlink()
        yield
        (self.folder / HALT).touch()
        self.wait_until_still()


def to_its_end(kind: str) -> str:
    """The subject that tells how long it took."""
    return f"{kind}, to its end"


def beside(kind: str) -> str:
    """The subject that tells what senders noticed."""
    return f"{kind}, beside steady senders"


def measure_to_the_end(
    backlog: Backlog,
    web: Web,
    seconds: int,
    say: Progress,
    events: int = EVENTS,
    rate: int = RATE,
) -> dict[str, list[Round]]:
    """Rounds until nothing waits, and how long it took."""
    kind = backlog.flow.database.kind
    backlog.fill_up(events)
    with halted_worker(backlog.flow) as worker:
        noticed, drained = drain_beside(backlog, web, worker, steadily(seconds, rate), say)
    return {to_its_end(kind): [drained], beside(kind): noticed}


def steadily(seconds: int, rate: int) -> Load:
    return Load(seconds, CONNECTIONS, CONNECTIONS * 1_000 / rate)


def drain_beside(
    backlog: Backlog, web: Web, worker: Halted, load: Load, say: Progress
) -> tuple[list[Round], Round]:
    """The last round, which had less to do than time, is left out where there are others."""
    flow, results = backlog.flow, list[Round]()
    calm = run_round(web, flow.success(), load, flow.database)  # Warms up.
    waiting, cpu = backlog.count(), cpu_seconds(worker.process)
    number, worked, drained, deadline = 0, 0.0, 0.0, time.monotonic() + LONGEST_SECONDS
    while backlog.count() > FEW and time.monotonic() < deadline:
        if number % ROUNDS_BY_CALM == 0:
            calm = run_round(web, flow.success(), load, flow.database)
        noticed = run_beside(backlog, web, worker, load)
        number, worked = number + 1, worked + noticed["worked"]
        drained += noticed["drained"] * noticed["worked"]
        if backlog.count() > FEW or not results:
            results.append(compare(calm, noticed))
        say(f"{to_its_end(flow.database.kind)}: {tell(results[-1])}, {backlog.count():,} left")
    return results, {
        "events": waiting,
        "left": backlog.count(),
        "seconds": worked,
        "rate": drained / max(worked, 1e-9),
        "cpu_us": (cpu_seconds(worker.process) - cpu) * 1e6 / max(drained, 1),
        "worker_mb": pss_mb(worker.process),
    }


def run_beside(backlog: Backlog, web: Web, worker: Halted, load: Load) -> Round:
    """A round with the worker, from when it is let go until it stands still again."""
    flow = backlog.flow
    before, began = backlog.count(), time.monotonic()
    with worker.let_go():
        measured = run_round(web, flow.success(), load, flow.database)
    worked = time.monotonic() - began
    drained = before + measured["requests"] - backlog.count()
    return measured | {"worked": worked, "drained": drained / worked}


def compare(calm: Round, noticed: Round) -> Round:
    """With what the calm round before it was like."""
    return noticed | {
        "calm_p50_ms": calm["p50_ms"],
        "calm_p99_ms": calm["p99_ms"],
        "p99_ratio": noticed["p99_ms"] / calm["p99_ms"],
        "errors": noticed["errors"] + calm["errors"],
    }


def tell(compared: Round) -> str:
    return f"p99 {compared['calm_p99_ms']:.1f} → {compared['p99_ms']:.1f} ms"


@contextmanager
def halted_worker(flow: FlowPulse, step: int | None = None) -> Iterator[Halted]:
    """`step`: which of its shares it keeps to; with None it takes them one after another."""
    with TemporaryDirectory(dir=flow.database.folder) as name:
        folder = Path(name)
        (folder / HALT).touch()
        command = ["-m", "bench.watched_worker", name, *([] if step is None else [str(step)])]
        with flow.server.process(*command) as process:
            worker = Halted(process, folder)
            worker.wait_until_still()
            yield worker
