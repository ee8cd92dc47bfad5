"""How numbers and times are written for people: Jinja filters, all pure functions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from math import floor

from markupsafe import Markup, escape

from app import clock
from app.durations import in_words

NOTHING = "–"
JUST_NOW_S = 5
RELATIVE_DAYS = 30
# Upper limit and size in seconds, and the unit's name; static/app.js ticks with the same steps.
RELATIVE_STEPS = ((60, 1, "s"), (3_600, 60, "min"), (86_400, 3_600, "h"), (2_592_000, 86_400, "d"))
SIZE_UNITS = ("KB", "MB", "GB", "TB")


def duration(ms: int | float | None) -> str:
    """Milliseconds in words, such as `2 min 5 s`; a dash for None."""
    return NOTHING if ms is None else in_words(ms)


def relative(moment: datetime | None, now: datetime | None = None, zone: tzinfo = UTC) -> str:
    """`3 min ago` or `in 2 h`; the date in the zone beyond 30 days; a dash for None."""
    if moment is None:
        return NOTHING
    now = now or clock.now()
    if abs(now - moment) >= timedelta(days=RELATIVE_DAYS):
        return date(moment, zone)
    seconds = int(abs((now - moment).total_seconds()))
    if seconds < JUST_NOW_S:
        return "just now"
    if moment <= now:
        return f"{elapsed(moment, now)} ago"
    # To the nearest: an hour that has just begun is not 59 minutes.
    return f"in {_amount((moment - now).total_seconds(), 0.5)}"


def elapsed(moment: datetime, now: datetime | None = None) -> str:
    """The time since then: `3 min`, `2 h`, `12 d`."""
    return _amount(int(((now or clock.now()) - moment).total_seconds()))


def _amount(seconds: float, rounding: float = 0) -> str:
    """In the largest unit of which there is one."""
    counted = (
        (floor(seconds / size + rounding), size, limit, unit)
        for limit, size, unit in RELATIVE_STEPS
    )
    days = floor(seconds / 86_400 + rounding)
    return next(
        (f"{count} {unit}" for count, size, limit, unit in counted if count * size < limit),
        f"{days} d",
    )


def exact(moment: datetime | None, zone: tzinfo = UTC) -> str:
    """`24 Nov 2026, 11:42:07 CET · 10:42:07 UTC`; the second part has its date if that differs."""
    return NOTHING if moment is None else _write_out(moment, zone, "seconds")


def precise(moment: datetime, zone: tzinfo = UTC) -> str:
    """The same to the millisecond, for a log, where much comes within one second."""
    return _write_out(moment, zone, "milliseconds")


def planned(moment: datetime, zone: tzinfo = UTC) -> str:
    """The same of what a person has set, without seconds where none were given."""
    return _write_out(moment, zone, "seconds" if moment.second else "minutes")


def _write_out(moment: datetime, zone: tzinfo, unit: str) -> str:
    utc, local = moment.astimezone(UTC), in_zone(moment, zone)
    universal = f"{utc.time().isoformat(unit)} UTC"
    if zone_name(local) == "UTC":
        return f"{date(utc)}, {universal}"
    if utc.date() != local.date():
        universal = f"{date(utc)}, {universal}"
    return f"{date(moment, zone)}, {local.time().isoformat(unit)} {zone_name(local)} · {universal}"


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """The moment in the zone; in UTC at the ends of the calendar, where the zone has no date."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)


def zone_name(local: datetime) -> str:
    """`CET`; `UTC+5:45` for a zone that has only a number."""
    name = local.tzname() or "UTC"
    if name[0] not in "+-":
        return name
    hours, minutes = name[1:3].lstrip("0") or "0", name[3:]
    return f"UTC{name[0]}{hours}" + (f":{minutes}" if minutes else "")


def time_of_day(moment: datetime, now: datetime | None = None, zone: tzinfo = UTC) -> str:
    """`11:42:07` on the reader's present day, `23 Nov, 11:42:07` on others."""
    local = in_zone(moment, zone)
    is_today = local.date() == (now or clock.now()).astimezone(zone).date()
    return f"{local:%H:%M:%S}" if is_today else f"{local.day} {local:%b}, {local:%H:%M:%S}"


def date(moment: datetime, zone: tzinfo = UTC) -> str:
    """`4 Mar 2026`."""
    local = in_zone(moment, zone)
    return f"{local.day} {local:%b %Y}"


def wall(moment: datetime, zone: tzinfo = UTC) -> str:
    """As a field for date and time takes it: `2026-11-24T11:42`, with seconds where there are."""
    local = in_zone(moment, zone).replace(tzinfo=None, microsecond=0)
    return local.isoformat(timespec="seconds" if local.second else "minutes")


def iso(moment: datetime) -> str:
    """For a machine, in UTC to the millisecond: `2026-11-24T10:42:07.120Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def coded(text: str) -> Markup:
    """The text, escaped, with what stands between two backticks set as code."""
    plain, *rest = text.split("`")
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return escape(plain) + Markup().join(
        Markup("<code>{}</code>{}").format(code, after) for code, after in pairs
    )


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


def rate(share: float | None) -> str:
    """`98.3 %`; 100 % stands for no failure at all, and 0 % for none that went well; a dash for
    None."""
    if share is None:
        return NOTHING
    percent = round(share * 100, 1)
    if 0 < share < 1:
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:g} %"


def range_label(name: str) -> str:
    """`24h` as `24 h`."""
    return f"{name[:-1]} {name[-1:]}"


FILTERS: dict[str, Callable[..., str]] = {
    "coded": coded,
    "duration": duration,
    "elapsed": elapsed,
    "iso": iso,
    "number": number,
    "plural": plural,
    "range_label": range_label,
    "rate": rate,
    "size": size,
    "utc_date": date,
}
TIME_FILTERS: dict[str, Callable[..., str]] = {
    "clock": time_of_day,
    "date": date,
    "exact": exact,
    "planned": planned,
    "precise": precise,
    "relative": relative,
    "wall": wall,
}
"""These take the reader's zone: app/console/reader.py gives it to them in templates."""
