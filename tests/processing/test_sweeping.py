"""What may go goes little by little: batches fit the time that they take, and rests lie between."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from sqlalchemy import ForeignKeyConstraint, func, insert, select, text

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.models import Event, Run
from app.processing import sweeping, worker
from app.processing.sweeping import (
    AIM_SECONDS,
    ENOUGH_ROWS,
    FEWEST_ROWS,
    FIRST_ROWS,
    LOOKED_BACK,
    MOST_ROWS,
    SHARE,
    SLOW_SECONDS,
    RowPace,
    Sweeper,
    prune,
)
from app.processing.worker import Worker
from tests.factories import Team, accepted_row, make_team, run_row


class Clock:
    """Time that goes on by so much for each row that is removed."""

    def __init__(self, seconds_a_row: float) -> None:
        self.at, self.seconds_a_row = 1_000.0, seconds_a_row

    def __call__(self) -> float:
        return self.at

    def removing(self, *given: Any) -> int:
        self.at += len(given[2]) * self.seconds_a_row
        return REMOVE(*given)


REMOVE = sweeping._delete


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def add_events(team: Team, count: int, days: float = 100, state: str = "processed") -> None:
    at = now() - timedelta(days=days)
    rows = [
        accepted_row(
            at + timedelta(milliseconds=number),
            public_id=f"{state[:4]}{number:020d}",
            workspace_id=team.workspace_id,
            state=state,
        )
        for number in range(count)
    ]
    with writing() as session:
        session.execute(insert(Event), rows)


def count(table: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def go_through(sweeper: Sweeper) -> None:
    while sweeper.is_under_way:
        sweeper._rests_until = 0.0
        sweeper.step()


@pytest.mark.parametrize(
    ("seconds_a_row", "size"),
    [(0.0001, AIM_SECONDS / 0.0001), (0.1, FEWEST_ROWS), (0.000_000_1, MOST_ROWS)],
)
def test_the_size_of_a_batch_fits_what_a_row_takes(seconds_a_row: float, size: float) -> None:
    pace = RowPace()
    for _ in range(20):
        pace.note(pace.size, pace.size * seconds_a_row, 0.0)
    assert pace.size == pytest.approx(size, abs=1)


def test_one_slow_batch_is_the_machines_and_several_are_the_rows() -> None:
    pace = RowPace()
    for _ in range(20):
        pace.note(pace.size, pace.size * AIM_SECONDS / 400, 0.0)
    sizes = []
    for _ in range(LOOKED_BACK):
        pace.note(pace.size, pace.size * AIM_SECONDS / 100, 0.0)
        sizes.append(pace.size)
    assert sizes == pytest.approx([400, 400, 400, 400, 100], abs=1)


def test_it_grows_slowly() -> None:
    pace = RowPace()
    pace.note(pace.size, AIM_SECONDS / 100, 0.0)
    assert pace.size == FIRST_ROWS * 1.5


def test_a_slow_commit_halves_the_batch_as_long_as_that_can_help() -> None:
    pace = RowPace()
    pace.size = 4 * ENOUGH_ROWS
    sizes = []
    for _ in range(4):
        pace.note(pace.size, AIM_SECONDS / 100, SLOW_SECONDS + 0.001)
        sizes.append(pace.size)
    assert sizes == [2 * ENOUGH_ROWS, ENOUGH_ROWS, ENOUGH_ROWS, ENOUGH_ROWS]


def test_a_last_batch_of_few_rows_tells_of_no_larger_one() -> None:
    pace = RowPace()
    pace.note(1, AIM_SECONDS / 1_000, 0.0)
    assert pace.size == FIRST_ROWS


def test_batches_get_as_large_as_their_time_allows(team: Team) -> None:
    add_events(team, 400)
    clock = Clock(AIM_SECONDS / 80)
    with patch.object(sweeping, "_delete", clock.removing):
        batches = [batch for batch in Sweeper(clock).sweep() if batch.rows]
    assert [batch.rows for batch in batches] == pytest.approx([100, 80, 80, 80, 60], abs=1)
    assert max(batch.seconds for batch in batches[1:]) == pytest.approx(AIM_SECONDS, rel=0.02)
    assert count(Event) == 0


def test_between_batches_others_have_four_fifths_of_the_time(team: Team) -> None:
    add_events(team, 300)
    clock = Clock(0.001)
    sweeper = Sweeper(clock)
    sweeper.begin()
    with patch.object(sweeping, "_delete", clock.removing):
        rest = sweeper.step()
        assert rest == pytest.approx(0.1 * (1 / SHARE - 1))
        clock.at += rest / 2
        assert sweeper.step() == pytest.approx(rest / 2)
        assert count(Event) == 200
        clock.at += rest / 2
        sweeper.step()
    sweeper.end()
    assert count(Event) == 200 - FEWEST_ROWS


def test_a_sweep_ends_when_nothing_is_left_and_begins_anew(team: Team) -> None:
    sweeper = Sweeper()
    assert sweeper.step() == 0.0
    for state in ("processed", "failed"):
        add_events(team, 2, days=400, state=state)
        sweeper.begin()
        go_through(sweeper)
        assert count(Event) == 0


def test_an_error_ends_the_sweep_and_the_next_one_goes_on(team: Team) -> None:
    add_events(team, 3)
    sweeper = Sweeper()
    sweeper.begin()
    with patch.object(sweeping, "_delete", side_effect=ValueError), pytest.raises(ValueError):
        go_through(sweeper)
    assert not sweeper.is_under_way
    sweeper.begin()
    go_through(sweeper)
    assert count(Event) == 0


def test_of_several_workers_one_removes_at_a_time(team: Team) -> None:
    add_events(team, 3)
    if is_sqlite():
        pytest.skip("SQLite has one writer anyhow")
    with db.engine.connect() as other:
        other.execute(select(func.pg_advisory_xact_lock(sweeping._SWEEP_LOCK)))
        assert prune() == 0
    assert prune() == 3


def test_a_sweep_holds_back_no_cleaning_up_while_it_rests(team: Team) -> None:
    """PostgreSQL cleans up nothing that an open transaction's snapshot might still see."""
    if is_sqlite():
        pytest.skip("a matter of PostgreSQL")
    add_events(team, FIRST_ROWS + 1)
    sweeper = Sweeper()
    sweeper.begin()
    assert sweeper.step() > 0
    assert sweeper.is_under_way
    held = text(
        "SELECT state, backend_xmin FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    )
    found = [tuple(row) for row in db.session.execute(held)]
    sweeper.end()
    assert found == [("idle in transaction", None)]


def test_removing_leaves_the_log_of_sqlite_to_be_copied_after_the_lock(team: Team) -> None:
    if not is_sqlite():
        pytest.skip("a matter of SQLite")
    add_events(team, 3)
    seen: list[Any] = []

    def note(session: Any, *given: Any) -> int:
        pragma = text("PRAGMA wal_autocheckpoint")
        seen.append(session.execute(pragma).scalar())
        return REMOVE(session, *given)

    with patch.object(sweeping, "_delete", note):
        prune()
    with writing() as session:
        seen.append(session.execute(text("PRAGMA wal_autocheckpoint")).scalar())
    assert seen == [0, 1_000]


@pytest.fixture
def steps() -> Iterator[list[Sweeper]]:
    taken: list[Sweeper] = []

    def note(sweeper: Sweeper) -> float:
        taken.append(sweeper)
        return 0.03

    with patch.object(worker, "sweep_on", note):
        yield taken


def test_a_worker_with_nothing_to_do_goes_on_after_the_rest(
    team: Team, steps: list[Sweeper]
) -> None:
    assert Worker().work() == 0.03
    assert len(steps) == 1


def test_events_come_first_and_a_busy_worker_still_removes_now_and_then(
    app: Flask, steps: list[Sweeper], time: Any
) -> None:
    busy = Worker()
    with patch.object(worker, "process_batch", side_effect=lambda most, _: most) as batch:
        batch.__name__ = "process_batch"
        for _ in range(10):
            busy.work()
            time.forward(seconds=0.2)
    assert len(steps) == 2


def test_runs_go_with_what_points_to_them(team: Team) -> None:
    """The event that is kept longer than its run forgets it."""
    old = now() - timedelta(days=500)
    add_events(team, 1, days=1)
    with writing() as session:
        session.execute(insert(Run), [run_row(team, old, public_id="r" * 24, updated_at=old)])
        run_id = session.scalar(select(Run.id))
        session.query(Event).update({"run_id": run_id})
    assert prune() == 1
    db.session.rollback()
    assert db.session.scalars(select(Event.run_id)).all() == [None]


@pytest.mark.parametrize("table", ["events", "runs", "alerts", "messages", "deliveries"])
def test_what_points_to_a_row_that_goes_is_found_along_an_index(table: str) -> None:
    """Else each row that goes would have the database read a whole other table."""
    for other in db.metadata.tables.values():
        for key in other.foreign_keys:
            if key.column.table.name == table:
                indexes = [*other.indexes, *other.constraints]
                assert any(led_by(each, key.parent) for each in indexes), key


def led_by(index: Any, column: Any) -> bool:
    """A foreign key is a constraint, and no index."""
    columns = list(index.columns)
    return bool(columns) and columns[0] is column and not isinstance(index, ForeignKeyConstraint)
