"""When runs are due: by an interval, or a cron expression in a zone. It knows no clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

EARLY = timedelta(seconds=15)
"""A run that started so long before a time of its cron expression counts for it: clocks differ."""
UNITS = {"minute": 60, "hour": 3_600, "day": 86_400}
"""What intervals and grace times are given in, in seconds."""
MOST_SECONDS = 366 * UNITS["day"]
MOST_GRACE = 31 * UNITS["day"]
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""What crontab(5) calls these expressions."""
_DAY = timedelta(days=1)
_FIELDS = 5


class UnreadableError(ValueError):
    """A cron expression that is none; the message says what to change."""


class WallClock(CronSim):
    """Finds what fits also where the clock is set by half an hour, as on Lord Howe Island.

    CronSim leaps by hours of sixty minutes: past a minute that comes twice within one of them, and
    over the first half of the hour that follows.
    """

    def advance_hour(self) -> bool:
        has_moved = super().advance_hour()
        if has_moved and self.dt.minute:
            zone = self.dt.tzinfo
            self.dt = self.dt.replace(minute=0).astimezone(UTC).astimezone(zone)
        return has_moved

    def advance_minute(self) -> bool:
        if self.dt.minute in self.minutes:
            return False
        self.dt = self.dt.replace(second=0)
        while self.dt.minute not in self.minutes:
            self.tick(seconds=60)
            if self.dt.minute == 0:
                break
        return True


class Timetable(Protocol):
    """The times at which runs are expected, all in UTC."""

    @property
    def zone(self) -> ZoneInfo: ...

    def moment_of(self, started_at: datetime | None, ended_at: datetime | None) -> datetime:
        """The moment at which a run counts; one of its two times is there."""

    def after_run(self, at: datetime) -> datetime:
        """When the next run is expected, after one that counted at that moment."""

    def after_time(self, at: datetime) -> datetime:
        """The next expected time after that moment, or after an expected time that was missed."""

    def in_words(self) -> str:
        """`Every 15 minutes`, `At 03:00 every day`."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so often, counted from the end of the last run.

    A day is a day of the calendar in the zone, and never less than 24 hours: a job that follows the
    clock on the wall is not late where the day has 25, nor one that follows UTC where it has 23.
    """

    every: timedelta
    zone: ZoneInfo

    def moment_of(self, started_at: datetime | None, ended_at: datetime | None) -> datetime:
        moment = ended_at or started_at
        assert moment is not None  # noqa: S101 (the table sees to it)
        return moment

    def after_run(self, at: datetime) -> datetime:
        later = at + self.every
        if self.every % _DAY:
            return later
        wall = at.astimezone(self.zone).replace(tzinfo=None) + self.every
        return max(later, wall.replace(tzinfo=self.zone).astimezone(UTC))

    def after_time(self, at: datetime) -> datetime:
        return self.after_run(at)

    def in_words(self) -> str:
        amount, unit = split_seconds(round(self.every.total_seconds()))
        return f"Every {unit}" if amount == 1 else f"Every {amount} {unit}s"


@dataclass(frozen=True, slots=True)
class Cron:
    """At the times of a cron expression in a zone, as Debian's cron has them.

    Where the clock skips an hour, what falls into it is due right after; where it repeats one, a
    fixed time is due once, at its first occurrence.
    """

    expression: str
    zone: ZoneInfo

    def moment_of(self, started_at: datetime | None, ended_at: datetime | None) -> datetime:
        moment = started_at or ended_at
        assert moment is not None  # noqa: S101 (the table sees to it)
        return moment

    def after_run(self, at: datetime) -> datetime:
        return next(self._times(at + EARLY))

    def after_time(self, at: datetime) -> datetime:
        return next(self._times(at))

    def _times(self, after: datetime) -> Iterator[datetime]:
        """Strictly after the moment and rising: times that the clock skips fall together."""
        zone = UTC if self.zone.key == "UTC" else self.zone
        for local in WallClock(self.expression, after.astimezone(zone)):
            moment = local.astimezone(UTC)
            if moment > after:
                after = moment
                yield moment

    def in_words(self) -> str:
        return CronSim(self.expression, datetime(2026, 1, 1, tzinfo=UTC)).explain()


def read_expression(text: str) -> str:
    """The expression in five fields; raises UnreadableError with what to change."""
    fields = NICKNAMES.get(text.strip().lower(), text).upper().split()
    if len(fields) == _FIELDS + 1 and fields[0].isascii() and fields[0].isdigit():
        raise UnreadableError(
            "This has six fields, the first for seconds. Runs are expected by the minute: "
            f"leave the first out, “{' '.join(fields[1:])}”."
        )
    if len(fields) != _FIELDS:
        raise UnreadableError(
            f"A cron expression has five fields: minute, hour, day, month, weekday. "
            f"This has {len(fields)}. For 03:00 every day: “0 3 * * *”."
        )
    expression = " ".join(fields)
    try:
        comes = next(iter(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))), None)
    except CronSimError as error:
        raise UnreadableError(f"This can't be read: {_explain(error)}") from error
    if comes is None:
        raise UnreadableError("No date ever fits this. Check the day, the month and the weekday.")
    return expression


_BAD = {
    "minute": "the first field, the minute, goes from 0 to 59.",
    "hour": "the second field, the hour, goes from 0 to 23.",
    "day-of-month": "the third field, the day, goes from 1 to 31, as far as the month has them.",
    "month": "the fourth field, the month, goes from 1 to 12, or JAN to DEC.",
    "day-of-week": "the fifth field, the weekday, goes from 0 to 7, or SUN to SAT.",
}


def _explain(error: CronSimError) -> str:
    return _BAD.get(str(error).removeprefix("Bad "), f"{error}.")


def list_next(timetable: Timetable, after: datetime, count: int) -> list[datetime]:
    """The next expected times; of an interval, as if a run had counted at that moment."""
    return list(islice(_walk(timetable, after), count))


def _walk(timetable: Timetable, at: datetime) -> Iterator[datetime]:
    while True:
        at = timetable.after_time(at)
        yield at


def split_seconds(seconds: int) -> tuple[int, str]:
    """The amount in the largest unit that fits: `(15, "minute")`, `(1, "day")`."""
    unit = next((unit for unit in ("day", "hour") if seconds % UNITS[unit] == 0), "minute")
    return seconds // UNITS[unit], unit


def span_in_words(seconds: int) -> str:
    """`10 minutes`, `1 hour`."""
    amount, unit = split_seconds(seconds)
    return f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s"
