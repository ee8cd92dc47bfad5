"""The benchmark of what grows measures in turn, and shows which address is the slowest."""

from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.extensions import db, is_sqlite
from app.models import Event
from bench import goals, growth, growth_databases, growth_inserts
from bench.growth_databases import HASTY
from bench.growth_inserts import CLAIM_AN_EVENT, CLAIM_OF_ONE, Grown, insert_of
from bench.growth_report import HIGH, LONGEST, REPORT, is_list, is_page, render
from bench.growth_steps import PART, Step, as_measured, name_of, read_steps
from bench.measured import Measured, Round, last
from tests.factories import make_team
from tests.postgres import SETTINGS


def make_steps() -> list[Step]:
    figures = {"has_due": 0.05, "worker, events/s": 5_000.0, "`/events`": 21.0}
    figures |= {f"`/events`{HIGH}": 900.0, "`/events`, code": 90.0, "`/api/v1/runs`": 107.0}
    return [
        Step(kind, count, count, count - 1, 2.0, 23.5, figures | {"`/`": count / 1e4})
        for kind in growth.KINDS
        for count in (10_000, 1_000_000)
    ]


def judgements(results: dict[str, Measured]) -> dict[str, tuple[str, ...]]:
    return {name: rest for name, *rest in goals.rows(results)}  # type: ignore[misc]


def test_growth_is_kept_and_read_again() -> None:
    measured = as_measured(make_steps())
    assert read_steps(measured) == make_steps()


def test_what_was_kept_before_is_read_too() -> None:
    measured = as_measured(make_steps())
    for rounds in measured.subjects.values():
        del rounds[0]["is_processor_time"]
    assert read_steps(measured) == make_steps()


def test_the_document_shows_the_last_results() -> None:
    grown, inserts = last(PART), last(growth_inserts.PART)
    assert grown
    assert inserts
    assert REPORT.read_text() == render(grown, inserts)


def test_the_report_tells_when_and_where_the_results_were_measured() -> None:
    measured = replace(as_measured(make_steps()), machine="9 cores", date="2026-01-14")
    page = render(measured, make_inserts(1.0))
    assert "Machine: 9 cores. Date: 2026-01-14." in page
    assert "Machine: 2 cores. Date: 2026-01-15." in page
    assert page.count("Machine: ") == 2


def test_the_report_says_where_times_are_those_of_the_processor() -> None:
    busy = as_measured([step._replace(is_processor_time=1) for step in make_steps()])
    assert "median processor times in ms" in render(busy, None)
    assert "median times in ms" in render(as_measured(make_steps()), None)


def test_the_slowest_address_of_a_size_is_judged() -> None:
    found = judgements({"growth": as_measured(make_steps())})
    four = "log, event, overview, workflow with 1,000,000 events, SQLite, the slowest, ms"
    assert list(found[four]) == ["≤ 100", "100", "yes"]
    pages = found["the slowest page with 1,000,000 events, PostgreSQL, ms"]
    assert list(pages) == ["≤ 100", "100", "yes"]
    lists = found["the slowest list of the API with 1,000,000 events, SQLite, ms"]
    assert list(lists) == ["≤ 100", "107", "**no**"]
    assert found["the slowest page with 10,000,000 events, SQLite, ms"][1] == "not measured"


def test_the_report_names_the_slowest_addresses_and_makes_bold_what_is_over_its_limit() -> None:
    page = render(as_measured(make_steps()), None)
    row = "SQLite, 1,000,000 events | 100 | `/` | 100 | `/api/v1/runs` | **107**"
    assert f"| {row} |" in page
    assert "| `/api/v1/runs` | 107 | **107** | 1.00 |" in page
    assert "**Bold**: an address whose median is over its limit,\n100 ms with 1,000,000" in page
    assert "Inserts and claims" not in page


@pytest.mark.parametrize(
    ("name", "page", "listed"),
    [
        ("`/`", True, False),
        ("`/events`, code", True, False),
        (f"`/events`{HIGH}", False, False),
        ("`/api/v1/runs`", False, True),
        ("search of events: a page", False, False),
        ("has_due", False, False),
    ],
)
def test_pages_and_lists_are_told_from_other_figures(name: str, page: bool, listed: bool) -> None:
    assert (is_page(name), is_list(name)) == (page, listed)


def make_inserts(*ratios: float) -> Measured:
    """Of rounds in which the machine gets slower and slower."""
    few: list[Round] = [{insert_of(1): 0.1 * number} for number in range(1, len(ratios) + 1)]
    many = [{insert_of(1): few[number][insert_of(1)] * each} for number, each in enumerate(ratios)]
    subjects = {name_of("sqlite", 10_000): few, name_of("sqlite", 100_000): many}
    return Measured(len(ratios), 0, subjects, "2 cores", "2026-01-15")


