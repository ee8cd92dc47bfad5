"""Why a goal is missed, in words, for whoever reads the report."""

from collections.abc import Mapping, Sequence

from bench.goals import GOALS, KINDS, Results, missed
from bench.steady import EVENTS
from bench.subjects import POSTGRESQL, SQLITE

SLOW = (
    "The machine of this run answered 5,000 bare requests a second; one with as many cores, of "
    "earlier runs, answered 10,500"
)
REASONS: Mapping[str, str] = {
    f"p99, run-success, {POSTGRESQL}, of bare": (
        "PostgreSQL's processes and the load generator share two cores with the web processes, and "
        "whoever waits for a core is in the p99: it differed twofold from round to round."
    ),
    f"the worker alone, {POSTGRESQL}, events/s": (
        f"{SLOW}, and the same worker did 3,400 to 3,900 there. An event cost it 0.2 ms of one "
        "core, and PostgreSQL nearly as much of the other. Since it was measured, the worker's "
        "part is a fifth less, in turn with the code before."
    ),
    f"throughput with 200 live logs, {SQLITE}, of alone": (
        f"{SLOW}, and it was 0.92 there. Here it differed from 0.63 to 1.11 from round to round."
    ),
    f"the slowest page with 10,000,000 events, {POSTGRESQL}, ms": (
        f"{SLOW}, and it was 271 ms there: the log, filtered by the code of refused requests. All "
        "that were refused are counted and listed for it; to list them as one text did not help."
    ),
    f"look for and claim one, with 10,000,000 events, {POSTGRESQL}, ms": (
        "It is as much with 10,000 events. When it was measured, a claim was three statements, "
        "each of which waits for the connection's other end; since then it is one, which takes a "
        "quarter to a half less in turn with those three. Of a full claim an event takes 0.014 ms."
    ),
    f"p99 of 202 while nine tenths of 1,000,000 events go, {SQLITE}, of calm": (
        f"{SLOW}. No batch holds the write lock for 50 ms; it is what the slowest answers wait for."
    ),
    f"p99 of 202 while {EVENTS:,} waiting events are drained, {SQLITE}, of calm": (
        "SQLite has one writer. Whoever sends while the worker writes a batch waits for its end: "
        "on this machine 10 ms for ten events, of which 7 are the same whatever a batch holds "
        "(some 25 statements, sent and read in Python; more than half of it decides alerts). "
        "Since it was measured, a batch asks less and holds the lock for a sixth less, and "
        "SQLite's log is copied after it rather than by whoever commits next. Without the worker "
        "one request in a hundred takes 5 ms. Smaller batches would not keep up with what comes "
        "in; on PostgreSQL nobody waits for a batch."
    ),
    **{
        f"the same after some minutes, {kind}, the worst of its shares": (
            "A worker that has been behind for five minutes takes more of the machine, in steps: "
            "else what waits, and the alerts with it, would wait longer and longer. While half of "
            "full load comes in, what it takes is what answers wait for; at its first share they "
            "do not (the row above)."
        )
        for kind in KINDS
    },
    f"a batch's locks while old rows go, {POSTGRESQL}, the longest, ms": (
        "It is the time of a batch's transaction, which locks nothing but the rows that it takes: "
        "no sender and no reader waits for these. How many took longer stands beside the figure."
    ),
    **{
        f"{figure}, with Idempotency-Key, {kind}, of bare": (
            "A request with a key of its own writes a second row, which is found by the key for a "
            "day: one more table and one more index that each commit brings to the disk, and one "
            "more look-up before. The bare view does neither. Nothing of it can wait: a retry may "
            "come to another process in the next millisecond."
        )
        for figure in ("throughput", "CPU", "p99")
        for kind in KINDS
        if (figure, kind) != ("CPU", POSTGRESQL)
    },
    **{
        f"the same after minutes of load, with up to 200 live logs, {kind}, the most, MB": (
            "Nothing is kept for ever (told under “Beside the worker and live logs”): half of what "
            "the first 200 live logs add had been shared with the master and is a process's own "
            "once it is written to, and the rest is what allocators keep and what connections have "
            "prepared."
        )
        for kind in KINDS
    },
    **{
        f"memory of two web processes, {kind}, MB": (
            "The figure is taken after load. At rest they take less (see the table below); what is "
            "over the limit is what 32 connections at full speed leave behind."
        )
        for kind in KINDS
    },
    **{
        f"the slowest list of the API with 1,000,000 events, {kind}, ms": (
            "A list looks for what is rare for 0.1 s, then answers with what it has and a cursor "
            "to go on from. It takes no longer with 10,000,000 events."
        )
        for kind in KINDS
    },
    f"the highest p95 of a page with 10,000,000 events, {POSTGRESQL}, ms": (
        "Of 15 openings of one problem's page a few took far longer than the rest, whose median "
        "is 72 ms. For what belongs to no workspace PostgreSQL could take to walking through the "
        "whole log; that was mended after this run. Whether it was the cause is not known."
    ),
}
"""By the goal's name. A reason may stay while its goal is held: the machine's speed varies."""


def unexplained(results: Results) -> list[str]:
    """The goals that are missed without a reason that is written down."""
    return [name for name in missed(results) if name not in REASONS]


def stale() -> list[str]:
    """Reasons of goals that there are not."""
    names = {goal.name for goal in GOALS}
    return [name for name in REASONS if name not in names]


def draw(results: Results) -> str:
    """Of each goal that is missed its reason; empty where all are held."""
    names = missed(results)
    return "\n".join(["Missed:", "", *map(_line, names)]) if names else ""


def _line(name: str) -> str:
    return f"- {name}: {REASONS.get(name, NO_REASON)}"


NO_REASON = "no reason is known yet."


def check(results: Results) -> tuple[Sequence[str], int]:
    """Lines to print, and the exit code: 1 where a goal is missed for no written reason."""
    new = unexplained(results)
    lines = [draw(results) or "All goals that were measured are held."]
    if new:
        lines += ["", f"Missed without a reason in bench/reasons.py: {len(new)}"]
    return lines, int(bool(new))
