"""Refused requests that pile up in a workspace."""

from collections.abc import Iterable, Iterator

from app.alerting.kinds.kind import Detail, Kind, Numbers
from app.alerting.kinds.numbers import NumbersSchema, whole
from app.alerting.verdicts import SeenRefused, Sign, Verdict


class RefusedNumbers(NumbersSchema):
    requests = whole("Refused requests, at least", 1, 100_000, 10)
    minutes = whole("Within how many minutes", 1, 1_440, 15)


def judge(numbers: Numbers, sights: Iterable[SeenRefused]) -> Iterator[Verdict]:
    """Over at half the limit: around it, one alert would follow the other."""
    limit = numbers["requests"]
    for sight in sights:
        cursor = {"up_to": sight.up_to, "unstored": sight.unstored}
        if sight.refused >= limit:
            detail = {"refused": sight.refused, "minutes": numbers["minutes"], **cursor}
            yield Verdict(Sign.OPENS, sight.at, None, sight.refused, sight.new, detail)
        elif sight.refused <= limit // 2:
            yield Verdict(Sign.GOOD, sight.at)
        else:
            yield Verdict(Sign.ADDS, sight.at, new=sight.new, detail=cursor)


def describe(numbers: Numbers) -> str:
    return f"{numbers['requests']:,} requests are refused within {numbers['minutes']} minutes"


def title(name: str, detail: Detail) -> str:
    refused, minutes = detail.get("refused", 0), detail.get("minutes", 0)
    return f"{refused:,} requests were refused within {minutes} minutes"


KIND = Kind(
    name="refused",
    label="Refused requests",
    hint="Requests of the workspace's keys are refused, and pile up.",
    icon="ban",
    source="refused",
    schema=RefusedNumbers(),
    judge=judge,
    describe=describe,
    title=title,
    over=lambda name: "Requests are accepted again",
    unit=("refused request", "refused requests"),
)
