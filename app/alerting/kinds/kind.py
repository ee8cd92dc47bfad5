"""What a kind of rule is made of."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from app.alerting.kinds.numbers import NumbersSchema
from app.alerting.verdicts import SeenRun, Verdict

Numbers = Mapping[str, Any]
Detail = Mapping[str, Any]
Source = Literal["runs", "silences", "stuck", "refused"]


class Past(NamedTuple):
    """The runs before a new one that a judge needs: so many at most, and no older than this."""

    runs: int = 0
    window: timedelta | None = None


def no_past(numbers: Numbers) -> Past:
    return Past()


def any_run(numbers: Numbers, run: SeenRun) -> bool:
    return True


def no_run(numbers: Numbers, run: SeenRun) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Kind:
    """`judge` says one verdict for each sight, in their order in time; of runs, only for those
    at the chosen indexes, in the light of all before them. `wakes` tells whether a run can open an
    alert at all, `heeds_any_late` whether any run can that is told of after a newer one; `past`
    what has to be read for that. `lasts`: it finds a state rather than events, which nothing new
    tells of while it lasts. `is_finding`: whether a run belongs to an open alert whatever the runs
    before it were."""

    name: str
    label: str
    hint: str
    icon: str
    source: Source
    schema: NumbersSchema
    judge: Callable[..., Iterator[Verdict]]
    describe: Callable[[Numbers], str]
    title: Callable[[str, Detail], str]
    over: Callable[[str], str]
    unit: tuple[str, str]
    past: Callable[[Numbers], Past] = no_past
    wakes: Callable[[Numbers, SeenRun], bool] = any_run
    is_finding: Callable[[Numbers, SeenRun], bool] = no_run
    lasts: bool = False
    heeds_any_late: bool = False
    by_failures: bool = False
