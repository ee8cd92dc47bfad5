"""What is wanted, and whether the last results hold it."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import NamedTuple

from bench import drain, growth, growth_inserts, move, purge_months, purge_report, steady
from bench.growth_inserts import CLAIM_AN_EVENT, CLAIM_OF_ONE, COMMITS, insert_of
from bench.growth_report import (
    ADDRESSES,
    FEWEST,
    HIGH,
    HIGHER,
    LIMITS,
    MOST_OF_A_SEARCH_MS,
    SEARCHED,
    Slowest,
    find_slowest,
    find_slowest_high,
    search_page,
)
from bench.growth_steps import name_of
from bench.ingest import REJECTED, SUCCESS, WITH_KEY, WITH_WARNING
from bench.live import ALONE, SCENES, WATCHED
from bench.measured import Measured
from bench.subjects import BARE, POSTGRESQL, SQLITE

Results = Mapping[str, Measured]
"""What each part measured last, by the part's name."""


class Goal(NamedTuple):
    """A limit, and where its figure comes from: None where it was not measured."""

    name: str
    limit: float
    find: Callable[[Results], float | None]
    is_least: bool = False
    """Whether the limit is the least that is wanted, rather than the most."""
    form: str = ".2f"
    beside: Callable[[Results], str] = lambda results: ""
    """What has to be known with the figure, to stand behind it."""

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.limit:{self.form}}"

    def holds(self, figure: float) -> bool:
        return figure >= self.limit if self.is_least else figure <= self.limit


def _of_bare(subject: str, figure: str) -> Callable[[Results], float | None]:
    return _ratio("ingest", subject, BARE, figure)


def _ratio(part: str, one: str, two: str, figure: str) -> Callable[[Results], float | None]:
    def find(results: Results) -> float | None:
        return results[part].ratio(one, two, figure) if part in results else None

    return find


def _median(part: str, subject: str, figure: str) -> Callable[[Results], float | None]:
    def find(results: Results) -> float | None:
        return results[part].median(subject, figure) if part in results else None

    return find


def _errors(results: Results) -> float | None:
    found = [
        value
        for measured in results.values()
        for subject in measured.subjects
        for value in measured.all(subject, "errors")
    ]
    return sum(found) if found else None


def _parts(results: Results) -> str:
    """Of which parts errors are kept."""
    named = [
        name
        for name, measured in results.items()
        if any(measured.all(subject, "errors") for subject in measured.subjects)
    ]
    return f" (of {', '.join(named)})" if named else ""


def _most(part: str, subject: str, figures: Collection[str]) -> Callable[[Results], float | None]:
    """The highest of several figures."""

    def find(results: Results) -> float | None:
        if part not in results:
            return None
        found = [results[part].median(subject, figure) for figure in figures]
        return max((each for each in found if each is not None), default=None)

    return find


def _highest(part: str, figure: str, *subjects: str) -> Callable[[Results], float | None]:
    """Of all rounds of the subjects."""

    def find(results: Results) -> float | None:
        if part not in results:
            return None
        found = [each for name in subjects for each in results[part].all(name, figure)]
        return max(found, default=None)

    return find


def _batches_over(subject: str) -> Callable[[Results], str]:
    """How many of all batches of all rounds held their locks for more than the goal allows."""

    def tell(results: Results) -> str:
        if purge_report.PART not in results:
            return ""
        found = results[purge_report.PART]
        over, all_of_them = (
            sum(found.all(subject, each)) for each in ("batches_over_50_ms", "batches")
        )
        return f" ({over:,.0f} of {all_of_them:,.0f} over 50 ms)" if all_of_them else ""

    return tell


def _masters(subject: str) -> Callable[[Results], str]:
    """What the master takes besides, which the limit does not count."""

    def tell(results: Results) -> str:
        found = _median("ingest", subject, "master_mb")(results)
        return "" if found is None else f" (and their master {found:.0f}, not counted)"

    return tell


def _worst(part: str, subjects: Collection[str], figure: str) -> Callable[[Results], float | None]:
    """The highest of the subjects' medians."""

    def find(results: Results) -> float | None:
        found = (_median(part, subject, figure)(results) for subject in subjects)
        return max((each for each in found if each is not None), default=None)

    return find


