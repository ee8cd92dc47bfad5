"""docs/performance-growth.md: the slowest addresses, inserts in turn, and a table a database."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from app.api import search as api
from bench.growth_inserts import CLAIMED, COMMITS, insert_of
from bench.growth_inserts import PART as INSERTED
from bench.growth_steps import PART, Step, name_of, read_steps
from bench.measured import Measured, last
from bench.servers import ROOT
from bench.tables import NOTHING, Column, by_round, draw_table, number, ratio, table

REPORT = ROOT / "docs" / "performance-growth.md"
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
LIMITS = {1_000_000: 100, 10_000_000: 300}
"""What a page's median may be in ms, by the number of events."""
FEWEST = 10_000
"""The number of events that inserts with more are compared with."""

HIGHER = 2
"""So many times its limit may a page's p95 be."""
HIGH = ", high"
"""Ends the name of a figure's high percentile, which stands beside the figure."""
LONGEST = ", longest"
"""Ends the name of the most that a figure came to."""
MOST_OF_A_SEARCH_MS = 300
"""What the p95 of a page of a search may be, however long the log."""
BUSY = (
    " The machine was busy with other things: a page of a search, whose 40 ms are those that pass, "
    "read far less in them than it does alone."
)
INTRODUCTION = """\
# Performance as the log grows

Written by `make bench-growth`: each column is a fresh database with so many requests of 30 days, of
20 workflows and 7 keys, and the runs and sums that the worker makes of them; refused requests of
the last 7 days, as retention leaves them. Figures without a unit are median {times} in ms (in
brackets p95) in one process, without a network. The last column is the most events against
the fewest. **Bold**: an address whose median is over its limit,
{limits}.
Databases are measured one after the other, so a ratio tells what the machine's minutes did to it as
well; what has a goal against another size is measured in turn, below.{busy}"""
SLOWEST = f"""\
## The slowest addresses

Of all pages, with each kind of filter, and of all lists of the reading API, the one with the
highest median. A list of the API looks for what is rare for {api.SECONDS * 1_000:.0f} ms, then
answers with what it has and a cursor to go on from: a little more than that is what it is set to.
`/runs/errors` counts the failures of the chosen time by what they say, from an index alone: it
grows with the failures, and nothing but retention bounds it."""
SEARCHES = """\
## How long a page searches

A page of the console looks on for 40 ms, and shows what it has when the look that it is in has
ended: so the 40 ms are where it aims; its p95 is held to {most} ms (a goal, see
[performance](performance.md#goals)). As measured, for what is nowhere; where no longest is told,
the p95 is the longest:"""
SEARCHED = ("events", "runs")
INSERTS = """\
## Inserts and claims, in turn

One round goes over the databases of all sizes, with {commits} commits of each kind in each, then
the next round does; {rounds} rounds. Each commit is on disk before it counts. ms: the median of the
rounds' medians. "Of 10,000": the median of the rounds' ratios to the database with 10,000 events,
"by round": the least and the most of them. A claim is the worker's, without its commit: of one
event, and of as many as it takes at once (200 on SQLite, 500 on PostgreSQL), for each of them."""


class Slowest(NamedTuple):
    """Of several addresses the one with the highest median, or p95, in ms."""

    address: str
    median: float


def search_page(what: str) -> str:
    """The name of the figure of one page of a search for what is nowhere."""
    return f"search of {what}: a page"


def is_page(name: str) -> bool:
    return name.startswith("`/") and not is_list(name) and not name.endswith(HIGH)


def is_list(name: str) -> bool:
    """Of the reading API."""
    return name.startswith("`/api/")


ADDRESSES: Mapping[str, Callable[[str], bool]] = {"page": is_page, "list of the API": is_list}


def find_slowest(figures: Mapping[str, float], of: Callable[[str], bool]) -> Slowest | None:
    found = [Slowest(name, median) for name, median in figures.items() if of(name)]
    return max(found, key=lambda each: each.median, default=None)


def find_slowest_high(figures: Mapping[str, float]) -> Slowest | None:
    """Of the pages the one with the highest p95, where it was measured."""
    highs = {name: value for name, value in figures.items() if name.endswith(HIGH)}
    return find_slowest(highs, lambda name: is_page(name.removesuffix(HIGH)))


def write(file: Path = REPORT) -> None:
    """The page of the last results."""
    file.write_text(render(last(PART), last(INSERTED)))


def render(grown: Measured | None, inserts: Measured | None) -> str:
    """The page, of what was ever measured."""
    steps = read_steps(grown)
    is_processor_time = any(each.is_processor_time for each in steps)
    introduction = INTRODUCTION.format(
        times="processor times" if is_processor_time else "times",
        limits=" and ".join(f"{ms} ms with {count:,} events" for count, ms in LIMITS.items()),
        busy=BUSY if is_processor_time else "",
    )
    parts = [introduction]
    if grown:
        parts += [_where(grown), SLOWEST, _draw_slowest(steps)]
    if searches := _rows_of_searches(steps):
        titles = ["", "median ms", "p95 ms", "longest ms"]
        parts += [SEARCHES.format(most=MOST_OF_A_SEARCH_MS), draw_table(titles, searches)]
    if inserts:
        parts += _draw_inserts(inserts)
    return "\n\n".join([*parts, describe(steps)])


