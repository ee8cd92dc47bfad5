"""Workflows whose expected runs do not come."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from app.alerting.kinds.kind import Kind, Numbers
from app.alerting.kinds.numbers import NumbersSchema, whole
from app.alerting.verdicts import SeenSilence, Sign, Verdict


class SilentNumbers(NumbersSchema):
    minutes = whole(
        "Silent for at least, in minutes",
        0,
        10_080,
        0,
        hint="Beyond the grace time of the workflow's schedule; 0 tells at once.",
    )


def judge(numbers: Numbers, sights: Iterable[SeenSilence]) -> Iterator[Verdict]:
    patience = timedelta(minutes=numbers["minutes"])
    for sight in sights:
        if not sight.is_silent or sight.since is None:
            yield Verdict(Sign.GOOD, sight.at)
        elif sight.at - sight.since < patience:
            yield Verdict(Sign.NOTHING, sight.at)
        else:
            expected = sight.expected_at.isoformat() if sight.expected_at else None
            detail = {"expected_at": expected, "missed": sight.missed}
            yield Verdict(
                Sign.OPENS, sight.at, sight.since, max(sight.missed, 1), sight.new, detail
            )


def describe(numbers: Numbers) -> str:
    minutes = numbers["minutes"]
    return f"Expected runs do not come for {minutes} minutes" if minutes else "A run does not come"


KIND = Kind(
    name="silent",
    label="Silent workflows",
    hint="A run that its schedule expects does not come.",
    icon="bell-off",
    source="silences",
    schema=SilentNumbers(),
    judge=judge,
    describe=describe,
    title=lambda name, detail: f"{name} is silent",
    over=lambda name: f"{name} runs again",
    unit=("missed run", "missed runs"),
    lasts=True,
)
