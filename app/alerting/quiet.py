"""Times in which nothing is told: quiet hours, a rule's snooze, maintenance windows."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.models import AlertRule, MaintenanceWindow

A_SECOND, A_DAY, WEEK = timedelta(seconds=1), timedelta(days=1), timedelta(days=7)
_MOST_WINDOWS = 50
"""Windows that follow one another without a gap, after which one stops looking."""


def zone_named(name: str) -> ZoneInfo:
    """UTC for a zone that this machine no longer knows: it must not stop the worker."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def end_of_quiet(rule: AlertRule, moment: datetime) -> datetime:
    """When the quiet hours end that the moment lies in; the moment itself outside of them.

    The hours are those of a clock on the wall in the rule's zone, on days of 23 and 25 hours too.
    """
    if not (rule.quiet_from and rule.quiet_until and rule.quiet_zone):
        return moment
    zone = zone_named(rule.quiet_zone)
    begins, ends = time.fromisoformat(rule.quiet_from), time.fromisoformat(rule.quiet_until)
    today = moment.astimezone(zone).date()
    until = moment
    for day in (today - A_DAY, today):
        begin, _ = instants_of(datetime.combine(day, begins), zone)
        _, end = instants_of(datetime.combine(day + A_DAY * (begins >= ends), ends), zone)
        if begin <= moment < end:
            until = max(until, end)
    return until


def instants_of(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first and the last moment at which the clock shows this: two where it is set back. Where
    it is set forward beyond it, the moment at which that is done."""
    first, last = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= last:
        return first, last
    early, late = last, first
    while late - early > A_SECOND:
        middle = early + (late - early) // A_SECOND // 2 * A_SECOND
        is_beyond = middle.astimezone(zone).replace(tzinfo=None) >= wall
        early, late = (early, middle) if is_beyond else (middle, late)
    return late, late


def window_at(window: MaintenanceWindow, moment: datetime) -> tuple[datetime, datetime] | None:
    """The begin and end of the window's turn that holds the moment."""
    starts_at, ends_at = window.starts_at, window.ends_at
    if window.is_weekly and moment >= ends_at:
        zone = zone_named(window.zone)
        weeks = (moment - starts_at) // WEEK
        # An hour may be gone or come twice on the way: the turn before or after may hold it too.
        for turn in (weeks - 1, weeks, weeks + 1):
            if turn < 0:
                continue
            start, _ = _later(starts_at, turn, zone)
            _, end = _later(ends_at, turn, zone)
            if start <= moment < end:
                return start, end
        return None
    return (starts_at, ends_at) if starts_at <= moment < ends_at else None


def _later(moment: datetime, weeks: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    wall = moment.astimezone(zone).replace(tzinfo=None)
    return instants_of(wall + weeks * WEEK, zone)


def covers(window: MaintenanceWindow, workflow_id: int | None, labels: Iterable[str]) -> bool:
    """Whether it is for this workflow; one for all is for the workspace too."""
    if window.workflow_id is not None:
        return window.workflow_id == workflow_id
    return window.label is None or window.label in labels


def hush_until(
    rule: AlertRule, windows: Iterable[MaintenanceWindow], moment: datetime
) -> datetime | None:
    """Until when the rule's snooze and these windows keep it from telling; None: not at all."""
    until = moment
    snoozed = rule.snoozed_until
    if snoozed is not None and snoozed > until:
        until = snoozed
    chosen = list(windows)
    for _ in range(_MOST_WINDOWS):
        turns = [window_at(window, until) for window in chosen]
        latest = max((turn[1] for turn in turns if turn), default=until)
        if latest == until:
            break
        until = latest
    return until if until > moment else None
