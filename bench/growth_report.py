"""The report of `python -m bench.growth`: a table for each database."""

from collections.abc import Sequence
from typing import NamedTuple

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
LIMITS = {1_000_000: 100, 10_000_000: 300}
"""What a page's median may be in ms, by the number of events."""

HIGH = ", high"
"""Ends the name of a figure's high percentile, which stands beside the figure."""


class Step(NamedTuple):
    """What was measured with so many events; figures by name, most in ms."""

    kind: str
    asked: int
    events: int
    runs: int
    fill_seconds: float
    size_mb: float
    figures: dict[str, float]


def describe(steps: Sequence[Step]) -> str:
    kinds = [kind for kind in NAMES if any(each.kind == kind for each in steps)]
    return "\n\n".join(_describe_kind(kind, steps) for kind in kinds) + "\n"


def _describe_kind(kind: str, steps: Sequence[Step]) -> str:
    mine = sorted((each for each in steps if each.kind == kind), key=lambda each: each.asked)
    head = ["", *(f"{each.asked:,}" for each in mine), "ratio"]
    rows = [
        head,
        ["---", *["---:"] * (len(mine) + 1)],
        ["events kept", *(f"{each.events:,}" for each in mine), ""],
        ["size, MB", *(f"{each.size_mb:,.0f}" for each in mine), ""],
        ["filled in, s", *(f"{each.fill_seconds:,.0f}" for each in mine), ""],
    ]
    found = dict.fromkeys(name for each in mine for name in each.figures)
    names = [name for name in found if not name.endswith(HIGH)]
    rows += [_row(name, mine) for name in names]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"## {NAMES[kind]}\n\n{table}"


def _row(name: str, steps: Sequence[Step]) -> list[str]:
    figures = [each.figures.get(name) for each in steps]
    cells = [_cell(name, each) for each in steps]
    first, last = figures[0], figures[-1]
    ratio = f"{last / first:.2f}" if first and last and len(figures) > 1 else ""
    return [name, *cells, ratio]


def _cell(name: str, step: Step) -> str:
    """The figure, with its high percentile behind it; bold where a page is over its limit."""
    figure, high = step.figures.get(name), step.figures.get(f"{name}{HIGH}")
    if figure is None:
        return ""
    limit = LIMITS.get(step.asked)
    is_over = limit is not None and name.startswith("`/") and figure > limit
    shown = f"**{_show(figure)}**" if is_over else _show(figure)
    return shown if high is None else f"{shown} ({_show(high)})"


def _show(figure: float) -> str:
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"
