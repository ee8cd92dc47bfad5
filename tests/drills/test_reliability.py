"""What the page of drills makes of the figures that they recorded."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drills import record, reliability
from tests.drills.fault_rows import FAULTS
from tests.drills.record import Figure

Row = Callable[..., str]


@pytest.fixture
def row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Row:
    """The page's row of the drill that kills web processes, once it has recorded this."""
    monkeypatch.setattr(record, "FOLDER", tmp_path)

    def draw(**figures: Figure) -> str:
        found = {"accepted": 9, "lost": 0, "doubled": 0, "accepting_s": 0.4, "processing_s": 1.2}
        record.record("kill_web", "sqlite", **found | figures)
        page = reliability.render()
        return next(line for line in page.splitlines() if FAULTS["kill_web"].fault in line)

    return draw


@pytest.mark.parametrize("figure", [{"lost": 1}, {"doubled": 1}, {"accepting_s": 5.1}])
def test_a_missed_mark_is_drawn_as_missed(row: Row, figure: dict[str, Figure]) -> None:
    assert "**missed**" not in row()
    assert "; **missed** (" in row(**figure)


def test_the_rate_is_drawn_where_it_is_known_and_the_load_of_the_machine(row: Row) -> None:
    assert "/s" not in row()
    assert ", load " in row()
    assert "processing after 1.2 s; 54/s (" in row(rate=54.3)


@pytest.mark.parametrize("name", [file.stem for file in record.FOLDER.iterdir()])
def test_each_mark_can_be_missed(name: str) -> None:
    """By figures that are far too large, and by words that say something else."""
    held = reliability.DRILLS[name].held
    for found in record.read(name).values():
        bad = {key: "no" if isinstance(each, str) else 1e12 for key, each in found.items()}
        assert held is not None and not held(bad)
