"""How numbers and times are written for people: Jinja filters, all pure functions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app import clock

NOTHING = "–"
JUST_NOW_S = 5
RELATIVE_DAYS = 30
# Upper limit and size in seconds, and the unit's name; static/app.js ticks with the same steps.
RELATIVE_STEPS = ((60, 1, "s"), (3_600, 60, "min"), (86_400, 3_600, "h"), (2_592_000, 86_400, "d"))
SIZE_UNITS = ("KB", "MB", "GB", "TB")


def duration(ms: int | float | None) -> str:
    """Milliseconds as `420 ms`, `1.2 s`, `2 min 5 s` or `3 h 4 min`; a dash for None."""
    if ms is None:
        return NOTHING
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < 59_950:
        return f"{ms / 1_000:.1f} s"
    return _long_duration(round(ms / 1_000))


def _long_duration(seconds: int) -> str:
    steps = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
    size, unit, rest_size, rest_unit = next(step for step in steps if seconds >= step[0])
    whole, rest = divmod(seconds, size)
    rest //= rest_size
    return f"{whole} {unit} {rest} {rest_unit}" if rest else f"{whole} {unit}"


def relative(moment: datetime | None, now: datetime | None = None) -> str:
    """`3 min ago` or `in 2 h`; the date in UTC beyond 30 days; a dash for None."""
    if moment is None:
        return NOTHING
    now = now or clock.now()
    if abs(now - moment) >= timedelta(days=RELATIVE_DAYS):
        return date(moment)
    seconds = int(abs((now - moment).total_seconds()))
    if seconds < JUST_NOW_S:
        return "just now"
    size, unit = next((size, unit) for limit, size, unit in RELATIVE_STEPS if seconds < limit)
    amount = f"{seconds // size} {unit}"
    return f"{amount} ago" if moment <= now else f"in {amount}"


def exact(moment: datetime | None) -> str:
    """`2026-11-24 10:42:07 UTC`."""
    return NOTHING if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def time_of_day(moment: datetime) -> str:
    """`10:42:07`, in UTC."""
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def date(moment: datetime) -> str:
    """`4 Mar 2026`, in UTC."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y}"


def iso(moment: datetime) -> str:
    """For a machine, in UTC to the millisecond: `2026-11-24T10:42:07.120Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number(value: int | float | None) -> str:
    """`12,345` or `3.14`; a dash for None."""
    return NOTHING if value is None else f"{value:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 event`, `2 events`, `1,200 entries` when `many` is given."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def size(count: int | None) -> str:
    """Bytes as `512 B`, `1.5 KB` (1 KB = 1,024 B); a dash for None."""
    if count is None:
        return NOTHING
    if count < 1_024:
        return f"{count} B"
    amount = float(count)
    for unit in SIZE_UNITS:
        amount /= 1_024
        if round(amount, 1) < 1_024 or unit == SIZE_UNITS[-1]:
            break
    return f"{amount:,.1f} {unit}".replace(".0 ", " ")


FILTERS: dict[str, Callable[..., str]] = {
    "clock": time_of_day,
    "date": date,
    "duration": duration,
    "exact": exact,
    "iso": iso,
    "number": number,
    "plural": plural,
    "relative": relative,
    "size": size,
}
