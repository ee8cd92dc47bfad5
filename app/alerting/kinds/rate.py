"""Too large a part of the runs of a window failed."""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from app.alerting.kinds.kind import Detail, Kind, Numbers, Past
from app.alerting.kinds.numbers import NumbersSchema, whole
from app.alerting.verdicts import PAST, Findings, SeenRun, Sign, Verdict, detail_of

NEWEST = 1_000
"""Runs of the window that are looked at: the newest."""


class RateNumbers(NumbersSchema):
    percent = whole("Failed runs in %, at least", 1, 100, 50)
    minutes = whole("Within how many minutes", 5, 10_080, 60)
    least = whole("Of at least so many runs", 2, NEWEST, 5, hint="Of fewer, nothing is said.")


def judge(numbers: Numbers, runs: Iterable[SeenRun]) -> Iterator[Verdict]:
    length = timedelta(minutes=numbers["minutes"])
    window: deque[tuple[datetime, bool]] = deque()
    failures = 0
    moments: list[datetime] = []
    for run in runs:
        has_failed = run.outcome == "failure"
        window.append((run.ended_at, has_failed))
        failures += has_failed
        if has_failed:
            moments.append(run.ended_at)
        while len(window) > NEWEST or window[0][0] <= run.ended_at - length:
            failures -= window.popleft()[1]
        if not run.public_id:
            yield PAST
            continue
        percent = 100 * failures / len(window)
        is_bad = len(window) >= numbers["least"] and percent >= numbers["percent"]
        if not has_failed:
            yield Verdict(Sign.NOTHING if is_bad else Sign.GOOD, run.ended_at)
            continue
        detail = {
            **detail_of(run),
            "percent": round(percent, 1),
            "runs": len(window),
            "minutes": numbers["minutes"],
        }
        yield Verdict(
            Sign.OPENS if is_bad else Sign.ADDS,
            run.ended_at,
            moments[-failures] if is_bad else None,
            count=failures,
            detail=detail,
            findings=Findings(moments, len(moments) - failures, len(moments)),
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
)
