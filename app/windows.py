"""How much of a table a statement looks at: windows grow and shrink with the time they take, so
that a search ends near the moment that it may last until."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select

from app.extensions import db

FIRST_WINDOW = 1_000
LARGEST_WINDOW = 200_000
WINDOWS_AT_FIRST = 3
"""So many are looked at before it is asked whether few rows could fit."""
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


def list_few(queries: Sequence[Select[Any]], most: int) -> set[int] | None:
    """The keys that these queries find, where all of them together find no more than `most`."""
    limited = [query.limit(most + 1) for query in queries]
    # Counting is left to the database: to read that many keys takes ten times as long.
    counts = (select(func.count()).select_from(query.subquery()) for query in limited)
    if sum(db.session.scalar(count) or 0 for count in counts) > most:
        return None
    return {key for query in limited for key in db.session.scalars(query)}
