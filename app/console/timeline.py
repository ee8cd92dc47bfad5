"""Runs that belong together as bars over the time from the first start to the last end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from app.console.run_list import ListedRun

WIDTH = 1_000
LEAST = 8
"""The width of a bar that stands for little, so that it can be seen."""


class Bar(NamedTuple):
    """A run with its bar, in units of which the whole time has WIDTH."""

    listed: ListedRun
    x: int
    width: int
    after: timedelta
    """How long after the first start it began."""


class Timeline(NamedTuple):
    """The bars in the order of their starts, and the time that they span."""

    bars: list[Bar]
    length: timedelta


def draw_timeline(runs: Sequence[ListedRun]) -> Timeline | None:
    """None where there is nothing to compare."""
    if not runs:
        return None
    placed = sorted(runs, key=lambda each: (_start_of(each), each.ended_at, each.run.id))
    begun_at = _start_of(placed[0])
    length = max(each.ended_at for each in runs) - begun_at
    return Timeline([_place(each, begun_at, length) for each in placed], length)


def _start_of(listed: ListedRun) -> datetime:
    """Where neither start nor duration is known, the end."""
    return min(listed.started_at or listed.ended_at, listed.ended_at)


def _place(listed: ListedRun, begun_at: datetime, length: timedelta) -> Bar:
    start, end = _start_of(listed), listed.ended_at
    whole = length or timedelta(microseconds=1)
    width = max(LEAST, round(WIDTH * ((end - start) / whole)))
    x = min(round(WIDTH * ((start - begun_at) / whole)), WIDTH - width)
    return Bar(listed, max(x, 0), min(width, WIDTH), start - begun_at)
