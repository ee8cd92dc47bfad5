"""How much of a table a statement looks at: windows grow and shrink with the time they take, so
that a search ends near the moment that it may last until."""

import time

FIRST_WINDOW = 1_000
LARGEST_WINDOW = 200_000
QUICK_SECONDS, SLOW_SECONDS = 0.008, 0.02
"""A statement on SQLite holds up the whole process: the windows grow and shrink between these."""


def is_over(end: float, seconds: float) -> bool:
    """Whether another step as long as the last would end nearer to a moment behind `end`."""
    return time.monotonic() + seconds / 2 >= end


def next_size(size: int, seconds: float) -> int:
    """How large the next window should be, after one of this size took so long."""
    if seconds < QUICK_SECONDS:
        return min(size * 3, LARGEST_WINDOW)
    return max(size // 2, FIRST_WINDOW // 10) if seconds > SLOW_SECONDS else size
