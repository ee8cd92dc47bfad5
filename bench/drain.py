"""How fast the worker drains a backlog, and what whoever sends meanwhile notices of it."""

import time
from contextlib import ExitStack
from pathlib import Path

from app.processing.pace import SHARES
from bench import steady
from bench.backlog import Backlog, backlog_of
from bench.load import Load, run_round
from bench.measured import Measured, Progress, Round
from bench.servers import Web, cpu_seconds, pss_mb
from bench.subjects import FlowPulse, databases, flowpulse

EVENTS = steady.EVENTS
PARTS = 5
"""The worker alone, and half of full load, are given so many parts of that, one a round."""
LONGEST_SECONDS = 600
PROBE_SECONDS = 3
PAUSE_MS = 150
"""Of each connection before each request: the rate holds where answers take much less."""
SHARE = 0.5
"""Of what the server takes in alone, this part is sent while the worker drains."""


def alone(kind: str) -> str:
    return f"{kind}, the worker alone"


def before(kind: str) -> str:
    return f"{kind}, 202 before"


def during(kind: str) -> str:
    return f"{kind}, 202 while it drains"


def share(kind: str, step: int) -> str:
    return f"{kind}, share {step + 1} of {len(SHARES)}"


def shares(kind: str) -> list[str]:
    return [share(kind, step) for step in range(len(SHARES))]


def measure(
    folder: Path,
    rounds: int,
    seconds: int,
    with_postgresql: bool,
    say: Progress,
    events: int = EVENTS,
) -> Measured:
    results: dict[str, list[Round]] = {}
    with ExitStack() as stack:
        for database in databases(folder, stack, with_postgresql):
            flow = flowpulse(database)
            with backlog_of(flow) as backlog:
                results |= send_beside(flow, backlog, rounds, seconds, say, events)
                results[alone(database.kind)] = []
                for number in range(1, rounds + 1):
                    backlog.fill_up(events // PARTS)
                    drained = drain(flow, backlog)
                    results[alone(database.kind)].append(drained)
                    say(f"{number} {alone(database.kind)}: {drained['rate']:.0f} events/s")
    return Measured(rounds, seconds, results)


def drain(flow: FlowPulse, backlog: Backlog) -> Round:
    """From the end of the worker's first batch, so that its start doesn't count."""
    with flow.server.worker() as worker:
        backlog.wait_until_it_shrinks()
        count, began = backlog.count(), time.perf_counter()
        cpu, database_cpu = cpu_seconds(worker), flow.database.cpu_seconds()
        backlog.wait_until_empty(LONGEST_SECONDS)
        took = time.perf_counter() - began
        found = {
            "events": count,
            "seconds": took,
            "rate": count / took,
            "cpu_us": (cpu_seconds(worker) - cpu) * 1e6 / count,
            "worker_mb": pss_mb(worker),
        }
        if flow.database.cluster:
            used = flow.database.cpu_seconds() - database_cpu
            found["database_cpu_us"] = used * 1e6 / count
    return found


def send_beside(
    flow: FlowPulse, backlog: Backlog, rounds: int, seconds: int, say: Progress, events: int
) -> dict[str, list[Round]]:
    """What senders notice: steady ones until nothing waits, then those at half of full load."""
    with flow.server.running() as web:
        steadily = steady.measure_to_the_end(backlog, web, seconds, say, events)
        backlog.fill_up(events // PARTS)
        return steadily | send_meanwhile(backlog, web, rounds, seconds, say)


def send_meanwhile(
    backlog: Backlog, web: Web, rounds: int, seconds: int, say: Progress
) -> dict[str, list[Round]]:
    """Rounds without and with the worker in turn, with each of its shares, at half of the rate that
    the server can take. As it begins is how it is for the first five minutes."""
    flow, kind = backlog.flow, backlog.flow.database.kind
    results: dict[str, list[Round]] = {name: [] for name in (before(kind), during(kind))}
    results |= {name: [] for name in shares(kind)}
    load = find_load(flow, web, seconds)
    for number in range(1, rounds + 1):
        for step, name in enumerate(shares(kind)):
            calm = run_round(web, flow.success(), load, flow.database)
            with steady.halted_worker(flow, step) as worker:
                noticed = steady.run_beside(backlog, web, worker, load)
                noticed["worker_mb"] = pss_mb(worker.process)
            results[name].append(steady.compare(calm, noticed))
            if step == 0:
                results[before(kind)].append(calm)
                results[during(kind)].append(noticed)
            say(f"{number} {name}: {steady.tell(results[name][-1])}")
    return results


def find_load(flow: FlowPulse, web: Web, seconds: int) -> Load:
    """wrk asks again as soon as it is answered; with pauses, and as many connections as it takes,
    that makes a rate which hardly depends on how soon the answers come."""
    run_round(web, flow.success(), Load(1), flow.database)
    most = run_round(web, flow.success(), Load(PROBE_SECONDS), flow.database)
    connections = SHARE * most["rate"] * PAUSE_MS / 1000
    return Load(seconds, max(round(connections), 1), PAUSE_MS)
