"""The drills' pass marks: their numbers, and whether recorded figures hold them."""

from collections.abc import Callable, Mapping

from tests.drills.record import Figure

Held = Callable[[Mapping[str, Figure]], bool]
"""Whether the figures that a drill recorded hold its mark."""

ACCEPTING_SECONDS, PROCESSING_SECONDS = 5, 30
BACK_WITHIN_SECONDS, TOLD_WITHIN_SECONDS = 5, 10
STOP_SECONDS = 30
MOST_MESSAGES = 4
"""Of the hour: that a job fails, and how often since; that another one failed, and works again."""
ATTEMPTS = 5
RESUMES_WITHIN = 10
MIGRATED_WITHIN_SECONDS = 120
MOST_CPU_PERCENT = 30
"""Of a processor, for a worker with nothing to do; a loop that is busy takes all it can get."""
SLOW_P99_SECONDS = 1.0
CLOSED_SOONEST, CLOSED_LATEST = 15.0, 30.0
"""Seconds after which the server closes slow connections."""
MORE_MB = 20.0
MOST_BOMB_MS = 200.0
BOMB_TRIES = 3
"""The quickest counts: what the machine does besides is no fault of the request. What the server
computed counts for each of them."""
BODY_REFUSED, HEAD_REFUSED = frozenset({400, 413, 415}), frozenset({414, 431})
FORM_READ = frozenset({200, 303, 401, 422, 429})
ANY_BUT_A_CRASH = frozenset(
    {200, 202, 204, 302, 303, 400, 401, 403, 404, 405, 413, 414, 415, 422, 431}
)
"""Heads that keep within the limits may be read as any other: that takes no time, is all."""
FLOOD_P99_SECONDS, FLOOD_PAGE_SECONDS = 2.0, 1.0
GROWTH_PERCENT = 10.0
MORE_DESCRIPTORS = 5
"""Connections come and go: a leak of one an event would be hundreds of thousands."""
CUT_OFF_ANSWER_SECONDS = 20
"""Within this time a machine that can't reach its database says so."""
SECOND_START_SECONDS = 5
STEADY_RATE = 80
"""Accepted a second of the 100 that Load L offers, where the fault itself keeps nobody waiting: a
drill that was sent less has shown less."""
FEWEST_BETWEEN = 50
"""Accepted between two faults, half a second of Load L: each one meets a server at work."""
GOOD_RATE = 8
"""A second of the 10 that a good key sends beside a flood."""
FEWEST_OF_MACHINES = 1_000
FLOOD_ROWS, FLOOD_MB = 62_000, 250.0
"""What a flood of refused requests leaves at most: the 50,000 that are kept, and what comes between
two looks at that limit, 200 a second for a minute; 4 KB each on disk, indexes included."""
TIMES_SLOWER = 2
"""Nobody notices who has to wait twice as long as ever, and a machine's speed plays no part in it:
an absolute limit would let a quick one get slower by far."""


def at_most(**limits: float) -> Held:
    """Each figure is no more than its limit; one that was not recorded is missed."""
    return lambda found: all(
        name in found and float(found[name]) <= most for name, most in limits.items()
    )


def at_least(**limits: float) -> Held:
    """Each figure is no less than its limit; one that was not recorded is missed."""
    return lambda found: all(
        name in found and float(found[name]) >= least for name, least in limits.items()
    )


def exactly(**values: Figure) -> Held:
    """Each figure is its value; one that was not recorded is missed."""
    return lambda found: all(found.get(name) == value for name, value in values.items())


def at_most_times(times: float, figure: str, other: str) -> Held:
    """A figure is no more than so many times another one; one that was not recorded is missed."""
    return lambda found: (
        figure in found and other in found and float(found[figure]) <= times * float(found[other])
    )


def same(*names: str) -> Held:
    """These figures are one and the same; one that was not recorded is missed."""
    return lambda found: (
        None not in (them := {found.get(name) for name in names}) and (len(them) == 1)
    )


def both(*marks: Held) -> Held:
    """All of them are held."""
    return lambda found: all(mark(found) for mark in marks)


AMOUNTS: dict[str, dict[str, int]] = {
    "kill_web": {"kills": 20},
    "kill_master": {"kills": 20},
    "kill_everything": {"kills": 10},
    "kill_worker": {"kills": 50},
    "postgres_stopped": {"times": 5},
    "postgres_connections_ended": {"times": 10},
    "postgres_full": {"times": 3},
    "restart": {"restarts": 10, "requests": 10_000},
    "twins": {"twins": 100},
    "shuffled": {"events": 20_000},
    "worker_down": {"events": 10_000},
    "backup": {"events": 100_000},
    "migration": {"events": 1_000_000, "kills": 3},
    "clock": {"jumps": 10},
    "slow_sockets": {"sockets": 1_000},
    "large_bodies": {"senders": 50},
    "bombs": {"bombs": 449},
    "flood_without_key": {"offered": 3_000_000, "seconds": 300},
    "flood_with_one_key": {"offered": 120_000, "seconds": 60},
    "load_for_an_hour": {"minutes": 60},
    "deliveries": {"alerts": 50},
    "storm": {"failures": 10_500},
    "kill_mid_batch": {"kills": 30},
    "set_up": {"racers": 50},
    "machines_namespaces": {"accepted": FEWEST_OF_MACHINES},
    "machines_addresses": {"accepted": FEWEST_OF_MACHINES},
    "live_log": {"events": 100_000, "processes": 8, "told": 500},
    "fuzz_requests": {"requests": 50_000},
}
"""By drill: how much of it there must have been. One that was broken off, or tried with less, holds
no mark. What the locks and the full disk last is their tests' own: it can't be cut short."""

