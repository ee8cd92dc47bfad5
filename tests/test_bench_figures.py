"""What the benchmarks tell beside their goals: the machine, keys, errors, the worst of several."""

import re

import pytest

from bench import batch, charts, drain, goals, ingest, pages
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
    assert list(judgements(results)["errors, all parts"])[1:] == ["4", "**no**"]
    assert results.keys() <= set(OTHERS)


@pytest.mark.once
def test_a_key_for_each_request_is_shown_beside_the_limits_and_judged_by_none() -> None:
    results = make_results(700)
    results["ingest"].subjects[ingest.WITH_KEY[SQLITE]] = [each_round(500)] * 3
    found = {name: rest for name, *rest in goals.rows_with_keys(results)}
    assert found["throughput, with Idempotency-Key, SQLite, of bare"] == ["≥ 0.60", "0.50"]
    assert found["p99, with Idempotency-Key, PostgreSQL, of bare"] == ["≤ 1.50", "not measured"]
    assert not any("Idempotency-Key" in goal.name for goal in goals.GOALS)
    assert "throughput, with Idempotency-Key, SQLite, of bare | ≥ 0.60 | 0.50 |" in render(results)