def _slowest(
    subject: str, find_it: Callable[[Mapping[str, float]], Slowest | None]
) -> Callable[[Results], float | None]:
    """The highest median, or p95, of all addresses of a kind."""

    def find(results: Results) -> float | None:
        rounds = results["growth"].subjects.get(subject) if "growth" in results else None
        slowest = find_it(rounds[0]) if rounds else None
        return slowest.median if slowest else None

    return find


def _grown(kind: str, count: int) -> str:
    return name_of(IN_GROWTH[kind], count)


KINDS = (SQLITE, POSTGRESQL)
IN_GROWTH = dict(zip(KINDS, growth.KINDS, strict=True))
PAGES = ("`/events`", "`/events/{event}`", "`/`", "`/workflows/{workflow}`")
MOST = max(growth.COUNTS)
GROWTH = (
    *(
        Goal(
            f"p50 of an insert of {size} with {count:,} events, {kind}, of with {FEWEST:,}",
            1.2,
            _ratio(growth_inserts.PART, _grown(kind, count), _grown(kind, FEWEST), insert_of(size)),
        )
        for size in COMMITS
        for kind in KINDS
        for count in growth.COUNTS
        if count > FEWEST
    ),
    *(
        Goal(
            f"{figure}, with {MOST:,} events, {kind}, ms",
            1,
            _median(growth_inserts.PART, _grown(kind, MOST), figure),
            form=".3f",
        )
        for figure in (CLAIM_OF_ONE, CLAIM_AN_EVENT)
        for kind in KINDS
    ),
    *(
        Goal(
            f"the worker with {MOST:,} events, {kind}, events/s",
            least,
            _median("growth", _grown(kind, MOST), "worker, events/s"),
            True,
            ",.0f",
        )
        for kind, least in zip(KINDS, (2_000, 3_000), strict=True)
    ),
    *(
        Goal(
            f"log, event, overview, workflow with {count:,} events, {kind}, the slowest, ms",
            limit,
            _most("growth", _grown(kind, count), PAGES),
            form=".0f",
        )
        for count, limit in LIMITS.items()
        for kind in KINDS
    ),
    *(
        Goal(
            f"the slowest {what} with {count:,} events, {kind}, ms",
            limit,
            _slowest(_grown(kind, count), partial(find_slowest, of=of)),
            form=".0f",
        )
        for what, of in ADDRESSES.items()
        for count, limit in LIMITS.items()
        for kind in KINDS
    ),
    *(
        Goal(
            f"the highest p95 of a page with {count:,} events, {kind}, ms",
            HIGHER * limit,
            _slowest(_grown(kind, count), find_slowest_high),
            form=",.0f",
        )
        for count, limit in LIMITS.items()
        for kind in KINDS
    ),
    *(
        Goal(
            f"p95 of a page of a search of {what} with {MOST:,} events, {kind}, ms",
            MOST_OF_A_SEARCH_MS,
            _median("growth", _grown(kind, MOST), f"{search_page(what)}{HIGH}"),
            form=".0f",
        )
        for what in SEARCHED
        for kind in KINDS
    ),
)
PURGE = (
    *(
        Goal(
            f"a batch's locks while old rows go, {kind}, the longest, ms",
            purge_report.MOST_HELD_MS,
            _highest(purge_report.PART, "held_longest_ms", purge_report.during(kind)),
            form=".0f",
            beside=_batches_over(purge_report.during(kind)),
        )
        for kind in KINDS
    ),
    *(
        Goal(
            f"p99 of 202 while nine tenths of 1,000,000 events go, {kind}, of calm",
            2,
            _ratio(purge_report.PART, purge_report.during(kind), purge_report.calm(kind), "p99_ms"),
        )
        for kind in KINDS
    ),
    Goal(
        "p99 of 202 from when a month of 1,000,000 events is dropped, PostgreSQL, of calm",
        2,
        _ratio(purge_months.PART, purge_months.DURING, purge_months.CALM, "p99_ms"),
    ),
)
FEATURES = tuple(
    Goal(f"{what}, {names[kind]}, of bare", limit, _of_bare(names[kind], figure), is_least)
    for names in (WITH_KEY, WITH_WARNING)
    for kind, least in zip(KINDS, (0.6, 0.4), strict=True)
    for what, figure, limit, is_least in (
        ("throughput", "rate", least, True),
        *((("CPU", "cpu_ms", 1.6, False),) if kind == SQLITE else ()),
        ("p99", "p99_ms", 1.5, False),
    )
)
"""The same limits for requests that use what is on for all of them."""
GOALS = (
    *(
        Goal(f"throughput, {subject}, of bare", least, _of_bare(subject, "rate"), True)
        for subject, least in {
            SUCCESS[SQLITE]: 0.6,
            SUCCESS[POSTGRESQL]: 0.4,
            **dict.fromkeys(REJECTED.values(), 0.6),
        }.items()
    ),
    Goal(f"CPU, {SUCCESS[SQLITE]}, of bare", 1.6, _of_bare(SUCCESS[SQLITE], "cpu_ms")),
    *(
        Goal(f"p99, {SUCCESS[kind]}, of bare", 1.5, _of_bare(SUCCESS[kind], "p99_ms"))
        for kind in KINDS
    ),
    *FEATURES,
    Goal("errors of the parts whose results are kept", 0, _errors, form=".0f", beside=_parts),
    *(
        Goal(
            f"memory of two web processes, {kind}, MB",
            90,
            _median("ingest", SUCCESS[kind], "web_mb"),
            form=".0f",
            beside=_masters(SUCCESS[kind]),
        )
        for kind in KINDS
    ),
    *(
        Goal(
            f"the same after minutes of load, with up to 200 live logs, {kind}, the most, MB",
            90,
            _highest("live", "web_mb", *(scene.on(kind) for scene in SCENES)),
            form=".0f",
        )
        for kind in KINDS
    ),
    *(
        Goal(
            f"throughput with 200 live logs, {kind}, of alone",
            0.8,
            _ratio("live", WATCHED.on(kind), ALONE.on(kind), "rate"),
            True,
        )
        for kind in KINDS
    ),
    *(
        Goal(
            f"the worker alone, {kind}, events/s",
            least,
            _median("worker", drain.alone(kind), "rate"),
            True,
            ",.0f",
        )
        for kind, least in zip(KINDS, (2_000, 3_000), strict=True)
    ),
    *(
        Goal(
            f"p99 of 202 while {steady.EVENTS:,} waiting events are drained, {kind}, of calm",
            2,
            _median("worker", steady.beside(kind), "p99_ratio"),
        )
        for kind in KINDS
    ),
    *(
        Goal(
            f"p99 of 202 while the worker drains at half of full load, {kind}, of before",
            2,
            _ratio("worker", drain.during(kind), drain.before(kind), "p99_ms"),
        )
        for kind in KINDS
    ),
    *(
        Goal(
            f"the same after some minutes, {kind}, the worst of its shares",
            2,
            _worst("worker", drain.shares(kind), "p99_ratio"),
        )
        for kind in KINDS
    ),
    *GROWTH,
    *PURGE,
    Goal(
        "a move of 1,000,000 events to PostgreSQL, s",
        300,
        _median("move", move.MOVE, "seconds"),
        form=".0f",
    ),
)


def missed(results: Results) -> list[str]:
    """The names of the goals whose last figures don't hold them."""
    found = ((goal, goal.find(results)) for goal in GOALS)
    return [goal.name for goal, figure in found if figure is not None and not goal.holds(figure)]


def rows(results: Results) -> list[tuple[str, str, str, str]]:
    """Of each goal its name, limit, figure, and whether it holds."""
    return [(goal.name, goal.wanted, *_row(goal, results)) for goal in GOALS]


def _row(goal: Goal, results: Results) -> tuple[str, str]:
    figure, verdict = _judge(goal, goal.find(results))
    return f"{figure}{goal.beside(results)}", verdict


def _judge(goal: Goal, figure: float | None) -> tuple[str, str]:
    if figure is None:
        return "not measured", ""
    return f"{figure:{goal.form}}", "yes" if goal.holds(figure) else "**no**"
