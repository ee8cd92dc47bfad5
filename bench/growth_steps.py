"""What `python -m bench.growth` measured in one database, as it is kept and read again."""

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from bench.measured import Measured, Round

PART = "growth"
PLAIN = ("asked", "events", "runs", "fill_seconds", "size_mb", "is_processor_time")
"""What a step tells beside its figures."""


class Step(NamedTuple):
    """What was measured with so many events; figures by name, most in ms."""

    kind: str
    asked: int
    events: int
    runs: int
    fill_seconds: float
    size_mb: float
    figures: dict[str, float]
    is_processor_time: int = 0
    """1 where the figures are the process's own time, as the machine was busy."""


def name_of(kind: str, asked: int) -> str:
    """The subject's, in what is kept."""
    return f"{kind}, {asked:,} events"


def as_measured(steps: Iterable[Step]) -> Measured:
    """A subject for each kind of database and number of events, with one round."""
    return Measured(1, 0, {name_of(each.kind, each.asked): [_flatten(each)] for each in steps})


def read_steps(measured: Measured | None) -> list[Step]:
    """What `as_measured` made of them."""
    if measured is None:
        return []
    steps = []
    for subject, rounds in measured.subjects.items():
        figures, kind = dict(rounds[0]), subject.partition(",")[0]
        plain = {name: cast(Any, figures.pop(name, 0)) for name in PLAIN}
        steps.append(Step(kind=kind, **plain, figures=figures))
    return steps


def _flatten(step: Step) -> Round:
    whole = step._asdict()
    return {name: whole[name] for name in PLAIN} | step.figures
