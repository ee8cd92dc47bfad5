"""What the benchmark of removing tells: pairs of calm and removing, and months dropped whole."""

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import Event
from app.processing import partitions, worker
from app.processing.partition_changes import change_tables
from app.processing.sweeping import Sweeper
from bench import noting, purge, purge_months
from bench.measured import Measured, last
from bench.noting import BEGUN, Note, Noting
from bench.purge_report import PART, REPORT, calm, describe, during
from bench.senders import Answer, sum_up
from bench.servers import Database
from bench.subjects import POSTGRESQL, SQLITE, FlowPulse, flowpulse
from tests.flows import make_flow
from tests.postgres import PostgresCluster


@pytest.fixture
def flow(
    database_url: str, database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> FlowPulse:
    return make_flow(database_url, database_kind, request, tmp_path)


@pytest.mark.once
def test_events_are_removed_in_turn_with_calm_until_all_that_are_past_are_gone(
    flow: FlowPulse,
) -> None:
    pairs = list(purge.measure(flow, Namespace(count=400, calm=0.5, slice=4.0, rate=40)))
    last = pairs[-1][1]
    assert last["gone"] == last["past"] > 300
    for before, going in pairs:
        assert before["errors"] == going["errors"] == 0
        assert before["requests"] > 10
    assert sum(going["rows"] for _, going in pairs) >= last["past"]
    assert max(going.get("held_longest_ms", 0) for _, going in pairs) > 0
    with flow.app():
        left = db.session.scalars(select(Event.received_at)).all()
    assert len(left) > 40, "what is not past its time stays, and what was sent meanwhile"


@pytest.mark.once
def test_months_are_dropped_one_after_the_other(postgres: PostgresCluster, tmp_path: Path) -> None:
    url = postgres.create_database("bench_months")
    flow = flowpulse(Database(POSTGRESQL, url, tmp_path, postgres))
    options = Namespace(count=300, months=2, calm=1.0, rate=40)
    found = list(purge_months.measure_in(flow, options))[-1]
    assert {name: len(each) for name, each in found.subjects.items()} == {
        purge_months.CALM: 2,
        purge_months.DURING: 2,
        purge_months.DROPPED: 2,
    }
    for month in found.subjects[purge_months.DROPPED]:
        assert 250 < month["events"] < 350
        assert month["tries"] >= 1
        assert 0 < month["held_longest_ms"] <= month["seconds"] * 1_000
    with flow.app():
        since = min(db.session.scalars(select(Event.received_at)).all())
    ours = purge_months.list_months(datetime.now(UTC), 2)
    assert since >= ours[-1], "of the months only what could not be processed is left"


def test_the_months_that_are_dropped_end_a_month_ago_at_least() -> None:
    months = purge_months.list_months(datetime(2026, 3, 31, 23, tzinfo=UTC), 3)
    assert [(each.year, each.month) for each in months] == [(2025, 11), (2025, 12), (2026, 1)]


# --- what is noted --------------------------------------------------------------------------------


def test_a_worker_that_rests_removes_nothing(tmp_path: Path) -> None:
    noting_of = Noting(tmp_path / "notes", tmp_path / "pause")
    noting_of.rest()
    assert noting_of.pause.exists()
    assert noting_of.go() > 0
    assert not noting_of.pause.exists()


def test_a_line_that_is_still_being_written_is_left(tmp_path: Path) -> None:
    noting_of = Noting(tmp_path / "notes", tmp_path / "pause")
    assert noting_of.read() == []
    noting_of.notes.write_text('["events", 1.0, 2.0, 5, 9.0]\n["events", 3.0, 4.0')
    assert noting_of.read() == [Note("events", 1.0, 2.0, 5, 9.0)]
    assert noting_of.read(since=1.5) == []


def test_what_the_worker_does_is_what_is_noted() -> None:
    """The names by which its parts are replaced are there."""
    assert partitions.change_tables is change_tables
    assert worker.tend_partitions is partitions.tend_partitions
    assert {purge_months.DETACHED, purge_months.REMOVED} <= vars(partitions).keys()
    assert {"_remove", "step"} <= vars(Sweeper).keys()
    assert set(noting.MODES) == {noting.BATCHES, noting.MONTHS}


def test_a_month_is_dropped_once_its_table_is_removed() -> None:
    tried = Note(purge_months.DETACHED, 1.0, 1.2, 0, 200.0)
    detached = Note(purge_months.DETACHED, 2.0, 2.1, 1, 100.0)
    removed = Note(purge_months.REMOVED, 2.1, 2.5, 1, 400.0)
    looks = [Note(noting.TENDED, 0.9, 1.3), Note(noting.TENDED, 1.9, 2.6)]
    assert purge_months._read_dropped([tried, looks[0]]) == []
    assert purge_months._read_dropped([tried, looks[0], detached, removed]) == []
    notes = purge_months._read_dropped([tried, looks[0], detached, removed, looks[1]])
    assert purge_months.sum_up_changes(notes) == {
        "seconds": pytest.approx(1.6),
        "tries": 2,
        "held_longest_ms": 200.0,
        "file_ms": 400.0,
    }


# --- what is told ---------------------------------------------------------------------------------


def make_answers(p99: float) -> list[Answer]:
    return [Answer(number, p99 if number > 96 else 1.0, number > 0) for number in range(100)]


def make_pair(calm_ms: float, going_ms: float, held_ms: float) -> purge.Pair:
    notes = [
        Note(BEGUN, 0.0, 0.0),
        Note("events", 1.0, 2.0, 100, 10.0),
        Note("events", 2.0, 3.0, 50, held_ms),
    ]
    told = purge.sum_up_notes(notes, 3.0) | {"past": 150.0, "gone": 150.0}
    return sum_up(make_answers(calm_ms)), sum_up(make_answers(going_ms)) | told


def test_the_report_judges_each_span_by_the_calm_before_it() -> None:
    pairs = [make_pair(10, 15, 20), make_pair(40, 40, 60), make_pair(10, 30, 20)]
    subjects = {
        calm(SQLITE): [one for one, _ in pairs],
        during(SQLITE): [other for _, other in pairs],
    }
    page = describe(Measured(3, 10, subjects, "2 cores", "2026-01-15"), None)
    row = "1.0 | 30.0 | 15.0 – 40.0 | 1.50 | 1.00 – 3.00 | 40 | 300 | 3"
    assert f"| SQLite, while events go | {row} |" in page
    lock = "150 | 150 | 450 | 9 | 50 | 6 | 15.0 | 19.9 | 60.0 | 1"
    assert f"| SQLite, while events go | {lock} |" in page
    assert "Month by month" not in page


def test_the_document_shows_the_last_results() -> None:
    rows = last(PART)
    assert rows
    assert REPORT.read_text() == describe(rows, last(purge_months.PART))


def test_a_last_span_that_is_short_is_no_pair() -> None:
    whole, short = make_pair(10, 15, 20), make_pair(10, 90, 20)
    short = purge.without_times(short[0]), purge.without_times(short[1])
    subjects = {calm(SQLITE): [whole[0], short[0]], during(SQLITE): [whole[1], short[1]]}
    measured = Measured(2, 10, subjects, "", "")
    assert measured.ratio(during(SQLITE), calm(SQLITE), "p99_ms") == 1.5
    assert measured.all(during(SQLITE), "rows") == [150, 150]
