"""Runs that failed: each, or only several in a row."""

from collections.abc import Iterable, Iterator, Sequence

from app.alerting.kinds.kind import Detail, Kind, Numbers, Past
from app.alerting.kinds.numbers import NumbersSchema, whole
from app.alerting.verdicts import SeenRun, Sign, Verdict, detail_of


class FailedNumbers(NumbersSchema):
    in_a_row = whole("Failures in a row", 1, 100, 1, hint="1 tells of every first failure.")


def judge(
    numbers: Numbers, runs: Sequence[SeenRun], chosen: Iterable[int] | None = None
) -> Iterator[Verdict]:
    row, since, done = 0, None, 0
    for at in range(len(runs)) if chosen is None else chosen:
        for run in runs[done : at + 1]:
            has_failed = run.outcome == "failure"
            row, since = (row + 1, since or run.ended_at) if has_failed else (0, None)
        done = at + 1
        if not has_failed:
            yield Verdict(Sign.GOOD, run.ended_at)
        elif row >= numbers["in_a_row"]:
            detail = {**detail_of(run), "in_a_row": numbers["in_a_row"]}
            yield Verdict(Sign.OPENS, run.ended_at, since, count=row, detail=detail)
        else:
            yield Verdict(Sign.ADDS, run.ended_at, detail=detail_of(run))


def describe(numbers: Numbers) -> str:
    row = numbers["in_a_row"]
    return "A run fails" if row == 1 else f"{row} runs in a row fail"


def title(name: str, detail: Detail) -> str:
    row = detail.get("in_a_row", 1)
    return f"{name} failed" if row == 1 else f"{name} failed {row} times in a row"


KIND = Kind(
    name="failed",
    label="Failed runs",
    hint="A run fails, or several in a row.",
    icon="circle-x",
    source="runs",
    schema=FailedNumbers(),
    judge=judge,
    describe=describe,
    title=title,
    over=lambda name: f"{name} works again",
    unit=("failure", "failures"),
    past=lambda numbers: Past(numbers["in_a_row"] - 1),
    wakes=lambda numbers, run: run.outcome == "failure",
    is_finding=lambda numbers, run: run.outcome == "failure",
    by_failures=True,
)
