"""What the page of drills makes of the figures that they recorded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.databases import MEMORY, Databases, PostgresDatabases
from tests.drills import marks, record, reliability, running
from tests.drills.fault_rows import FAULTS
from tests.drills.record import Figure
from tests.postgres import PostgresCluster
from tests.storage import IN_MEMORY, ON_DISK, kind_of

Row = Callable[..., str]
FOUND: dict[str, Figure] = {
    "accepted": 9_000,
    "kills": 20,
    "lost": 0,
    "doubled": 0,
    "altered": 0,
    "between": 50,
    "accepting_s": 0.4,
    "processing_s": 1.2,
}


@pytest.fixture
def draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Row:
    """The page's row of the drill that kills web processes."""
    monkeypatch.setattr(record, "FOLDER", tmp_path)

    def draw() -> str:
        page = reliability.render()
        return next(line for line in page.splitlines() if FAULTS["kill_web"].fault in line)

    return draw


@pytest.fixture
def row(draw: Row) -> Row:
    """The same, once the drill has recorded this."""

    def draw_found(**figures: Figure) -> str:
        record.record("kill_web", "sqlite", **FOUND | figures)
        return draw()

    return draw_found


@pytest.mark.parametrize(
    "figure",
    [
        {"lost": 1},
        {"doubled": 1},
        {"altered": 1},
        {"accepting_s": 5.1},
        {"between": 49},
        {"kills": 19},
    ],
)
def test_a_missed_mark_is_drawn_as_missed(row: Row, figure: dict[str, Figure]) -> None:
    assert "**missed**" not in row()
    assert "; **missed** (" in row(**figure)


def test_the_rate_is_drawn_where_it_is_known_and_the_load_of_the_machine(row: Row) -> None:
    assert "/s" not in row()
    assert ", load " in row()
    assert "between two faults; 54/s (" in row(rate=54.3)


def test_a_row_says_where_its_database_was(row: Row, draw: Row) -> None:
    assert ", machine A, in memory, " in row(storage=IN_MEMORY)
    assert ", machine A, on disk, synced, " in row(storage=ON_DISK)
    found = record.read("kill_web")["sqlite"]
    del found["storage"]  # As before it was recorded.
    (record.FOLDER / "kill_web.json").write_text(json.dumps({"sqlite": found}))
    assert ", machine A, in memory, " in draw()


def test_each_result_names_its_machine(row: Row) -> None:
    row()
    other = record.read("kill_web")["sqlite"] | {"machine": "64 processors, Python 3.13"}
    (record.FOLDER / "poison.json").write_text(json.dumps({"sqlite": other}))
    assert ", machine A, " in row() or ", machine B, " in row()
    page = reliability.render()
    assert "**Machine A**: " in page and "**Machine B**: 64 processors, Python 3.13" in page


def test_a_drill_that_has_begun_did_not_finish_until_it_records(row: Row, draw: Row) -> None:
    row()
    record.begin("kill_web", "sqlite")
    assert "9,000" not in draw()
    assert "| **did not finish** (" in draw()
    assert "did not finish" not in row()


def test_a_drill_that_cannot_be_run_here_keeps_its_older_figures_and_says_so(
    row: Row, draw: Row
) -> None:
    record.skip("kill_web", "sqlite", record.begin("kill_web", "sqlite"))
    assert "| not run here (" in draw()
    row()
    record.skip("kill_web", "sqlite", record.begin("kill_web", "sqlite"))
    assert "9,000 answered" in draw() and ", could not be run again on 20" in draw()
    assert "could not" not in row()


TEST = """
import pytest

@pytest.mark.drill("kill_web")
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_it(database_kind):
    {ending}
"""


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ("raise OSError", "| **did not finish** ("),
        ("pytest.skip('no root')", "could not be run again on"),
        ("pass", "| **did not finish** ("),
    ],
)
def test_a_drill_that_breaks_is_skipped_or_records_nothing_is_seen_on_the_page(
    row: Row, draw: Row, tmp_path: Path, ending: str, told: str
) -> None:
    """By the plugin that the tests' conftest registers, in tests of its own."""
    row()
    file = tmp_path / f"{tmp_path.name}.py"  # No two modules may have one name.
    file.write_text(TEST.format(ending=ending))
    options = ["-c", "/dev/null", "--rootdir", str(tmp_path), "-p", "no:playwright"]
    pytest.main([*options, "-W", "ignore::pytest.PytestUnknownMarkWarning", str(file)], [running])
    assert told in draw()


def test_reports_are_judged_while_the_worker_is_away_and_told_of_while_it_catches_up() -> None:
    """The issue wants them unchanged when it is down; its own work is no fault."""
    found = {
        **{"accepted": 9_000, "rate": 99.0, "events": 10_000, "drained_s": 80.0, "is_told": "yes"},
        **dict.fromkeys(("others", "unprocessed", "silences"), 0),
        **{"messages": 3, "p99_before_ms": 50.0, "p99_down_ms": 100.0, "p99_drain_ms": 900.0},
    }
    assert reliability.is_held("worker_down", found)
    assert not reliability.is_held("worker_down", {**found, "p99_down_ms": 100.1})
    told = "; ".join(reliability._tell_found("worker_down", found))
    assert "for information: p99 900 ms while" in told


@pytest.mark.parametrize("name", reliability.DRILLS)
def test_a_figure_that_is_missing_misses_the_mark(name: str) -> None:
    assert not reliability.is_held(name, {})


TESTS_OWN = {"poison", "second_start", "full_disk", "locked_4", "locked_14", "locked_60"}
"""Once is enough of them, or they last as long as their tests say."""


def test_each_drill_has_an_amount_that_its_mark_asks_for() -> None:
    assert marks.AMOUNTS.keys() == reliability.DRILLS.keys() - TESTS_OWN


@pytest.mark.parametrize(
    ("name", "figure"),
    [(name, figure) for name, least in marks.AMOUNTS.items() for figure in least],
)
def test_less_than_its_amount_misses_the_mark_of_a_drill(
    monkeypatch: pytest.MonkeyPatch, name: str, figure: str
) -> None:
    """Whatever else was found."""
    held_otherwise = reliability.DRILLS[name]._replace(held=None)
    monkeypatch.setitem(reliability.DRILLS, name, held_otherwise)
    enough = marks.AMOUNTS[name]
    assert reliability.is_held(name, {**enough})
    assert not reliability.is_held(name, {**enough, figure: enough[figure] - 1})


@pytest.mark.parametrize("name", [file.stem for file in record.FOLDER.iterdir()])
def test_each_mark_can_be_missed(name: str) -> None:
    """By figures that are far too large, and by words that say something else."""
    for found in record.read(name).values():
        bad = {key: "no" if isinstance(each, str) else 1e12 for key, each in found.items()}
        assert not reliability.is_held(name, bad)


@pytest.mark.drill
def test_what_drills_write_waits_for_a_disk(
    databases: Databases, postgres: PostgresCluster
) -> None:
    """Or, where the machine keeps its temporary files in memory, the page says so."""
    if isinstance(databases, PostgresDatabases):
        with postgres.connect() as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)
            (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
    else:
        folder = databases.create_empty().removeprefix("sqlite:///")
    assert kind_of(Path(str(folder)).parent) == kind_of()


def test_a_folder_in_memory_is_told_from_one_on_a_disk(tmp_path: Path) -> None:
    if not MEMORY.is_dir():
        pytest.skip("no folder in memory here")
    assert kind_of(MEMORY) == kind_of(MEMORY / "below") == IN_MEMORY
    assert kind_of(Path(__file__)) == ON_DISK
