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
FLOOD_P99_SECONDS, FLOOD_PAGE_SECONDS = 2.0, 1.0
GROWTH_PERCENT = 10.0
MORE_DESCRIPTORS = 5
"""Connections come and go: a leak of one an event would be hundreds of thousands."""
CUT_OFF_ANSWER_SECONDS = 20
"""Within this time a machine that can't reach its database says so."""
SECOND_START_SECONDS = 5


def at_most(**limits: float) -> Held:
    """Each figure is no more than its limit; one that was not recorded is not judged."""
    return lambda found: all(float(found.get(name, 0)) <= most for name, most in limits.items())


def exactly(**values: Figure) -> Held:
    """Each figure is its value; one that was not recorded is not judged."""
    return lambda found: all(found.get(name, value) == value for name, value in values.items())


def both(*marks: Held) -> Held:
    """All of them are held."""
    return lambda found: all(mark(found) for mark in marks)


NONE_LOST = at_most(lost=0, doubled=0)
RECOVERED = both(NONE_LOST, at_most(accepting_s=ACCEPTING_SECONDS, processing_s=PROCESSING_SECONDS))
TOLD = both(
    NONE_LOST,
    at_most(others=0, pages_others=0, without_retry_after=0, restarted=0),
    at_most(longest_s=TOLD_WITHIN_SECONDS, pages_longest_s=TOLD_WITHIN_SECONDS),
    at_most(back_s=BACK_WITHIN_SECONDS),
)
BORNE = both(TOLD, at_most(refused=0))
RESTARTED = both(NONE_LOST, at_most(failed=0, stop_cut_off=0, stop_errors=0, stop_s=STOP_SECONDS))
POISON_GIVEN_UP = exactly(attempts=ATTEMPTS, is_told="yes", says_why="yes", retried="yes")
WORKED_OFF = both(
    exactly(is_told="yes"),
    at_most(others=0, unprocessed=0, silences=0, messages=MOST_MESSAGES),
)
DISK_BORNE = both(
    NONE_LOST,
    at_most(others=0, without_retry_after=0, restarted=0, resumed_s=RESUMES_WITHIN),
)
CLOCK_BORNE = both(
    NONE_LOST,
    at_most(disordered=0, purged=0, silences=0, others=0, cpu_percent=MOST_CPU_PERCENT),
    exactly(messages=2, early=1),
)
MACHINES_TOLD = both(NONE_LOST, at_most(longest_s=CUT_OFF_ANSWER_SECONDS))
BODIES_REFUSED = both(exactly(wrong=""), at_most(more_mb=MORE_MB))
BOMBS_REFUSED = both(exactly(wrong=""), at_most(slowest_ms=MOST_BOMB_MS))
OTHERS_UNHARMED = at_most(lost=0, good_others=0, good_p99_ms=FLOOD_P99_SECONDS * 1_000)


def is_backup_held(found: Mapping[str, Figure]) -> bool:
    """Nothing is missing, and answers take at most twice as long meanwhile."""
    is_quick = float(found["meanwhile_ms"]) <= 2 * float(found["beside_ms"])
    return is_quick and at_most(missing=0, others=0)(found)


def are_slow_closed(found: Mapping[str, Figure]) -> bool:
    """In time, and good requests are served."""
    limits = at_most(open=0, last_closed_s=CLOSED_LATEST, p99_ms=SLOW_P99_SECONDS * 1_000)
    is_patient = float(found["first_closed_s"]) >= CLOSED_SOONEST
    return is_patient and limits(found) and exactly(wrong="")(found)


def is_keyless_flood_held(found: Mapping[str, Figure]) -> bool:
    """All that was taken is counted, and neither a good key nor the log's page waits."""
    is_counted = found["shown"] == found["sent"]
    quick = at_most(page_ms=FLOOD_PAGE_SECONDS * 1_000)
    return is_counted and quick(found) and OTHERS_UNHARMED(found)


def is_flood_of_one_key_held(found: Mapping[str, Figure]) -> bool:
    """All that was refused is told when to come again and counted, and another key gets on."""
    is_told = found["with_retry_after"] == found["refused"] == found["shown"]
    return is_told and OTHERS_UNHARMED(found)


def is_flat(found: Mapping[str, Figure]) -> bool:
    """Memory and descriptors stay, and each answer is a 202."""
    most = float(found["before_descriptors"]) + MORE_DESCRIPTORS
    is_kept = exactly(others="")(found) and at_most(growth_percent=GROWTH_PERCENT)(found)
    return is_kept and float(found["after_descriptors"]) <= most and NONE_LOST(found)


def is_storm_counted(found: Mapping[str, Figure]) -> bool:
    """To the last failure, in two messages."""
    return found["counted"] == found["failures"] and found["messages"] == 2
