"""Runs that have started and do not end."""

from collections.abc import Iterable, Iterator

from app.alerting.kinds.kind import Detail, Kind, Numbers
from app.alerting.kinds.numbers import NumbersSchema, whole
from app.alerting.verdicts import SeenStuck, Sign, Verdict


class StuckNumbers(NumbersSchema):
    runs = whole(
        "Stuck runs, at least",
        1,
        1_000,
        1,
        hint="A run is stuck when it is open for longer than its workflow allows.",
    )


def judge(numbers: Numbers, sights: Iterable[SeenStuck]) -> Iterator[Verdict]:
    for sight in sights:
        if sight.stuck == 0:
            yield Verdict(Sign.GOOD, sight.at)
        else:
            sign = Sign.OPENS if sight.stuck >= numbers["runs"] else Sign.ADDS
            detail = {"stuck": sight.stuck, "runs": list(sight.runs)}
            yield Verdict(sign, sight.at, sight.since, sight.stuck, sight.new, detail)


def describe(numbers: Numbers) -> str:
    runs = numbers["runs"]
    return "A run is stuck" if runs == 1 else f"{runs} runs are stuck at once"


def title(name: str, detail: Detail) -> str:
    count = detail.get("stuck", 1)
    return f"{name} has a stuck run" if count == 1 else f"{name} has {count:,} stuck runs"


KIND = Kind(
    name="stuck",
    label="Stuck runs",
    hint="A run has started and does not end in time.",
    icon="hourglass",
    source="stuck",
    schema=StuckNumbers(),
    judge=judge,
    describe=describe,
    title=title,
    over=lambda name: f"{name} has no stuck run any more",
    unit=("stuck run", "stuck runs"),
    lasts=True,
)
