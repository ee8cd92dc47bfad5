"""When the weekly digest is due: on Mondays at 08:00, as the reader's clock shows it."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR = time(8)
ID_PREFIX = "week-"
"""Of the stable ids of weekly digests."""


def zone_of(name: str | None) -> tzinfo:
    """UTC for who has chosen none, and for a zone that this machine does not know."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def latest_monday(moment: datetime, zone: tzinfo) -> date:
    """The Monday whose digest was the last to be due by then."""
    local = moment.astimezone(zone)
    monday = local.date() - timedelta(days=local.weekday())
    is_due = datetime.combine(monday, HOUR, zone) <= local
    return monday if is_due else monday - timedelta(days=7)


def week_before(monday: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """From the Monday before to this one, each at its midnight, in UTC: 167 to 169 hours."""
    begin, end = (
        datetime.combine(day, time(), zone).astimezone(UTC)
        for day in (monday - timedelta(days=7), monday)
    )
    return begin, end
