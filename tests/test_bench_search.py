"""The benchmark of an index of texts has logs take turns, and tells of each what it cost."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import goals, search_index, search_report
from bench.growth_report import HIGH, search_page
from bench.growth_steps import PART as GROWN
from bench.growth_steps import name_of
from bench.measured import Measured, Round, last
from bench.search_report import REPORT, SOUGHT, describe, indexed, looks_of, plain, search_of


@pytest.mark.parametrize("is_indexed", [False, True])
def test_a_log_is_searched_in_its_own_way(
    database_url: str, tmp_path: Path, is_indexed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "COMMITS", 2)
    monkeypatch.setattr(search_index, "TIMES", 1)
    with ExitStack() as stack:
        log = search_index.open_log(database_url, tmp_path, 300, None, is_indexed, stack)
        measured = search_index.measure([log], 2, 300)
    assert log.bytes_an_event > 0
    assert list(measured.subjects) == [(indexed if is_indexed else plain)(log.kind)]
    for found in measured.subjects[log.name]:
        assert found["commit_ms"] > 0
        assert all(found[search_of(where)] > 0 for where in SOUGHT)
        assert all((looks_of(where) in found) != is_indexed for where in SOUGHT)


def make_round(commit_ms: float, **more: float) -> Round:
    searches = {search_of(where): 40.0 for where in SOUGHT}
    return {
        "events": 100,
        "commit_ms": commit_ms,
        "cpu_us": 50.0,
        "bytes": 1_432.0,
        **searches,
        **more,
    }


def test_the_report_holds_each_round_with_the_index_against_the_one_without() -> None:
    first = next(iter(SOUGHT))
    subjects = {
        plain("sqlite"): [make_round(each, **{looks_of(first): 3}) for each in (2.0, 8.0)],
        indexed("sqlite"): [make_round(each) for each in (4.0, 20.0)],
    }
    page = describe(Measured(2, 0, subjects, "2 cores", "2026-01-15"), None)
    assert "| 12.00 | 4.00 – 20.00 | 2.25 | 2.00 – 2.50 | 50 | 1.00 | 1,432 |" in page
    assert "| SQLite, as it is | 40.0 in 3 pages | 40.0 – 40.0 | 40.0 |" in page
    assert "Machine: 2 cores. Date: 2026-01-15." in page
    assert "very end" not in page


def test_the_report_tells_how_long_the_longest_search_takes() -> None:
    subjects = {plain("sqlite"): [make_round(2.0)]}
    grown = {name_of("sqlite", 10_000_000): [{"search of events: to the end, s": 82.8}]}
    page = describe(Measured(1, 0, subjects, "", ""), Measured(1, 0, grown, "", ""))
    assert "To the very end of 10,000,000 events" in page
    assert "that takes 83 s on SQLite, in pages" in page


def test_the_document_shows_the_last_results() -> None:
    measured = last(search_report.PART)
    assert measured
    assert REPORT.read_text() == describe(measured, last(GROWN))


@pytest.mark.parametrize(("high", "held"), [(300.0, "yes"), (301.0, "**no**")])
def test_a_page_of_a_search_is_judged_by_its_p95(high: float, held: str) -> None:
    figures: Round = {search_page("events"): 45.0, f"{search_page('events')}{HIGH}": high}
    grown = {GROWN: Measured(1, 0, {name_of("postgresql", 10_000_000): [figures]}, "", "")}
    rows = {name: rest for name, *rest in goals.rows(grown)}
    name = "p95 of a page of a search of events with 10,000,000 events, PostgreSQL, ms"
    assert rows[name] == ["≤ 300", f"{high:.0f}", held]
