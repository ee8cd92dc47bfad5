"""A backlog that the worker drains to its end, and what steady senders notice of it meanwhile.

Senders go on all the time; the worker is halted and let go again in turn, so that each round with
it has one without it just before.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from app.processing.pace import PATIENCE_SECONDS, SHARES
from bench.backlog import Backlog
from bench.load import CONNECTIONS, Load, run_round
from bench.measured import Progress, Round
from bench.servers import START_SECONDS, NotReady, Web, cpu_seconds, pss_mb
from bench.subjects import FlowPulse
from bench.watched_worker import HALT, HALTED, LOOK_SECONDS, STEP

EVENTS = 100_000
RATE = 150
"""Requests a second, over as many connections as always: less than what the worker does beside
them, so that what waits gets less."""
LONGEST_SECONDS = 420
HURRIED_PART, HURRIED_ROUNDS = 0.6, 3
"""With little patience: so much of the backlog, and at least so many rounds with each share."""
ROUNDS_BY_CALM = 6
"""With the product's own patience so many rounds in turn have the calm before them in common."""


class Drain(NamedTuple):
    """How a backlog is drained: after which patience the worker takes the next of its shares, and
    how many rounds have the calm one before them in common."""

    patience_seconds: float
    rounds_by_calm: int
    by_share: bool


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

    def step(self) -> int:
        """Which of its shares it took last."""
        return int((self.folder / STEP).read_text())


AS_IT_IS = Drain(PATIENCE_SECONDS, ROUNDS_BY_CALM, by_share=False)


def as_the_worker_is(kind: str) -> str:
    return f"{kind}, as the worker is"


def share(kind: str, step: int) -> str:
    return f"{kind}, share {step + 1} of {len(SHARES)}"


def shares(kind: str) -> list[str]:
    return [share(kind, step) for step in range(len(SHARES))]


def ends(kind: str) -> list[str]:
    """The subjects that tell how long it took."""
    return [f"{as_the_worker_is(kind)}, to its end", f"{kind}, with little patience, to its end"]


def phases(kind: str) -> list[str]:
    """The subjects that tell what senders noticed."""
    return [as_the_worker_is(kind), *shares(kind)]


def measure_both(
    backlog: Backlog, web: Web, seconds: int, say: Progress, events: int = EVENTS
) -> dict[str, list[Round]]:
    """Once as the worker is; once with so little patience that it comes to each of its shares, if
    events last so long."""
    kind = backlog.flow.database.kind
    results: dict[str, list[Round]] = {name: [] for name in (*ends(kind), *phases(kind))}
    hurried = Drain(HURRIED_ROUNDS * seconds, 1, by_share=True)
    counts = (events, round(events * HURRIED_PART))
    for name, drain, count in zip(ends(kind), (AS_IT_IS, hurried), counts, strict=True):
        backlog.fill_up(count)
        with halted_worker(backlog.flow, drain.patience_seconds) as worker:
            noticed, drained = drain_beside(backlog, web, worker, drain, seconds, say)
        results |= noticed | {name: [drained | {"patience_seconds": drain.patience_seconds}]}
    return results


def drain_beside(
    backlog: Backlog, web: Web, worker: Halted, drain: Drain, seconds: int, say: Progress
) -> tuple[dict[str, list[Round]], Round]:
    """Rounds until nothing waits, by the share that the worker took last in each; and how long it
    took. The last round, which had less to do than time, is left out where its share has others."""
    flow, kind = backlog.flow, backlog.flow.database.kind
    results: defaultdict[str, list[Round]] = defaultdict(list)
    load = Load(seconds, CONNECTIONS, CONNECTIONS * 1_000 / RATE)
    calm = run_round(web, flow.success(), load, flow.database)  # Warms up.
    waiting, cpu = backlog.count(), cpu_seconds(worker.process)
    number, worked, drained, deadline = 0, 0.0, 0.0, time.monotonic() + LONGEST_SECONDS
    while backlog.count() > RATE and time.monotonic() < deadline:
        if number % drain.rounds_by_calm == 0:
            calm = run_round(web, flow.success(), load, flow.database)
        beside = run_beside(backlog, web, worker, load)
        number, worked = number + 1, worked + beside["worked"]
        drained += beside["drained"] * beside["worked"]
        name = share(kind, worker.step()) if drain.by_share else as_the_worker_is(kind)
        if backlog.count() > RATE or not results[name]:
            results[name].append(compare(calm, beside))
        say(f"{name}: p99 {calm['p99_ms']:.1f} → {beside['p99_ms']:.1f} ms")
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


def compare(calm: Round, beside: Round) -> Round:
    """With what the calm round before it was like."""
    return beside | {
        "calm_p50_ms": calm["p50_ms"],
        "calm_p99_ms": calm["p99_ms"],
        "p50_ratio": beside["p50_ms"] / calm["p50_ms"],
        "p99_ratio": beside["p99_ms"] / calm["p99_ms"],
        "errors": beside["errors"] + calm["errors"],
    }


@contextmanager
def halted_worker(flow: FlowPulse, patience_seconds: float) -> Iterator[Halted]:
    with TemporaryDirectory(dir=flow.database.folder) as name:
        folder = Path(name)
        (folder / HALT).touch()
        command = ("-m", "bench.watched_worker", name, str(patience_seconds))
        with flow.server.process(*command) as process:
            worker = Halted(process, folder)
            worker.wait_until_still()
            yield worker
