"""Markdown tables of figures, a column at a time."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bench.measured import Measured

Draw = Callable[[Measured, str], str]


class Column(NamedTuple):
    """A heading, and what stands under it for a subject."""

    title: str
    draw: Draw


NOTHING = "–"


def number(figure: str, form: str) -> Draw:
    """The median."""

    def draw(measured: Measured, subject: str) -> str:
        median = measured.median(subject, figure)
        return NOTHING if median is None else f"{median:{form}}"

    return draw


def ratio(figure: str, other: Callable[[str], str], form: str = ".2f") -> Draw:
    """As a part of the subject that is named by the function: the median of the rounds' ratios."""

    def draw(measured: Measured, subject: str) -> str:
        found = measured.ratio(subject, other(subject), figure)
        return NOTHING if found is None else f"{found:{form}}"

    return draw


def by_round(figure: str, other: Callable[[str], str], form: str = ".2f") -> Draw:
    """The same from the least round to the most."""

    def draw(measured: Measured, subject: str) -> str:
        found = measured.ratios(subject, other(subject), figure)
        return f"{min(found):{form}} – {max(found):{form}}" if found else NOTHING

    return draw


def spread(figure: str, form: str) -> Draw:
    """From the least to the most."""

    def draw(measured: Measured, subject: str) -> str:
        found = measured.spread(subject, figure)
        return NOTHING if found is None else f"{found[0]:{form}} – {found[1]:{form}}"

    return draw


def total(figure: str) -> Draw:
    def draw(measured: Measured, subject: str) -> str:
        values = measured.all(subject, figure)
        return f"{sum(values):,.0f}" if values else NOTHING

    return draw


def count(figure: str) -> Draw:
    """How many rounds have it."""

    def draw(measured: Measured, subject: str) -> str:
        return str(len(measured.all(subject, figure)))

    return draw


def table(measured: Measured, columns: Sequence[Column]) -> str:
    """A row for each subject."""
    rows = [
        [subject, *(column.draw(measured, subject) for column in columns)]
        for subject in measured.subjects
    ]
    return draw_table(["", *(column.title for column in columns)], rows)


def draw_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column holds words, the others numbers."""
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
