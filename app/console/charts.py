"""The geometry of charts, from numbers to SVG paths; components/charts.html draws them.

A plot is as wide as its card: its paths are in units of which a step is STEP wide and the whole is
HEIGHT high, and are stretched; what must not be stretched (words, lines, dots) is placed by percent
or drawn with strokes that do not scale.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from math import ceil, floor, log10
from typing import NamedTuple

STEP = 10
HEIGHT = 100
BAR = 8
LEAST = 1.5
"""The height of a bar that stands for little, so that it can be seen."""
FAR = 20
"""So many times as long as the rest, and the rest could not be told from the ground any more."""
CELL, GAP = 14, 3
MONTHS_HEIGHT, DAYS_WIDTH = 18, 30
_NAMED_DAYS = ((0, "Mon"), (2, "Wed"), (4, "Fri"))

_MS, _S, _MIN, _H, _D = 1, 1_000, 60_000, 3_600_000, 86_400_000
_TIMES = (
    *(number * _MS for number in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(number * unit for unit in (_S, _MIN) for number in (1, 2, 5, 10, 15, 30)),
    *(number * _H for number in (1, 2, 3, 6, 12)),
    *(number * _D for number in (1, 2, 5, 10, 20, 50, 100)),
)
_UNITS = ((_D, "d"), (_H, "h"), (_MIN, "min"), (_S, "s"), (_MS, "ms"))


class Tick(NamedTuple):
    """A line across the plot, and what it stands for."""

    y: float
    text: str


class Mark(NamedTuple):
    """A word below the plot: where, in percent of its width, and which end of it stands there."""

    x: float
    text: str
    anchor: str


class Shape(NamedTuple):
    """A path of the plot, by the class that colours it."""

    kind: str
    path: str
    title: str = ""


class Slot(NamedTuple):
    """What a step says when it is pointed at."""

    x: int
    title: str


class Plot(NamedTuple):
    """All that a macro needs; `label` says in words what is to be seen."""

    label: str
    width: int
    ticks: list[Tick]
    marks: list[Mark]
    shapes: list[Shape]
    slots: Sequence[Slot] = ()


Marks = Sequence[tuple[int, str]]
"""Numbers of steps, and their names."""


def draw_bars(
    label: str,
    successes: Sequence[int],
    failures: Sequence[int],
    marks: Marks,
    titles: Sequence[str],
) -> Plot:
    """Bars of two parts, the failures on top."""
    top, ticks = _scale_counts(max(map(sum, zip(successes, failures, strict=True)), default=0))
    good, bad = [], []
    for number, (succeeded, failed) in enumerate(zip(successes, failures, strict=True)):
        x = number * STEP + (STEP - BAR) // 2
        low = HEIGHT * succeeded / top
        if succeeded:
            low = max(low, LEAST)
            good.append(_bar(x, HEIGHT, low))
        if failed:
            bad.append(_bar(x, HEIGHT - low, max(HEIGHT * failed / top, LEAST)))
    shapes = [Shape("success", "".join(good)), Shape("failure", "".join(bad))]
    slots = [Slot(number * STEP, title) for number, title in enumerate(titles) if title]
    return _plot(label, len(successes), ticks, marks, shapes, slots)


def draw_rate(label: str, rates: Sequence[float | None], marks: Marks) -> Plot:
    """A line between 0 and 1, broken where there is nothing."""
    points = [None if rate is None else HEIGHT * (1 - rate) for rate in rates]
    ticks = [Tick(HEIGHT * (1 - share), f"{share:.0%}".replace("%", " %")) for share in (0, 0.5, 1)]
    return _plot(label, len(rates), ticks, marks, _line("rate", points))


def draw_durations(
    label: str,
    medians: Sequence[float | None],
    highs: Sequence[float | None],
    marks: Marks,
    outliers: Sequence[tuple[float, float, str]] = (),
    titles: Sequence[str] = (),
) -> Plot:
    """Two lines with what lies between them, and `titles` of the steps. An outlier is a place (in
    steps), a duration and a title; one that is far above the lines stands at the upper edge, and
    so does a step that lies far above the others."""
    most = _usual_most([each for each in (*medians, *highs) if each is not None])
    most = max(most, *(each for _, each, _ in outliers if each <= 2.5 * most), 0.0)
    top, ticks = _scale_times(most)
    low = [None if each is None else HEIGHT * max(1 - each / top, 0) for each in medians]
    high = [None if each is None else HEIGHT * max(1 - each / top, 0) for each in highs]
    marked = {floor(place) for place, _, _ in outliers}
    beyond = [
        (number + 0.5, each, titles[number])
        for number, each in enumerate(highs)
        if each is not None and each > top and number not in marked
    ]
    shapes = [Shape("between", _area(low, high)), *_line("high", high), *_line("median", low)]
    shapes += [
        Shape("outlier", _dot(place * STEP, max(HEIGHT * (1 - each / top), 2)), title)
        for place, each, title in (*outliers, *beyond)
    ]
    return _plot(label, len(medians), ticks, marks, shapes)


def _usual_most(values: Sequence[float]) -> float:
    """The greatest one, but for a few that would flatten all others: at most a tenth, or the two of
    one step, of which the least is FAR times what comes next."""
    ordered = sorted(values, reverse=True)
    few = min(max(2, len(ordered) // 10), len(ordered) - 1)
    for number in range(few, 0, -1):
        if ordered[number - 1] > FAR * ordered[number] > 0:
            return ordered[number]
    return ordered[0] if ordered else 0.0


def _plot(
    label: str,
    count: int,
    ticks: list[Tick],
    marks: Marks,
    shapes: list[Shape],
    slots: Sequence[Slot] = (),
) -> Plot:
    placed = [_mark(100 * (number + 0.5) / count, text) for number, text in marks]
    return Plot(label, count * STEP, ticks, placed, [each for each in shapes if each.path], slots)


def _mark(x: float, text: str) -> Mark:
    """The words at the ends stay inside."""
    anchor = "start" if x < 4 else "end" if x > 96 else "middle"
    return Mark(round(x, 2), text, anchor)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _bar(x: int, bottom: float, height: float) -> str:
    return f"M{x} {_number(bottom)}v-{_number(height)}h{BAR}v{_number(height)}z"


def _dot(x: float, y: float) -> str:
    """A line of no length: its ends make a dot that is round however the plot is stretched."""
    return f"M{_number(x)} {_number(y)}h.01"


def _stretches(points: Sequence[float | None]) -> list[list[tuple[float, float]]]:
    found: list[list[tuple[float, float]]] = [[]]
    for number, y in enumerate(points):
        if y is not None:
            found[-1].append(((number + 0.5) * STEP, y))
        elif found[-1]:
            found.append([])
    return [each for each in found if each]


def _line(kind: str, points: Sequence[float | None]) -> list[Shape]:
    """A line through what has a neighbour, and dots for what stands between two gaps."""
    stretches = _stretches(points)
    lines = (
        "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in stretch)
        for stretch in stretches
        if len(stretch) > 1
    )
    dots = (_dot(*stretch[0]) for stretch in stretches if len(stretch) == 1)
    return [Shape(kind, "".join(lines)), Shape(f"{kind} lone", "".join(dots))]


def _area(low: Sequence[float | None], high: Sequence[float | None]) -> str:
    return "".join(
        "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in [*above, *below[::-1]]) + "z"
        for below, above in zip(_stretches(low), _stretches(high), strict=True)
        if len(above) > 1
    )


def _scale_counts(most: int) -> tuple[float, list[Tick]]:
    """The value at the upper edge, and three or four round numbers up to it."""
    if most <= 4:
        step = 1
    else:
        size = 10 ** floor(log10(most / 4))
        step = next(round(size * each) for each in (1, 2, 2.5, 5, 10) if size * each >= most / 4)
    return _scale(most, step, "{:,}".format)


def _scale_times(most_ms: float) -> tuple[float, list[Tick]]:
    step = next((each for each in _TIMES if each >= most_ms / 4), _TIMES[-1])
    while step * 8 < most_ms:
        step *= 10
    return _scale(most_ms, step, _write_time)


def _scale(most: float, step: int, write: Callable[[int], str]) -> tuple[float, list[Tick]]:
    count = max(ceil(most / step), 1)
    top = count * step
    every = 1 if count < 5 else 2
    values = [number * step for number in range(0, count + 1, every)]
    return top, [Tick(round(HEIGHT * (1 - value / top), 1), write(value)) for value in values]


def _write_time(ms: int) -> str:
    if ms == 0:
        return "0"
    size, unit = next((size, unit) for size, unit in _UNITS if ms >= size)
    return f"{_number(ms / size)} {unit}"


class Calendar(NamedTuple):
    """Days as cells, a column a week, all days of a level in one path."""

    label: str
    width: int
    height: int
    months: list[tuple[int, str]]
    days: list[tuple[int, str]]
    levels: list[Shape]


LEVELS: tuple[tuple[str, str, Callable[[int, int], bool]], ...] = (
    ("none", "no runs", lambda successes, failures: not successes + failures),
    ("good", "none failed", lambda successes, failures: not failures),
    ("few", "up to 10 % failed", lambda successes, failures: failures * 9 <= successes),
    ("some", "up to half failed", lambda successes, failures: failures <= successes),
    ("many", "more failed", lambda successes, failures: True),
)
"""What a day can be, the first that fits: a class, words, and a condition."""


def draw_calendar(label: str, days: Sequence[date], counts: Sequence[tuple[int, int]]) -> Calendar:
    """Columns begin with a Monday."""
    monday = days[0] - timedelta(days=days[0].weekday())
    cells: dict[str, list[str]] = {name: [] for name, _, _ in LEVELS}
    months: list[tuple[int, str]] = []
    for day, count in zip(days, counts, strict=True):
        week = (day - monday).days // 7
        x, y = _place(week, day.weekday())
        name = next(name for name, _, fits in LEVELS if fits(*count))
        cells[name].append(f"M{x} {y}h{CELL}v{CELL}h-{CELL}z")
        if _begins_month(day, days[0]) and (not months or months[-1][1] != f"{day:%b}"):
            months.append((x, f"{day:%b}"))
    weeks = (days[-1] - monday).days // 7 + 1
    return Calendar(
        label,
        DAYS_WIDTH + weeks * (CELL + GAP) - GAP,
        MONTHS_HEIGHT + 7 * (CELL + GAP) - GAP,
        months,
        [(_place(0, row)[1] + CELL - 3, text) for row, text in _NAMED_DAYS],
        [Shape(name, "".join(paths)) for name, paths in cells.items() if paths],
    )


def _begins_month(day: date, first: date) -> bool:
    """On the first Monday of a month, and on the first day of all where there is room for it."""
    return (day.weekday() == 0 and day.day <= 7) or (day == first and day.day < 15)


def _place(week: int, row: int) -> tuple[int, int]:
    return DAYS_WIDTH + week * (CELL + GAP), MONTHS_HEIGHT + row * (CELL + GAP)
