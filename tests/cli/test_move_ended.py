"""`move`, ended at any moment or called where it must not be: nothing is lost, doubled or hurt."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask_migrate import upgrade
from sqlalchemy import Connection, create_engine, func, insert, make_url, select, text

from app.cli import move_source, move_target
from app.cli.move_source import Source
from app.cli.move_target import Target
from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.invocation import shell_command
from app.models import Event
from app.processing.partitions import drop_partitions
from app.processing.worker import OUTAGE_SECONDS, Worker
from app.write_lock import note_of_move
from tests.apps import make_app
from tests.cli.moves import (
    change,
    copy,
    move,
    moved_tables,
    opened,
    read_all,
    read_moved,
    start_move,
    with_tables,
)
from tests.factories import Team, accepted_row, make_team, report
from tests.server import LiveServer, wait_for
from tests.teams import make_live_team

EVENTS = 3_000


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Team]:
    """A SQLite database with some thousand events."""
    path = tmp_path_factory.mktemp("small") / "small.db"
    with opened(f"sqlite:///{path}", path.parent):
        upgrade()
        team = make_team()
        add_events(team, EVENTS)
    return path, team


@pytest.fixture
def source(small: tuple[Path, Team], tmp_path: Path) -> Path:
    return copy(small[0], tmp_path)


@pytest.fixture
def peek(target: str) -> Iterator[Connection]:
    """A look into the target while it is filled."""
    engine = create_engine(target, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def add_events(team: Team, count: int) -> None:
    moment = now()
    rows = [
        accepted_row(moment, public_id=new_id(), workspace_id=team.workspace_id)
        for _ in range(count)
    ]
    with writing() as session:
        session.execute(insert(Event), rows)


PROGRESS = "SELECT count(*) FROM flowpulse_move.progress"
EVENTS_OVER = f"{PROGRESS} WHERE name = 'events' AND after"
MOMENTS = (
    ("workflows", "SELECT 1"),
    ("flowpulse_move.progress", PROGRESS),
    ("flowpulse_move.progress", f"{EVENTS_OVER} > 0"),
    ("flowpulse_move.progress", f"{EVENTS_OVER} > 2000"),
    ("flowpulse_move.progress", f"{PROGRESS} WHERE name = 'events' AND is_complete"),
)
"""The table that must be there, and what is true then: at each of them the command is killed."""


def kill_at(source: Path, target: str, peek: Connection, table: str, condition: str) -> bool:
    """Whether the command was still at work then."""

    def is_there() -> bool:
        if command.poll() is not None:
            return True
        is_made = peek.scalar(text("SELECT to_regclass(:name)"), {"name": table})
        return bool(is_made and peek.scalar(text(condition)))

    command = start_move(source, target)
    try:
        wait_for(is_there, 90, 0.005)
    finally:
        was_running = command.poll() is None
        command.kill()
        command.communicate()
    return was_running


def test_killed_at_any_moment_it_goes_on_where_it_was(
    source: Path, target: str, tmp_path: Path, peek: Connection
) -> None:
    before = read_all(f"sqlite:///{source}", tmp_path)
    killed = [kill_at(source, target, peek, *moment) for moment in MOMENTS]
    assert all(killed[:4])
    result = move(source, target)
    assert "Going on with what began" in result.stderr or not killed[-1]
    assert read_moved(target, tmp_path) == before
    assert not peek.scalar(text("SELECT to_regclass('flowpulse_move.progress')"))


@with_tables
def test_called_again_once_all_is_over_it_says_so_and_copies_nothing(
    source: Path, target: str, tmp_path: Path, small: tuple[Path, Team]
) -> None:
    move(source, target)
    note_of_move(source).unlink()  # As if it had been killed right before.
    with opened(target, tmp_path) as app:
        assert report(app.test_client(), small[1]).status_code == 202
    again = move(source, target)
    assert "Everything was taken over" in again.stderr and "Start the server" in again.stdout
    assert note_of_move(source).is_file()
    with opened(target, tmp_path):
        assert db.session.scalar(select(func.count()).select_from(Event)) == EVENTS + 1


@with_tables
def test_where_the_source_has_changed_meanwhile_all_is_copied_anew(
    source: Path, target: str, tmp_path: Path, peek: Connection
) -> None:
    assert kill_at(source, target, peek, *MOMENTS[3])
    change(
        source,
        "UPDATE workspaces SET name = 'maeT'",  # As long as before.
        "DELETE FROM events WHERE id = 5",
    )
    assert "has changed since" in move(source, target).stderr
    assert read_moved(target, tmp_path) == read_all(f"sqlite:///{source}", tmp_path)


@with_tables
def test_a_server_that_starts_on_a_half_filled_database_takes_nothing(
    source: Path, target: str, tmp_path: Path, peek: Connection, small: tuple[Path, Team]
) -> None:
    assert kill_at(source, target, peek, *MOMENTS[3])
    with opened(target, tmp_path) as app:
        assert report(app.test_client(), small[1]).status_code == 503
        for name in ("prepare", "doctor"):
            result = app.test_cli_runner().invoke(args=[name])
            assert result.exit_code == 1 and "is not complete" in result.output
    move(source, target)
    with opened(target, tmp_path) as app:
        assert report(app.test_client(), small[1]).status_code == 202
        assert app.test_cli_runner().invoke(args=["prepare"]).exit_code == 0


@with_tables
def test_no_server_writes_to_the_old_file_by_mistake(
    source: Path, target: str, small: tuple[Path, Team]
) -> None:
    move(source, target)
    with opened(f"sqlite:///{source}", source.parent) as app:
        prepared = app.test_cli_runner().invoke(args=["prepare"])
        assert prepared.exit_code == 1 and "was moved to postgresql://" in prepared.output
        assert "was moved to" in app.test_cli_runner().invoke(args=["doctor"]).output
        answer = report(app.test_client(), small[1])
        assert answer.status_code == 503 and answer.headers["Retry-After"]
        assert Worker().work() == OUTAGE_SECONDS
        made = app.test_cli_runner().invoke(args=["key", "create", "new"])
        assert made.exit_code == 1 and "it was moved to postgresql" in made.stderr
        note_of_move(source).unlink()
        assert app.test_cli_runner().invoke(args=["prepare"]).exit_code == 0
        assert report(app.test_client(), small[1]).status_code == 202


@with_tables
def test_no_password_is_told_or_left_behind(source: Path, target: str) -> None:
    url = f"{target.replace('//flowpulse@', '//flowpulse:s3cret@')}?password=s3cret"
    result = move(source, url)
    assert "s3cret" not in result.output
    assert "?password=****** in .env" in result.stdout and "in place of ******" in result.stdout
    note = note_of_move(source)
    assert "s3cret" not in note.read_text()
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    with opened(f"sqlite:///{source}", source.parent) as app:
        for command in (("prepare",), ("doctor",), ("key", "create", "new")):
            said = app.test_cli_runner().invoke(args=command).output
            assert "moved to postgresql://flowpulse:******@" in said and "s3cret" not in said


def test_while_a_server_runs_it_refuses_and_what_that_took_is_moved_later(
    target: str, tmp_path: Path, peek: Connection
) -> None:
    source = tmp_path / "served.db"
    with LiveServer(tmp_path, f"sqlite:///{source}", worker=False) as server:
        team = make_live_team(server)
        body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
        sent = server.post("/api/v1/ingest/run-success", json=body, headers=team.headers).json()
        refused = server.cli("move", "--to", target)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "is open in another program. Stop FlowPulse" in refused.stderr
        assert peek.scalar(text("SELECT to_regclass('users')")) is None
    moved = server.cli("move", "--to", target, "--json")
    assert moved.returncode == 0, moved.stderr
    with opened(target, tmp_path):
        ids = db.session.scalars(select(Event.public_id)).all()
        assert ids == [sent["event_id"]]


@with_tables
def test_nobody_else_can_open_the_database_meanwhile(
    source: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_source, "WAIT_MS", 100)  # Nobody is just about to let go of it.
    with Source(source), closing(sqlite3.connect(source, timeout=0)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("SELECT 1 FROM events")
        assert "open in another program" in move(source, target, exit_code=1).stderr


def test_of_two_moves_to_one_database_the_second_says_so_soon(
    source: Path, target: str, peek: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert move_target.LOCK_WAIT_MS <= 5_000
    monkeypatch.setattr(move_target, "LOCK_WAIT_MS", 20)
    with closing(Target(make_url(target))):
        said = move(source, target, exit_code=1).stderr
        assert "Another move to the target is under way" in said
        assert "lock timeout" not in said
    assert peek.scalar(text("SELECT to_regclass('users')")) is None
    assert moved_tables(move(source, target, "--json"))["events"]["rows"] == EVENTS


@pytest.mark.parametrize("way", ["rows", "other tables", "another server's", "its own, older"])
def test_a_database_that_is_not_for_this_move_is_left_as_it_is(
    source: Path, target: str, tmp_path: Path, peek: Connection, way: str
) -> None:
    reason = WAYS[way](source, target, tmp_path, peek)
    before = count_rows(peek)
    said = move(source, target, exit_code=1).stderr
    assert reason in said and "It was left as it is. Make an empty database" in said
    assert count_rows(peek) == before
    assert not note_of_move(source).is_file() or way == "its own, older"


def count_rows(peek: Connection) -> dict[str, int]:
    names = peek.scalars(text("SELECT relid::regclass::text FROM pg_stat_user_tables")).all()
    return {name: peek.scalar(text(f"SELECT count(*) FROM {name}")) for name in names}


def use_it(source: Path, target: str, tmp_path: Path, peek: Connection) -> str:
    with opened(target, tmp_path):
        upgrade()
        make_team()
    return "is not empty, it has api_keys, audit_entries, instance"


def use_it_otherwise(source: Path, target: str, tmp_path: Path, peek: Connection) -> str:
    peek.execute(text("CREATE TABLE orders (id int)"))
    return "is not empty, it has orders"


def move_another(source: Path, target: str, tmp_path: Path, peek: Connection) -> str:
    (tmp_path / "other").mkdir()
    other = copy(source, tmp_path / "other")
    change(other, "UPDATE workspaces SET public_id = 'another'")
    assert kill_at(other, target, peek, *MOMENTS[1])
    return "belongs to a move from another server"


def move_before(source: Path, target: str, tmp_path: Path, peek: Connection) -> str:
    move(source, target)
    change(source, "DELETE FROM events WHERE id = 1")
    return "which has changed since"


WAYS = {
    "rows": use_it,
    "other tables": use_it_otherwise,
    "another server's": move_another,
    "its own, older": move_before,
}


def test_a_migrated_database_without_rows_is_as_good_as_an_empty_one(
    source: Path, target: str, tmp_path: Path
) -> None:
    with opened(target, tmp_path):
        upgrade()
    assert moved_tables(move(source, target, "--json"))["events"]["rows"] == EVENTS


@with_tables
def test_dates_are_read_whatever_way_of_writing_them_the_target_has(
    source: Path, target: str, peek: Connection
) -> None:
    peek.execute(text(f"ALTER DATABASE {make_url(target).database} SET datestyle = 'SQL, DMY'"))
    assert moved_tables(move(source, target, "--json"))["events"]["rows"] == EVENTS
    assert "Everything was taken over" in move(source, target).stderr


@pytest.fixture
def _in_june(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.move_steps.now", lambda: JUNE)


JUNE = datetime(2026, 6, 1, tzinfo=UTC)
MONTHS = ("2026-01-31 23:59:59.999999", "2026-02-01 00:00:00", "2026-03-31 12:00:00")


@pytest.mark.usefixtures("_in_june")
def test_each_month_has_its_table_also_where_an_older_version_began(
    source: Path, target: str, tmp_path: Path, peek: Connection
) -> None:
    statement = "UPDATE events SET received_at = '{}' WHERE id % 4 = {}"
    change(source, *(statement.format(at, number) for number, at in enumerate(MONTHS)))
    change(
        source,
        "UPDATE events SET received_at = '9999-12-31 00:00:00' WHERE id = 3",
        "UPDATE events SET received_at = '0001-01-01 00:00:00' WHERE id = 7",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Target, "make_months", lambda *_: None)
        patch.setattr(Target, "analyze", end_here)
        move(source, target, exit_code=1)
    assert peek.scalar(text("SELECT count(*) FROM events_other")) == EVENTS * 3 / 4 + 2
    moved = move(source, target, "--json")
    assert moved_tables(moved)["events"]["rows"] == EVENTS
    assert moved_tables(moved)["events"]["differences"] == []
    for month in ("2026_01", "2026_02", "2026_03"):
        assert peek.scalar(text(f"SELECT count(*) FROM events_{month}")) == EVENTS / 4
    assert peek.scalar(text("SELECT count(*) FROM events_other")) == 2


def end_here(target: Target) -> None:
    raise OSError(5, "Input/output error", "x")


@pytest.mark.usefixtures("_in_june")
def test_events_of_former_months_arrive_in_tables_that_can_be_dropped(
    source: Path, target: str, tmp_path: Path, peek: Connection
) -> None:
    statement = "UPDATE events SET received_at = '{}' WHERE id % 4 = {}"
    change(source, *(statement.format(at, number) for number, at in enumerate(MONTHS)))
    change(source, "UPDATE events SET state = 'processed'")
    move(source, target)
    with opened(target, tmp_path):
        dropped = drop_partitions(JUNE)
        assert dropped == ["events_2026_01", "events_2026_02"]
        assert db.session.scalar(select(func.count()).select_from(Event)) == EVENTS / 2


def test_a_source_that_is_behind_or_broken_is_told_before_anything_is_made(
    source: Path, target: str, peek: Connection
) -> None:
    change(
        source,
        "UPDATE events SET received_at = 'yesterday' WHERE id = 1",
        "UPDATE events SET received_at = '2026-02-30 10:00:00' WHERE id = 2",
        "UPDATE events SET workflow_id = 99 WHERE id = 3",
        "UPDATE users SET created_at = 1767225600",
    )
    said = move(source, target, exit_code=1).stderr
    assert "events.received_at: FlowPulse itself can't read row 1: b'yesterday'; row 2" in said
    assert "events: 1 rows point to workflows that are not there (row 3)" in said
    assert "users.created_at" in said
    change(source, "UPDATE alembic_version SET version_num = '0011'")
    assert f"Run first: {shell_command('prepare')}" in move(source, target, exit_code=1).stderr
    assert peek.scalar(text("SELECT to_regclass('users')")) is None


def test_what_is_no_postgresql_is_a_wrong_call(source: Path) -> None:
    for url in ("sqlite:///x.db", "mysql://x", "x", ""):
        assert "Invalid value for '--to'" in move(source, url, exit_code=2).stderr
    said = move(source, "postgresql://nobody:secret@127.0.0.1:1/x", exit_code=1).stderr
    assert "The target can't be used" in said and "secret" not in said


def test_from_postgresql_there_is_no_move(target: str, tmp_path: Path) -> None:
    app = make_app(target, tmp_path)
    result = app.test_cli_runner().invoke(args=["move", "--to", target])
    assert result.exit_code == 1 and "is not SQLite" in result.stderr
