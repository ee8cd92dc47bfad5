"""Runs that took longer than a limit, or much longer than the runs before them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from marshmallow import ValidationError, validates_schema

from app.alerting.kinds.kind import Kind, Numbers, Past
from app.alerting.kinds.numbers import NumbersSchema, decimal
from app.alerting.verdicts import SeenRun, Sign, Verdict, detail_of

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


def judge(
    numbers: Numbers, runs: Sequence[SeenRun], chosen: Iterable[int] | None = None
) -> Iterator[Verdict]:
    fixed, factor = numbers.get("seconds"), numbers.get("factor")
    for at in range(len(runs)) if chosen is None else chosen:
        run = runs[at]
        if run.duration_ms is None:
            yield Verdict(Sign.NOTHING, run.ended_at)
            continue
        last = runs[max(at - LAST, 0) : at] if factor else ()
        p95 = _exceeded_p95(last, run.duration_ms, factor) if factor else None
        limit = p95 * factor if factor and p95 is not None else fixed and fixed * 1_000
        if limit is None or run.duration_ms <= limit:
            yield Verdict(Sign.GOOD, run.ended_at)
        else:
            detail = {**detail_of(run), "limit_ms": limit, "p95_ms": p95}
            yield Verdict(Sign.OPENS, run.ended_at, detail=detail)


def _exceeded_p95(runs: Sequence[SeenRun], duration: float, factor: float) -> float | None:
    """The p95 of their durations by nearest rank, where it may be that the duration is more than so
    many times it.

    Most are not, which is clear after a few of them: they are sorted only for one that may be.
    """
    may_be_over = LAST - _rank(LAST)
    for each in runs:
        if each.duration_ms is not None and each.duration_ms * factor >= duration:
            if not may_be_over:
                return None
            may_be_over -= 1
    durations = sorted(each.duration_ms for each in runs if each.duration_ms is not None)
    return durations[_rank(len(durations)) - 1] if len(durations) >= FROM else None


def _rank(count: int) -> int:
    return -(-95 * count // 100)


def exceeds_limit(numbers: Numbers, run: SeenRun) -> bool:
    """What is longer than usual is not known by the run alone."""
    seconds, took = numbers.get("seconds"), run.duration_ms
    return seconds is not None and took is not None and took > seconds * 1_000


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
    is_finding=exceeds_limit,
    heeds_any_late=True,  # One without a duration moves what is usual too.
)