def test_inserts_are_judged_by_the_median_of_the_rounds_ratios() -> None:
    name = "p50 of an insert of 1 with 100,000 events, SQLite, of with 10,000"
    for ratios, told in (((1.0, 1.1, 9.0), ("1.10", "yes")), ((1.3, 1.0, 1.3), ("1.30", "**no**"))):
        found = judgements({growth_inserts.PART: make_inserts(*ratios)})
        assert tuple(found[name][1:]) == told


def test_inserts_in_turn_have_a_table_of_their_own() -> None:
    page = render(as_measured(make_steps()), make_inserts(1.0, 1.1, 1.3))
    assert "| SQLite, 100,000 events | 0.220 | 1.10 | 1.00 – 1.30 |" in page


def test_databases_take_turns(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_inserts, "COMMITS", {1: 3, 16: 2})
    monkeypatch.setattr(growth_inserts, "CLAIMS", 3)
    make_team()
    told: list[str] = []
    grown = [Grown(name, app) for name in ("A", "B")]
    found = list(growth_inserts.measure(grown, 2, told.append))[-1]
    assert [line[:3] for line in told] == ["1 A", "1 B", "2 A", "2 B"]
    for rounds in found.values():
        assert len(rounds) == 2
        for each in rounds:
            assert set(each) == {insert_of(1), insert_of(16), CLAIM_OF_ONE, CLAIM_AN_EVENT}
            assert all(figure > 0 for figure in each.values())
    waiting = select(func.count()).where(Event.state == "accepted")
    assert db.session.scalar(waiting) == 3 * 2 * (3 + 2 * 16), "a warming round, and two"


def test_of_a_kind_that_is_measured_anew_no_former_round_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: dict[str, Any] = {growth_inserts.PART: make_inserts(1.0, 1.0)}
    kept[growth_inserts.PART].subjects["postgresql, 10,000 events"] = [{"insert of 1": 0.2}]
    monkeypatch.setattr(growth, "last", kept.get)
    monkeypatch.setattr(growth, "keep", kept.__setitem__)
    growth.keep_inserts("sqlite", {name_of("sqlite", 10_000): [{"insert of 1": 0.3}]}, 1)
    names = ["postgresql, 10,000 events", "sqlite, 10,000 events"]
    assert list(kept[growth_inserts.PART].subjects) == names


@pytest.mark.once
def test_a_database_that_was_filled_in_haste_is_opened_as_all_others_are(tmp_path: Any) -> None:
    with growth_databases.ExitStack() as stack:
        filled = growth_databases.fill("postgresql", 300, tmp_path / "300", stack)
        with filled.app.app_context():
            shown = {name: _show(name) for name in HASTY}
            assert not is_sqlite()
            assert (db.session.scalar(select(func.count(Event.id))) or 0) > 250
            assert growth_databases.size_mb() > 5
            db.session.remove()
    assert [shown[name] for name in ("fsync", "synchronous_commit", "full_page_writes")] == [
        "on"
    ] * 3
    assert (shown["autovacuum"], shown["shared_buffers"]) == ("on", SETTINGS["shared_buffers"])


def _show(name: str) -> Any:
    return db.session.connection().exec_driver_sql(f"SHOW {name}").scalar()


def test_how_long_a_page_searches_is_told_as_measured() -> None:
    name = "search of events: a page"
    figures = {name: 47.2, f"{name}{HIGH}": 296.4}
    step = Step("sqlite", 10_000_000, 9_000_000, 8_000_000, 2.0, 23.5, figures)
    page = render(as_measured([step]), None)
    assert "| SQLite, 10,000,000 events, a search of events | 47.2 | 296 | – |" in page
    figures[f"{name}{LONGEST}"] = 301.0
    page = render(as_measured([step]), None)
    assert "| SQLite, 10,000,000 events, a search of events | 47.2 | 296 | 301 |" in page
    assert "its p95 is held to 300 ms" in page
    assert "As measured" not in render(as_measured(make_steps()), None)


def test_the_highest_p95_of_a_page_is_judged_by_twice_its_limit() -> None:
    figures = {
        f"`/a`{HIGH}": 601.0,
        f"`/b`{HIGH}": 40.0,
        f"`/api/v1/c`{HIGH}": 900.0,
        "`/d`": 950.0,
    }
    measured = Measured(1, 0, {name_of("sqlite", 10_000_000): [figures]}, "2 cores", "2026-01-15")
    name = "the highest p95 of a page with 10,000,000 events, SQLite, ms"
    assert [*judgements({"growth": measured})[name]] == ["≤ 600", "601", "**no**"]
    del figures[f"`/a`{HIGH}"]
    assert [*judgements({"growth": measured})[name]] == ["≤ 600", "40", "yes"]
