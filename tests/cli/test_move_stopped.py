"""`move`, stopped with Ctrl-C: it says what is lost (nothing), and how to go on."""

import signal
from pathlib import Path

import pytest
from flask_migrate import upgrade
from sqlalchemy import create_engine, insert, text

from app.cli import move as cli_move
from app.clock import now
from app.extensions import writing
from app.identifiers import new_id
from app.models import Event
from app.write_lock import note_of_move
from tests.cli.moves import copy, move, moved_tables, opened, start_move, with_tables
from tests.factories import accepted_row, make_team
from tests.server import wait_for

EVENTS = 3_000
GOES_ON = "Stopped. Nothing is lost: the same command goes on where it was.\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with some thousand events."""
    path = tmp_path_factory.mktemp("small") / "small.db"
    with opened(f"sqlite:///{path}", path.parent):
        upgrade()
        team, moment = make_team(), now()
        rows = [
            accepted_row(moment, public_id=new_id(), workspace_id=team.workspace_id)
            for _ in range(EVENTS)
        ]
        with writing() as session:
            session.execute(insert(Event), rows)
    return path


@pytest.fixture
def source(small: Path, tmp_path: Path) -> Path:
    return copy(small, tmp_path)


def stop(*_: object) -> None:
    raise KeyboardInterrupt


BEFORE_THE_END = (
    "move.open_target",
    "move.Source",
    "move.look_through",
    "move.make_ready",
    "move.copy_all",
    "move_target.Target.analyze",
    "move.compare_all",
    "move_target.Target.finish",
)
ON_NO_TABLES = ("move.make_ready", "move.copy_all")
"""Those at which it matters that the move has had to make the tables."""
AT_THE_END = ("note_move", "print_rows")


@pytest.mark.parametrize(
    ("step", "target"),
    [(step, step not in ON_NO_TABLES) for step in BEFORE_THE_END],
    indirect=["target"],
    ids=BEFORE_THE_END,
)
def test_stopped_at_any_step_it_says_that_nothing_is_lost_and_goes_on(
    source: Path, target: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(f"app.cli.{step}", stop)
        stopped = move(source, target, exit_code=1)
    assert stopped.stderr.endswith(GOES_ON) and stopped.stdout == ""
    assert "Aborted" not in stopped.stderr
    assert not note_of_move(source).is_file()
    assert moved_tables(move(source, target, "--json"))["events"]["rows"] == EVENTS


@with_tables
@pytest.mark.parametrize("step", AT_THE_END)
def test_stopped_once_all_is_moved_and_compared_it_tells_what_is_left_to_do(
    source: Path, target: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    steps = [getattr(cli_move, step), stop]
    with monkeypatch.context() as patch:
        patch.setattr(cli_move, step, lambda *given: steps.pop()(*given))
        said = move(source, target, exit_code=1).stderr
    assert "Stopped. The move is complete.\n" in said and "Start the server" in said
    assert note_of_move(source).is_file()


MIDWAY = "SELECT count(*) FROM flowpulse_move.progress WHERE name = 'events' AND after > {}"
MOMENTS = (
    ("workflows", "SELECT 1", False),
    ("flowpulse_move.progress", MIDWAY.format(0), True),
    ("flowpulse_move.progress", MIDWAY.format(2_000), True),
)
"""The table that must be there, what is true then, and whether all tables are there before."""


@pytest.mark.parametrize(("table", "condition", "target"), MOMENTS, indirect=["target"])
def test_a_real_signal_leaves_one_line_and_no_traceback(
    source: Path, target: str, table: str, condition: str
) -> None:
    engine = create_engine(target, isolation_level="AUTOCOMMIT")
    command = start_move(source, target)

    def is_there() -> bool:
        if command.poll() is not None:
            return True
        is_made = peek.scalar(text("SELECT to_regclass(:name)"), {"name": table})
        return bool(is_made and peek.scalar(text(condition)))

    with engine.connect() as peek:
        wait_for(is_there, 90, 0.005)
    command.send_signal(signal.SIGINT)
    said = command.communicate()[1]
    engine.dispose()
    assert said.endswith(GOES_ON) and "Traceback" not in said and "Exception" not in said, said
    assert command.returncode == 1
    assert moved_tables(move(source, target, "--json"))["events"]["rows"] == EVENTS