def _where(measured: Measured) -> str:
    return f"Machine: {measured.machine}. Date: {measured.date}."


def _draw_slowest(steps: Sequence[Step]) -> str:
    titles = ["", "limit, ms"]
    for what in ADDRESSES:
        titles += [f"slowest {what}", "median ms"]
    shown = [each for each in _in_order(steps) if each.asked in LIMITS]
    return draw_table(titles, map(_row_of_slowest, shown))


def _row_of_slowest(step: Step) -> list[str]:
    limit = LIMITS[step.asked]
    cells = [f"{NAMES[step.kind]}, {step.asked:,} events", str(limit)]
    for of in ADDRESSES.values():
        slowest = find_slowest(step.figures, of)
        cells += [slowest.address, _judge(slowest.median, limit)] if slowest else [NOTHING] * 2
    return cells


def _rows_of_searches(steps: Sequence[Step]) -> list[list[str]]:
    """Of each database that has a limit, where it was measured."""
    rows = []
    for step in (each for each in _in_order(steps) if each.asked in LIMITS):
        for what in SEARCHED:
            name = search_page(what)
            found = [step.figures.get(f"{name}{end}") for end in ("", HIGH, LONGEST)]
            if found[0] is not None:
                of = f"{NAMES[step.kind]}, {step.asked:,} events, a search of {what}"
                rows.append([of, *(NOTHING if each is None else _show(each) for each in found)])
    return rows


def _draw_inserts(measured: Measured) -> list[str]:
    text = INSERTS.format(commits=COMMITS[1], rounds=measured.rounds)
    drawn = [_draw_figures(measured, each) for each in (map(insert_of, COMMITS), CLAIMED)]
    return [text, _where(measured), *drawn]


def _draw_figures(measured: Measured, figures: Iterable[str]) -> str:
    """A row a database, with three columns a figure."""
    columns = []
    for figure in figures:
        columns += [
            Column(f"{figure}, ms", number(figure, ".3f")),
            Column(f"of {FEWEST:,}", ratio(figure, _fewest)),
            Column("by round", by_round(figure, _fewest)),
        ]
    drawn = table(measured, columns)
    for kind, name in NAMES.items():
        drawn = drawn.replace(f"| {kind}, ", f"| {name}, ")
    return drawn


def _fewest(subject: str) -> str:
    return name_of(subject.partition(",")[0], FEWEST)


def describe(steps: Sequence[Step]) -> str:
    kinds = [kind for kind in NAMES if any(each.kind == kind for each in steps)]
    return "\n\n".join(_describe_kind(kind, steps) for kind in kinds) + "\n"


def _in_order(steps: Collection[Step]) -> list[Step]:
    return sorted(steps, key=lambda each: (list(NAMES).index(each.kind), each.asked))


def _describe_kind(kind: str, steps: Sequence[Step]) -> str:
    mine = [each for each in _in_order(steps) if each.kind == kind]
    rows = [
        ["events kept", *(f"{each.events:,}" for each in mine), ""],
        ["size, MB", *(f"{each.size_mb:,.0f}" for each in mine), ""],
        ["filled in, s", *(f"{each.fill_seconds:,.0f}" for each in mine), ""],
    ]
    found = dict.fromkeys(name for each in mine for name in each.figures)
    rows += [_row(name, mine) for name in found if not name.endswith((HIGH, LONGEST))]
    titles = ["", *(f"{each.asked:,}" for each in mine), "ratio"]
    return f"## {NAMES[kind]}\n\n{draw_table(titles, rows)}"


def _row(name: str, steps: Sequence[Step]) -> list[str]:
    figures = [each.figures.get(name) for each in steps]
    cells = [_cell(name, each) for each in steps]
    first, last = figures[0], figures[-1]
    grown = f"{last / first:.2f}" if first and last and len(figures) > 1 else ""
    return [name, *cells, grown]


def _cell(name: str, step: Step) -> str:
    """The figure, with its high percentile behind it; bold where an address is over its limit."""
    figure, high = step.figures.get(name), step.figures.get(f"{name}{HIGH}")
    if figure is None:
        return ""
    limit = LIMITS.get(step.asked) if is_page(name) or is_list(name) else None
    shown = _show(figure) if limit is None else _judge(figure, limit)
    return shown if high is None else f"{shown} ({_show(high)})"


def _judge(figure: float, limit: float) -> str:
    return f"**{_show(figure)}**" if figure > limit else _show(figure)


def _show(figure: float) -> str:
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"
