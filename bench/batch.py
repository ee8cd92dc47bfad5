"""`python -m bench.batch`: events a second in batches of several sizes, beside single requests.

Writes the table to docs/performance-batch.md. `make bench-batch` calls it.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.ingest import WARM_UP_SECONDS
from bench.load import CONNECTIONS, Load, Request, run_round
from bench.measured import Measured, Round, keep
from bench.servers import ROOT
from bench.subjects import BODY_BYTES, LIMITS_ON, FlowPulse, databases, flowpulse
from bench.tables import Column, number, ratio, spread, table, total

REPORT = ROOT / "docs" / "performance-batch.md"
PATH = "/api/v1/ingest/batch"
SIZES = (1, 10, 100, 500)
FEW_CONNECTIONS = 4
"""For batches of 100 and more: senders of such are few."""
SINGLE = "single requests"
COLUMNS = (
    Column("events/s", number("event_rate", ",.0f")),
    Column("of single", ratio("event_rate", lambda subject: SINGLE)),
    Column("spread", spread("event_rate", ",.0f")),
    Column("requests/s", number("rate", ",.0f")),
    Column("p50 ms", number("p50_ms", ".1f")),
    Column("p99 ms", number("p99_ms", ".1f")),
    Column("CPU ms/event", number("event_cpu_ms", ".3f")),
    Column("errors", total("errors")),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.batch", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each subject (5)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds of each round (4)")
    parser.add_argument("--no-postgresql", action="store_true", help="measure SQLite alone")
    options = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        flows = [
            flowpulse(database)
            for database in databases(Path(folder), stack, not options.no_postgresql)
        ]
        measured = {
            flow.database.kind: measure(flow, options.rounds, options.seconds) for flow in flows
        }
    keep("batch", together(measured))
    report = describe(measured)
    REPORT.write_text(report)
    print(report)


def together(measured: dict[str, Measured]) -> Measured:
    """As it is kept: both databases' subjects, each named with its database."""
    first = next(iter(measured.values()))
    subjects = {
        f"{kind}, {name}": rounds
        for kind, each in measured.items()
        for name, rounds in each.subjects.items()
    }
    return replace(first, subjects=subjects)


def list_requests(single: Request) -> Iterator[tuple[str, Request, int]]:
    """Single requests first, what the others are compared with; each with how many events it is."""
    yield SINGLE, single, 1
    for size in SIZES:
        batch = replace(single, path=PATH, body=make_batch(str(single.body), size))
        yield f"batches of {size}", batch, size
        if size == 100:
            keyed = replace(batch, with_idempotency_key=True)
            yield f"batches of {size}, with Idempotency-Key", keyed, size


def make_batch(event: str, size: int) -> str:
    return json.dumps({"events": [{"kind": "run-success", **json.loads(event)}] * size})


def measure(flow: FlowPulse, rounds: int, seconds: int) -> Measured:
    """A B C A B C …: the server stays up, and is asked in one way at a time."""
    subjects = list(list_requests(flow.success()))
    results: dict[str, list[Round]] = {name: [] for name, _, _ in subjects}
    with flow.server.running() as web:
        for turn in range(rounds + 1):
            for name, request, events in subjects:
                # The first round only warms up.
                connections = CONNECTIONS if events < 100 else FEW_CONNECTIONS
                load = Load(seconds if turn else WARM_UP_SECONDS, connections)
                found = run_round(web, request, load, flow.database)
                web.wait_until_idle()
                if turn:
                    of_events = {"event_rate": found["rate"] * events}
                    results[name].append(
                        found | of_events | {"event_cpu_ms": found["cpu_ms"] / events}
                    )
                    print(f"{turn} {flow.database.kind}, {name}: {found['rate'] * events:,.0f}/s")
    return Measured(rounds, seconds, results)


def describe(measured: dict[str, Measured]) -> str:
    first = next(iter(measured.values()))
    lines = [
        "# Performance of batches",
        "",
        f"Written by `make bench-batch`. Events of {BODY_BYTES} bytes, alone and in "
        "[batches](batch.md), under the server's own settings (gevent, two web processes), but for "
        f"the key's limit, which is raised to {int(LIMITS_ON['FLOWPULSE_RATE_LIMIT']):,} events a "
        "second, over "
        f"{CONNECTIONS} connections, or {FEW_CONNECTIONS} where a batch holds 100 and more; "
        f"{first.rounds} rounds of {first.seconds} s, taken in turn; medians, and the spread "
        "from the slowest to the fastest round. p50 and p99 are those of a request, whatever it "
        'holds. "With Idempotency-Key": each batch has one of its own, which stands for one of '
        "each event. Each answer follows the disk. The worker is not running; the load generator "
        "shares the machine's cores.",
        "",
        f"Machine: {first.machine}. Date: {first.date}.",
    ]
    for kind, each in measured.items():
        lines += ["", f"## {kind}", "", table(each, COLUMNS)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
