"""The times that charts show, cut into hours or days of the reader's zone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)


def hour_edges(count: int, at: datetime, zone: tzinfo) -> list[datetime]:
    """Where the last hours by the zone's clock begin and, last, where the present one ends (UTC).

    An hour goes from one full hour of the clock to the next: it takes 90 minutes where the clock is
    set back by 30 inside of it.
    """
    zone = _with_quarters(at, zone)
    edge = at.astimezone(UTC).replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)
    edge += QUARTER
    while edge.astimezone(zone).minute:
        edge += QUARTER
    edges = [edge]
    while len(edges) <= count:
        edge -= QUARTER
        if not edge.astimezone(zone).minute:
            edges.append(edge)
    return edges[::-1]


def day_edges(count: int, at: datetime, zone: tzinfo) -> list[datetime]:
    """Where the last days by the zone's calendar begin and, last, where today ends (UTC).

    Where the clock is set forward at midnight, the day begins at the first moment that it has.
    """
    today = at.astimezone(_with_quarters(at, zone)).date()
    days = [today + timedelta(days=number) for number in range(1 - count, 2)]
    zone = _with_quarters(at, zone)
    return [datetime.combine(day, time(), zone).astimezone(UTC) for day in days]


def _with_quarters(at: datetime, zone: tzinfo) -> tzinfo:
    """The zone, if it is off UTC by quarters of an hour, as all of today are."""
    offset = at.astimezone(zone).utcoffset() or timedelta()
    return UTC if offset % QUARTER else zone


@dataclass(frozen=True, slots=True)
class Range:
    """A time that charts show: its label, and how to cut it into steps."""

    label: str
    step: str
    count: int
    cut: Callable[[int, datetime, tzinfo], list[datetime]]
    marks: Callable[[Sequence[datetime], tzinfo], list[tuple[int, str]]]
    """Which steps have a name below the chart, and how it is written."""

    def edges(self, at: datetime, zone: tzinfo) -> list[datetime]:
        return self.cut(self.count, at, zone)


def _mark_hours(starts: Sequence[datetime], zone: tzinfo) -> list[tuple[int, str]]:
    local = [start.astimezone(zone) for start in starts]
    return [(number, f"{at:%H:%M}") for number, at in enumerate(local) if at.hour % 6 == 0]


def _mark_midnights(starts: Sequence[datetime], zone: tzinfo) -> list[tuple[int, str]]:
    found, before = [], None
    for number, start in enumerate(starts):
        local = start.astimezone(zone)
        if before is not None and local.date() != before:
            found.append((number, f"{local:%a}"))
        before = local.date()
    return found


def _mark_every(days: int) -> Callable[[Sequence[datetime], tzinfo], list[tuple[int, str]]]:
    def mark(starts: Sequence[datetime], zone: tzinfo) -> list[tuple[int, str]]:
        last = len(starts) - 1
        local = [start.astimezone(zone) for start in starts]
        return [
            (number, f"{at.day} {at:%b}")
            for number, at in enumerate(local)
            if (last - number) % days == days // 2
        ]

    return mark


RANGES = {
    "24h": Range("24 h", "hour", 24, hour_edges, _mark_hours),
    "7d": Range("7 d", "hour", 168, hour_edges, _mark_midnights),
    "30d": Range("30 d", "day", 30, day_edges, _mark_every(6)),
    "90d": Range("90 d", "day", 90, day_edges, _mark_every(18)),
}
USUAL = "7d"
CALENDAR_DAYS = 90


def read_range(text: str | None) -> str:
    """The name of a range; the usual one for what is none."""
    return text if text in RANGES else USUAL
