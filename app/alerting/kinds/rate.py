"""Too large a part of the runs of a window failed."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from app.alerting.kinds.kind import Detail, Kind, Numbers, Past
from app.alerting.kinds.numbers import NumbersSchema, whole
from app.alerting.verdicts import Findings, SeenRun, Sign, Verdict, detail_of

NEWEST = 1_000
"""Runs of the window that are looked at: the newest."""


class RateNumbers(NumbersSchema):
    percent = whole("Failed runs in %, at least", 1, 100, 50)
    minutes = whole("Within how many minutes", 5, 10_080, 60)
    least = whole("Of at least so many runs", 2, NEWEST, 5, hint="Of fewer, nothing is said.")


def judge(
    numbers: Numbers, runs: Sequence[SeenRun], chosen: Iterable[int] | None = None
) -> Iterator[Verdict]:
    length = timedelta(minutes=numbers["minutes"])
    failed_at = [at for at, run in enumerate(runs) if run.outcome == "failure"]
    moments = [runs[at].ended_at for at in failed_at]
    begin = 0
    for at in range(len(runs)) if chosen is None else chosen:
        run = runs[at]
        begin = max(begin, at + 1 - NEWEST)
        begin = bisect_right(runs, run.ended_at - length, begin, at, key=lambda run: run.ended_at)
        oldest, newest = bisect_left(failed_at, begin), bisect_right(failed_at, at)
        count, failures = at + 1 - begin, newest - oldest
        percent = 100 * failures / count
        is_bad = count >= numbers["least"] and percent >= numbers["percent"]
        if run.outcome != "failure":
            yield Verdict(Sign.NOTHING if is_bad else Sign.GOOD, run.ended_at)
            continue
        detail = {
            **detail_of(run),
            "percent": round(percent, 1),
            "runs": count,
            "minutes": numbers["minutes"],
        }
        yield Verdict(
            Sign.OPENS if is_bad else Sign.ADDS,
            run.ended_at,
            moments[oldest] if is_bad else None,
            count=failures,
            detail=detail,
            findings=Findings(moments, oldest, newest),
        )


def describe(numbers: Numbers) -> str:
    return (
        f"{numbers['percent']} % or more of the runs of {numbers['minutes']} minutes fail, "
        f"of at least {numbers['least']}"
    )


def title(name: str, detail: Detail) -> str:
    percent = f"{detail.get('percent', 0):g} %"
    return f"{name}: {percent} of {detail.get('runs', 0):,} runs failed"


KIND = Kind(
    name="rate",
    label="Failure rate",
    hint="Too large a part of the runs of some time fail.",
    icon="activity",
    source="runs",
    schema=RateNumbers(),
    judge=judge,
    describe=describe,
    title=title,
    over=lambda name: f"{name} fails less often again",
    unit=("failure", "failures"),
    past=lambda numbers: Past(NEWEST, timedelta(minutes=numbers["minutes"])),
    wakes=lambda numbers, run: run.outcome == "failure",
    is_finding=lambda numbers, run: run.outcome == "failure",
    heeds_any_late=True,  # A good one can make them enough.
)
