"""What the benchmarks tell beside their goals: the machine, keys, errors, the worst of several."""

import re

import pytest

from bench import batch, charts, drain, goals, ingest, pages, reading
from bench.__main__ import OTHERS
from bench.machine import machine
from bench.measured import Measured
from bench.report import render
from bench.subjects import POSTGRESQL, SQLITE
from tests.test_bench import each_round, judgements, make_results


@pytest.mark.once
def test_the_worst_share_is_judged_and_not_the_mean_of_all() -> None:
    shares = drain.shares(SQLITE)
    rounds = {name: [{"p99_ratio": 1.0 + number}] * 3 for number, name in enumerate(shares)}
    found = judgements({"worker": Measured(3, 4, rounds, "2 cores", "")})
    name = "the same after some minutes, SQLite, the worst of its shares"
    assert list(found[name]) == ["≤ 2.00", f"{len(shares):.2f}", "**no**"]


@pytest.mark.once
@pytest.mark.needs("wrk")
def test_the_machine_is_told_with_all_that_figures_can_depend_on() -> None:
    told = machine()
    for part in (
        "cores (",
        "GiB memory",
        "an fdatasync of 4 KB",
        "Python 3",
        "SQLite 3",
        "load of",
    ):
        assert part in told
    assert re.search(r"PostgreSQL \d+\.\d+", told)
    assert re.search(r"\d+\.\d\d ms", told)
    assert re.search(r"wrk \d", told)


@pytest.mark.once
def test_errors_of_every_part_are_counted() -> None:
    single = Measured(1, 4, {batch.SINGLE: [each_round(1)]}, "2 cores", "")
    broken = Measured(1, 4, {batch.SINGLE: [each_round(1) | {"errors": 2}]}, "2 cores", "")
    kept = batch.together({SQLITE: single, POSTGRESQL: broken})
    assert list(kept.subjects) == ["SQLite, single requests", "PostgreSQL, single requests"]
    page = pages.Timing("/", 3.0, 9.0, 30.0, 1).as_round()
    chart = charts.Timing("/", "UTC", 2.0, 3.0, 9.0, 30.0, 1).as_round()
    results = {
        "batch": kept,
        "pages": Measured(1, 0, {"`/`": [page]}, "", ""),
        "charts": Measured(1, 0, {"`/`": [chart]}, "", ""),
    }
    name = "errors of the parts whose results are kept"
    assert list(judgements(results)[name])[1:] == ["4 (of batch, pages, charts)", "**no**"]
    assert results.keys() <= set(OTHERS)


@pytest.mark.once
@pytest.mark.parametrize("names", [ingest.WITH_KEY, ingest.WITH_WARNING])
def test_what_uses_a_feature_is_judged_by_the_same_limits(names: dict[str, str]) -> None:
    results = make_results(700)
    name = names[SQLITE]
    results["ingest"].subjects[name] = [each_round(500)] * 3
    found = judgements(results)
    assert list(found[f"throughput, {name}, of bare"]) == ["≥ 0.60", "0.50", "**no**"]
    assert list(found[f"p99, {names[POSTGRESQL]}, of bare"]) == ["≤ 1.50", "not measured", ""]
    assert f"throughput, {name}, of bare" in goals.missed(results)
    assert f"- throughput, {name}, of bare: " in render(results)


@pytest.mark.once
def test_the_memory_of_reading_is_told_above_the_addresses_and_is_none_of_them() -> None:
    subjects = {
        "SQLite, `/events`": [each_round(80), each_round(90)],
        reading.memory_of(SQLITE): [{"start_mb": 70.0}, {"web_mb": 91.0}, {"web_mb": 95.0}],
    }
    page = render({"reading": Measured(2, 1, subjects, "2 cores", "2026-01-15")})
    assert "took 70 MB before anybody read, and 91 to 95 MB after the rounds" in page
    assert "| SQLite, `/events` | 85 | 80 – 90 | 3.0 |" in page
    assert "| SQLite, memory" not in page
