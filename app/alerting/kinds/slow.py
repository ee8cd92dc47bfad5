"""Runs that took longer than a limit, or much longer than the runs before them."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from marshmallow import ValidationError, validates_schema

from app.alerting.kinds.kind import Kind, Numbers, Past
from app.alerting.kinds.numbers import NumbersSchema, decimal
from app.alerting.verdicts import PAST, SeenRun, Sign, Verdict, detail_of

LAST = 200
"""Runs whose durations say what is usual."""
FROM = 20
"""With fewer, nothing is usual yet."""


class SlowNumbers(NumbersSchema):
    seconds = decimal("Longer than, in seconds", 0.001, 604_800, None)
    factor = decimal(
        "Or times as long as usual",
        1.1,
        100,
        None,
        usual=2,
        hint=f"Usual is what 95 % of the last {LAST} runs stay under; from {FROM} runs on.",
    )

    @validates_schema
    def one_of_both(self, data: dict[str, Any], **kwargs: Any) -> None:
        if ("seconds" in data) == ("factor" in data):
            raise ValidationError("Fill in one of the two: a limit or a factor.", "seconds")


class _Usual:
    """The p95 of the last durations, kept sorted beside their order in time."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, duration: float) -> None:
        self._times.append(duration)
        insort(self._sorted, duration)
        if len(self._times) > LAST:
            del self._sorted[bisect_left(self._sorted, self._times.popleft())]

    def p95(self) -> float | None:
        """By nearest rank; None while there are too few."""
        count = len(self._sorted)
        return self._sorted[-(-95 * count // 100) - 1] if count >= FROM else None


def judge(numbers: Numbers, runs: Iterable[SeenRun]) -> Iterator[Verdict]:
    fixed = numbers.get("seconds")
    usual = _Usual()
    for run in runs:
        if run.duration_ms is None or not run.public_id:
            if run.duration_ms is not None:
                usual.add(run.duration_ms)
            yield PAST
            continue
        p95 = None if fixed else usual.p95()
        limit = fixed * 1_000 if fixed else p95 and p95 * numbers["factor"]
        usual.add(run.duration_ms)
        if limit is None or run.duration_ms <= limit:
            yield Verdict(Sign.GOOD, run.ended_at)
        else:
            detail = {**detail_of(run), "limit_ms": limit, "p95_ms": p95}
            yield Verdict(Sign.OPENS, run.ended_at, detail=detail)


def describe(numbers: Numbers) -> str:
    if numbers.get("seconds"):
        return f"A run takes longer than {numbers['seconds']:g} s"
    return f"A run takes longer than {numbers['factor']:g} × the usual (p95)"


KIND = Kind(
    name="slow",
    label="Slow runs",
    hint="A run takes longer than a limit, or than usual.",
    icon="timer",
    source="runs",
    schema=SlowNumbers(),
    judge=judge,
    describe=describe,
    title=lambda name, detail: f"{name} is slow",
    over=lambda name: f"{name} is as fast as usual again",
    unit=("slow run", "slow runs"),
    past=lambda numbers: Past(0 if numbers.get("seconds") else LAST),
    wakes=lambda numbers, run: run.duration_ms is not None,
)
