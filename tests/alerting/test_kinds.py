"""Each kind's judge, over plain data."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from marshmallow import ValidationError

from app.alerting.kinds import KINDS
from app.alerting.verdicts import SeenRefused, SeenSilence, SeenStuck, Sign, Verdict
from tests.alerting.stories import START, at, runs

LETTERS = {Sign.OPENS: "O", Sign.ADDS: "a", Sign.GOOD: "g", Sign.NOTHING: "-"}


def judge(kind: str, numbers: dict[str, Any], sights: Any) -> str:
    """One letter for each verdict."""
    return "".join(LETTERS[verdict.sign] for verdict in KINDS[kind].judge(numbers, sights))


@pytest.mark.parametrize(
    ("in_a_row", "outcomes", "verdicts"),
    [
        (1, "SFFSF", "gOOgO"),
        (3, "FFSFFFF", "aagaaOO"),
        (2, "FSFSFF", "agagaO"),
    ],
)
def test_failed(in_a_row: int, outcomes: str, verdicts: str) -> None:
    assert judge("failed", {"in_a_row": in_a_row}, runs(outcomes)) == verdicts


@pytest.mark.parametrize(
    ("outcomes", "every", "verdicts"),
    [
        ("FFFF", 1, "aaaO"),  # Three of three are too few runs.
        ("SSFFSF", 1, "ggaOgO"),
        ("SSSSSSF", 1, "gggggga"),
        ("FFFFF", 10, "aaaaa"),  # Never four within the window.
        ("FFFF" + "S" * 6, 1, "aaaO----gg"),
    ],
)
def test_rate(outcomes: str, every: float, verdicts: str) -> None:
    numbers = {"percent": 50, "minutes": 30, "least": 4}
    assert judge("rate", numbers, runs(outcomes, every)) == verdicts


def test_rate_looks_at_the_newest_thousand() -> None:
    sights = runs("F" * 1_000 + "S" * 501, every=0.001)
    (*_, last) = KINDS["rate"].judge({"percent": 50, "minutes": 60, "least": 4}, sights)
    assert last.sign is Sign.GOOD


@pytest.mark.parametrize(
    ("numbers", "durations", "verdicts"),
    [
        ({"seconds": 2}, [1_000, 2_001, None, 2_000], "gO-g"),
        ({"factor": 2}, [*[100.0] * 19, 1_000], "g" * 20),  # Nothing is usual before 20 runs.
        ({"factor": 2}, [*[100.0] * 20, 200, 201, 100], "g" * 21 + "Og"),
        # One in ten is slow: what 95 % stay under is slow too.
        ({"factor": 2}, [*([100.0] * 9 + [500]) * 3, 600], "g" * 31),
    ],
)
def test_slow(numbers: dict[str, Any], durations: list[float | None], verdicts: str) -> None:
    sights = runs("S" * len(durations), durations=durations)
    assert judge("slow", numbers, sights) == verdicts


def test_slow_forgets_what_is_older_than_two_hundred_runs() -> None:
    durations = [*[5_000.0] * 100, *[100.0] * 200, 250]
    sights = runs("S" * len(durations), durations=durations)
    assert judge("slow", {"factor": 2}, sights)[-1] == "O"


def test_silent_waits_for_as_long_as_the_rule_says() -> None:
    def sight(minutes: float) -> SeenSilence:
        return SeenSilence(at(minutes), True, START, START, 1)

    sights = [sight(0), sight(9.99), sight(10), SeenSilence(at(11), False)]
    assert judge("silent", {"minutes": 10}, sights) == "--Og"
    assert judge("silent", {"minutes": 0}, sights[:1]) == "O"


def test_stuck_counts_those_at_once() -> None:
    sights = [SeenStuck(at(number), number, START, 1) for number in (1, 2, 1, 0)]
    assert judge("stuck", {"runs": 2}, sights) == "aOag"


def test_refused_is_over_at_half_the_limit() -> None:
    sights = [SeenRefused(at(0), count) for count in (9, 10, 15, 6, 5)]
    assert judge("refused", {"requests": 10, "minutes": 5}, sights) == "aOOag"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_says_what_it_is(kind: str) -> None:
    """Its numbers as a new rule has them can be read, and be said."""
    each = KINDS[kind]
    usual = {
        name: str(field.metadata["initial"])
        for name, field in each.schema.fields.items()
        if field.metadata["initial"] is not None
    }
    assert each.describe(each.schema.load(usual))
    assert each.title("A", {}) and each.over("A") and len(each.unit) == 2
    with pytest.raises(ValidationError):
        each.schema.load(dict.fromkeys(usual, "nan"))


def test_a_verdict_says_since_when_and_how_many() -> None:
    (*_, last) = KINDS["failed"].judge({"in_a_row": 3}, runs("SFFF"))
    assert (last.since, last.at, last.count) == (at(1), at(3), 3)
    assert last.at - START == timedelta(minutes=3)


RULES_ABOUT_RUNS: list[tuple[str, dict[str, Any]]] = [
    ("failed", {"in_a_row": 1}),
    ("failed", {"in_a_row": 3}),
    ("rate", {"percent": 50, "minutes": 5, "least": 3}),
    ("rate", {"percent": 20, "minutes": 60, "least": 2}),
    ("slow", {"seconds": 0.5}),
    ("slow", {"factor": 1.1}),
]


@pytest.mark.parametrize(("kind", "numbers"), RULES_ABOUT_RUNS)
def test_some_runs_are_judged_as_among_all(kind: str, numbers: dict[str, Any]) -> None:
    """Only with what the kind says that it needs of the past."""
    each = KINDS[kind]
    for seed in range(30):
        chance = Random(seed)
        count = chance.choice((3, 30, 400))
        sights = runs(
            "".join(chance.choice("SSF") for _ in range(count)),
            every=chance.choice((0.01, 0.3, 1)),
            durations=[chance.choice((None, chance.uniform(1, 1_000))) for _ in range(count)],
        )
        new = sorted(chance.sample(range(count), min(count, 20)))
        begin = max(new[0] - each.past(numbers).runs, 0)
        among_all = list(each.judge(numbers, sights))
        quick = list(each.judge(numbers, sights[begin : new[-1] + 1], [at - begin for at in new]))
        assert [_tell(verdict) for verdict in quick] == [_tell(among_all[at]) for at in new]


def _tell(verdict: Verdict) -> tuple[Any, ...]:
    """How long a row was that had been one for long, nobody needs to know."""
    row = verdict.detail.get("in_a_row")
    since = None if row else verdict.since
    count = None if row else (verdict.count, verdict.count_after(at(0.9)))
    return verdict.sign, verdict.at, since, count, verdict.detail
