"""A schedule proposed from a workflow's own history: only where its runs are regular."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from statistics import median

from app.timetable import UNITS
from app.workspaces.schedules import Wish

MIN_RUNS = 12
REGULAR_SHARE = 0.9
"""So many of the gaps between runs must be close to the usual one."""
CLOSE = 0.2
"""How far, in parts of the usual gap, a gap may be off it."""
NICE_SECONDS = tuple(
    amount * UNITS[unit]
    for unit, amounts in (
        ("minute", (1, 2, 3, 5, 10, 12, 15, 20, 30, 45)),
        ("hour", (1, 2, 3, 4, 6, 8, 12)),
        ("day", (1, 2, 7)),
    )
    for amount in amounts
)
NICE = 0.1
"""How far the usual gap may be off a round one."""
GRACES = tuple(UNITS["minute"] * minutes for minutes in (5, 10, 15, 30, 60, 120, 240, 360, 720))
LEAST_GRACE = 0.2
"""In parts of the interval."""


def suggest(ends: Sequence[datetime], at: datetime, time_zone: str) -> Wish | None:
    """What the ends of the last runs, the oldest first, propose at that moment."""
    if len(ends) < MIN_RUNS:
        return None
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(ends)]
    usual = median(gaps)
    regular = [gap for gap in gaps if abs(gap - usual) <= CLOSE * usual]
    every = next((nice for nice in NICE_SECONDS if abs(usual - nice) <= NICE * nice), None)
    if every is None or len(regular) < ceil(REGULAR_SHARE * len(gaps)):
        return None
    if at - ends[-1] > timedelta(seconds=2 * every):
        return None  # It has stopped: its history says nothing of what is to come.
    needed = max(max(regular) - every, LEAST_GRACE * every)
    grace = next((each for each in GRACES if each >= needed), GRACES[-1])
    return Wish("interval", every, None, time_zone, grace)
