"""A goal that is missed is told: with its reason, and by the exit code where there is none."""

import subprocess
import sys

import pytest

from bench import goals, live, purge_report, reasons
from bench.__main__ import last_results
from bench.ingest import SUCCESS
from bench.measured import Measured
from bench.report import FILE, render
from bench.subjects import BARE, POSTGRESQL, SQLITE
from tests.server import ROOT


def make_results(subject: str, rate: float) -> dict[str, Measured]:
    subjects = {BARE: [{"rate": 1_000.0}], subject: [{"rate": rate}]}
    return {"ingest": Measured(1, 6, subjects, "2 cores", "2026-01-15")}


def test_each_goal_that_the_kept_results_miss_has_its_reason_in_the_document() -> None:
    results = last_results()
    assert reasons.unexplained(results) == []
    page = FILE.read_text()
    for name in goals.missed(results):
        assert f"- {name}: {reasons.REASONS[name]}" in page


def test_each_reason_is_one_of_a_goal() -> None:
    assert reasons.stale() == []


def test_a_goal_that_is_missed_without_a_reason_ends_with_1() -> None:
    name = f"throughput, {SUCCESS[SQLITE]}, of bare"
    assert name not in reasons.REASONS
    results = make_results(SUCCESS[SQLITE], 599)
    lines, code = reasons.check(results)
    assert code == 1
    assert f"- {name}: no reason is known yet." in "\n".join(lines)
    assert f"- {name}: no reason is known yet." in render(results)


def test_a_goal_that_is_missed_for_a_written_reason_ends_with_0(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = f"throughput, {SUCCESS[POSTGRESQL]}, of bare"
    monkeypatch.setattr(reasons, "REASONS", {name: "It costs more."})
    lines, code = reasons.check(make_results(SUCCESS[POSTGRESQL], 300))
    assert code == 0
    assert f"- {name}: It costs more." in "\n".join(lines)


def test_where_all_goals_are_held_nothing_is_missed() -> None:
    results = make_results(SUCCESS[SQLITE], 700)
    assert reasons.check(results) == (["All goals that were measured are held."], 0)
    assert "Missed:" not in render(results)


@pytest.mark.once
def test_the_last_results_are_judged_without_measuring_anything() -> None:
    command = [sys.executable, "-m", "bench", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == int(bool(reasons.unexplained(last_results())))
    assert done.stdout.count("\n- ") == len(goals.missed(last_results()))


def test_memory_is_judged_by_the_most_of_all_rounds() -> None:
    subjects = {
        live.ALONE.on(SQLITE): [{"web_mb": 80.0}, {"web_mb": 91.0}, {"web_mb": 81.0}],
        live.WATCHED.on(SQLITE): [{"web_mb": 85.0}],
        live.WATCHED.on(POSTGRESQL): [{"web_mb": 90.0}],
    }
    rows = {row[0]: row[1:] for row in goals.rows({"live": Measured(3, 3, subjects, "", "")})}
    name = "the same after minutes of load, with up to 200 live logs, {}, the most, MB"
    assert rows[name.format(SQLITE)] == ("≤ 90", "91", "**no**")
    assert rows[name.format(POSTGRESQL)] == ("≤ 90", "90", "yes")


def test_beside_a_figure_stands_what_the_limit_does_not_count() -> None:
    during = purge_report.during(POSTGRESQL)
    held = {"held_longest_ms": 140.0, "batches": 4_452.0, "batches_over_50_ms": 14.0}
    purged = Measured(1, 6, {during: [held]}, "2 cores", "2026-01-15")
    web = {SUCCESS[SQLITE]: [{"web_mb": 80.0, "master_mb": 47.0}]}
    served = Measured(1, 6, web, "2 cores", "2026-01-15")
    rows = {row[0]: row[1:] for row in goals.rows({purge_report.PART: purged, "ingest": served})}
    name = f"a batch's locks while old rows go, {POSTGRESQL}, the longest, ms"
    assert rows[name] == ("≤ 50", "140 (14 of 4,452 over 50 ms)", "**no**")
    name = f"memory of two web processes, {SQLITE}, MB"
    assert rows[name] == ("≤ 90", "80 (and their master 47, not counted)", "yes")