NONE_LOST = at_most(lost=0, doubled=0, altered=0)
AT_WORK = at_least(between=FEWEST_BETWEEN)
STEADY = at_least(rate=STEADY_RATE)
RECOVERED = both(
    NONE_LOST,
    AT_WORK,
    at_most(accepting_s=ACCEPTING_SECONDS, processing_s=PROCESSING_SECONDS),
)
WORKER_RECOVERED = both(RECOVERED, STEADY)
"""Reports do without the worker: nobody waits for it."""
TOLD = both(
    NONE_LOST,
    AT_WORK,
    at_most(others=0, pages_others=0, without_retry_after=0),
    at_most(longest_s=TOLD_WITHIN_SECONDS, pages_longest_s=TOLD_WITHIN_SECONDS),
    at_most(back_s=BACK_WITHIN_SECONDS),
)
BORNE = both(TOLD, at_most(refused=0))
AWAY_TOLD = both(TOLD, at_most(restarted=0))
NOBODY_CUT_OFF = both(
    NONE_LOST, at_most(failed=0, stop_cut_off=0, stop_errors=0, stop_s=STOP_SECONDS)
)
RESTARTED = both(NOBODY_CUT_OFF, STEADY)
POISON_GIVEN_UP = exactly(attempts=ATTEMPTS, is_told="yes", says_why="yes", retried="yes")
NO_STORM = both(
    exactly(is_told="yes"),
    at_most(others=0, unprocessed=0, silences=0, messages=MOST_MESSAGES),
)
WORKED_OFF = both(
    NO_STORM,
    STEADY,
    at_most_times(TIMES_SLOWER, "p99_down_ms", "p99_before_ms"),
)
"""Without a worker nothing may change for reports; that they compute beside it while it works off
an hour is told, and not judged."""
DISK_BORNE = both(
    NONE_LOST,
    AT_WORK,
    at_least(refused=1, pages=1),
    at_most(others=0, without_retry_after=0, restarted=0, resumed_s=RESUMES_WITHIN),
    at_most(without_cause=0),
)
NOTHING_REPEATED = both(
    NONE_LOST,
    at_most(disordered=0, purged=0, silences=0, others=0, cpu_percent=MOST_CPU_PERCENT),
    exactly(messages=2, early=1),
)
CLOCK_BORNE = both(NOTHING_REPEATED, STEADY)
MACHINES_TOLD = both(
    NONE_LOST,
    at_least(refused=1),
    at_most(longest_s=CUT_OFF_ANSWER_SECONDS),
)
BODIES_REFUSED = both(exactly(wrong=""), at_most(more_mb=MORE_MB))
BOMBS_REFUSED = both(
    exactly(wrong=""), at_most(slowest_ms=MOST_BOMB_MS, most_computed_ms=MOST_BOMB_MS)
)
OTHERS_UNHARMED = both(
    at_least(good_rate=GOOD_RATE),
    at_most(lost=0, good_others=0, good_p99_ms=FLOOD_P99_SECONDS * 1_000),
)
BACKED_UP = both(
    STEADY,
    at_most(missing=0, others=0),
    at_most_times(TIMES_SLOWER, "meanwhile_ms", "beside_ms"),
)
SLOW_CLOSED = both(
    STEADY,
    exactly(wrong=""),
    at_least(first_closed_s=CLOSED_SOONEST),
    at_most(open=0, last_closed_s=CLOSED_LATEST, p99_ms=SLOW_P99_SECONDS * 1_000),
)
KEYLESS_FLOOD_HELD = both(
    OTHERS_UNHARMED,
    same("shown", "sent"),
    at_most(page_ms=FLOOD_PAGE_SECONDS * 1_000, stored=FLOOD_ROWS, more_mb=FLOOD_MB),
)
FLOOD_OF_ONE_KEY_HELD = both(
    OTHERS_UNHARMED, at_least(refused=1), same("with_retry_after", "refused", "shown")
)
STORM_COUNTED = both(same("counted", "failures"), exactly(messages=2))


def is_flat(found: Mapping[str, Figure]) -> bool:
    """Memory and descriptors stay under a steady load, and each answer is a 202."""
    most = float(found.get("before_descriptors", 0)) + MORE_DESCRIPTORS
    kept = both(NONE_LOST, STEADY, exactly(others=""), at_most(growth_percent=GROWTH_PERCENT))
    return kept(found) and at_most(after_descriptors=most)(found)
