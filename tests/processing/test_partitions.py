"""On PostgreSQL a month of events is a table: it is made ahead, and goes as a whole."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, text, update
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.identifiers import new_id
from app.models import Event, Workspace
from app.processing import partition_changes, partition_making, partitions
from app.processing.batch import process_batch
from app.processing.partition_list import list_missing, list_partitions
from app.processing.partition_making import make_partitions
from app.processing.partitions import drop_partitions, tend_partitions
from app.processing.sweeping import prune
from app.processing.worker import TIDY_EVERY
from tests.factories import Team, make_team, report

MARCH = datetime(2031, 3, 10, 12, tzinfo=UTC)
"""A day to come; the events of the tests' own present never lie in its month."""
LONG_AFTER = MARCH + timedelta(days=115)


@pytest.fixture
def team(app: Flask) -> Team:
    if is_sqlite():
        pytest.skip("SQLite has one table of events")
    return make_team()


@pytest.fixture
def march(team: Team) -> Team:
    """A team at a time when there are tables of March and April 2031, and no older ones."""
    make_partitions(MARCH)
    drop_partitions(MARCH)
    return team


def store(team: Team, at: datetime, state: str = "processed", **values: Any) -> str:
    """The public id of an event that came then."""
    public_id = new_id()
    given = {"workspace_id": team.workspace_id, "method": "POST", "path": "/", "headers": []}
    given |= {"body": b"{}", "status": 202, "took_ms": 1.0, "next_attempt_at": at}
    with writing() as session:
        session.add(Event(public_id=public_id, received_at=at, state=state, **(given | values)))
    return public_id


def names() -> list[str]:
    found = [each.name for each in list_partitions(db.session())]
    db.session.rollback()
    return found


def place_of(public_id: str) -> str | None:
    """The table that the event lies in."""
    column = text("CAST(CAST(tableoid AS regclass) AS text)")
    found: str | None = db.session.scalar(select(column).where(Event.public_id == public_id))
    db.session.rollback()
    return found


def test_this_month_and_the_next_have_tables_from_the_first_start_on(team: Team) -> None:
    assert len(names()) == 2
    assert list_missing(db.session(), now()) == []


def test_the_months_to_come_are_made_ahead_and_only_once(team: Team) -> None:
    before = names()
    for _ in range(2):
        make_partitions(MARCH)
        assert names() == [*before, "events_2031_03", "events_2031_04"]
    make_partitions(datetime(2031, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert names()[-2:] == ["events_2031_12", "events_2032_01"]


def test_an_event_lies_in_the_table_of_its_month(march: Team) -> None:
    first, last = MARCH.replace(day=1, hour=0), datetime(2031, 3, 31, 23, 59, 59, 999_999, UTC)
    assert place_of(store(march, first)) == place_of(store(march, last)) == "events_2031_03"
    assert place_of(store(march, last + timedelta(microseconds=1))) == "events_2031_04"


def test_without_a_table_for_its_month_an_event_is_kept_all_the_same(march: Team) -> None:
    later = MARCH + timedelta(days=100)
    assert place_of(store(march, later)) == place_of(store(march, LAST_CENTURY)) == "events_other"


LAST_CENTURY = datetime(1999, 12, 31, tzinfo=UTC)


def test_events_that_were_there_first_move_into_the_table_of_their_month(team: Team) -> None:
    mine = [store(team, MARCH + timedelta(days=days)) for days in (-9, 0, 21)]
    other = [store(team, MARCH + timedelta(days=days)) for days in (-10, 100)]
    make_partitions(MARCH)
    assert {place_of(each) for each in mine} == {"events_2031_03"}
    assert {place_of(each) for each in other} == {"events_other"}
    assert count() == 5


def count() -> int:
    number = db.session.scalar(select(func.count()).select_from(Event)) or 0
    db.session.rollback()
    return number


def test_workers_that_make_tables_at_once_make_each_once(team: Team, app: Flask) -> None:
    for each in range(20):
        store(team, MARCH + timedelta(days=each))

    def make(number: int) -> None:
        with app.app_context():
            make_partitions(MARCH)
            db.session.remove()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(8)))
    assert names()[-2:] == ["events_2031_03", "events_2031_04"]
    assert count() == 20


@pytest.fixture
def told(team: Team, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What PostgreSQL says of the changes; the rest counts as too large to be read meanwhile."""
    monkeypatch.setattr(partition_making, "QUICKLY_READ_BYTES", 0)
    said: list[str] = []

    def listen(connection: Any, *_: Any) -> None:
        connection.execute("SET client_min_messages = debug1")
        connection.commit()
        connection.add_notice_handler(lambda each: said.append(str(each.message_primary)))

    db.engine.dispose()
    event.listen(db.engine, "connect", listen)
    return said


IS_IMPLIED = 'updated partition constraint for default partition "events_other" is implied'
APRIL = datetime(2031, 4, 1, tzinfo=UTC)


def look_up(statement: str) -> list[str]:
    found = list(db.session.scalars(text(statement)))
    db.session.rollback()
    return found


def guards() -> list[str]:
    """Of all tables of events."""
    return look_up("SELECT conname FROM pg_constraint WHERE conname LIKE 'other%'")


def test_to_make_a_table_ahead_the_rest_is_not_read_while_others_wait(
    team: Team, told: list[str]
) -> None:
    store(team, LAST_CENTURY)
    make_partitions(MARCH)
    assert len([each for each in told if each.startswith(IS_IMPLIED)]) == 1
    assert names()[-2:] == ["events_2031_03", "events_2031_04"]
    assert place_of(store(team, APRIL)) == "events_2031_04"
    assert guards() == []


def test_of_a_month_that_has_begun_no_event_is_ever_refused(
    team: Team, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = []
    guard = partition_making._guard
    monkeypatch.setattr(
        partition_making, "_guard", lambda *_, start: guarded.append(start) or guard(*_, start)
    )
    early = store(team, MARCH)
    make_partitions(MARCH)
    assert guarded == [APRIL] and place_of(early) == "events_2031_03"


def test_an_event_that_lies_ahead_is_moved_as_ever(team: Team, told: list[str]) -> None:
    early = store(team, APRIL)
    make_partitions(MARCH)
    assert place_of(early) == "events_2031_04" and guards() == []


def test_an_event_that_comes_before_the_guard_takes_it_away(
    team: Team, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    early = store(team, APRIL)
    with monkeypatch.context() as blind:
        blind.setattr(partition_making, "_HAS", text("SELECT :start > :end"))
        make_partitions(MARCH)
    assert (names()[-1], guards()) == ("events_2031_03", [])
    make_partitions(MARCH)
    assert place_of(early) == "events_2031_04"


@pytest.mark.parametrize("days", [0, 21])
def test_what_a_worker_left_that_ended_half_way_the_next_one_takes_up(
    team: Team, told: list[str], monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    with monkeypatch.context() as ending:
        ending.setattr(partition_making, "_prove", lambda _: False)
        make_partitions(MARCH)
    assert (names()[-1], guards()) == ("events_2031_03", ["other_than_2031_04"])
    make_partitions(MARCH + timedelta(days=days))
    assert guards() == []
    assert place_of(store(team, APRIL)) == "events_2031_04"
    assert place_of(store(team, APRIL + timedelta(days=31))) in {"events_other", "events_2031_05"}


def test_ids_come_from_one_sequence_in_all_tables(march: Team) -> None:
    moments = (MARCH, LAST_CENTURY, MARCH + timedelta(days=30), now())
    stored = [store(march, each) for each in moments]
    newest_first = select(Event.public_id).order_by(Event.id.desc())
    assert list(db.session.scalars(newest_first)) == stored[::-1]


def test_a_month_that_is_past_goes_as_a_whole(march: Team) -> None:
    store(march, MARCH)
    april = store(march, MARCH + timedelta(days=30))
    assert drop_partitions(MARCH + timedelta(days=111)) == []
    assert drop_partitions(MARCH + timedelta(days=112)) == ["events_2031_03"]
    assert names()[-1] == "events_2031_04"
    assert (count(), place_of(april)) == (1, "events_2031_04")


def test_what_is_kept_for_longer_outlives_its_month(march: Team) -> None:
    patient = make_team("Patient", first=False)
    set_days(patient, event_days=400, rejected_days=500)
    store(march, MARCH)
    store(march, MARCH, "rejected")
    kept = [
        store(march, MARCH, "failed"),
        store(march, MARCH, "accepted"),
        store(patient, MARCH),
        store(patient, MARCH, "rejected"),
    ]
    before = ids_of(kept)
    assert drop_partitions(LONG_AFTER) == ["events_2031_03"]
    assert count() == 4
    assert {place_of(each) for each in kept} == {"events_other"}
    assert ids_of(kept) == before


def ids_of(public_ids: list[str]) -> list[int]:
    found = select(Event.id).where(Event.public_id.in_(public_ids)).order_by(Event.id)
    return list(db.session.scalars(found))


def set_days(team: Team, **days: int | None) -> None:
    with writing() as session:
        of_team = update(Workspace).where(Workspace.id == team.workspace_id)
        session.execute(of_team.values(**days))


def test_a_month_with_much_that_must_stay_is_left_to_the_batches(
    march: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MOST_MOVED", 2)
    for _ in range(3):
        store(march, MARCH, "failed")
    assert drop_partitions(LONG_AFTER) == []
    assert "events_2031_03" in names()
    assert count() == 3


@pytest.mark.parametrize(
    ("large", "own_days", "left"), [(1, None, 2), (3, None, 0), (1, 80, 0), (1, 100, 2)]
)
def test_of_a_large_month_the_batches_leave_what_is_going_to_be_dropped(
    march: Team, monkeypatch: pytest.MonkeyPatch, large: int, own_days: int | None, left: int
) -> None:
    monkeypatch.setattr(partitions, "LARGE", large)
    monkeypatch.setattr("app.processing.retention.now", lambda: MARCH + timedelta(days=95))
    for _ in range(2):
        store(march, MARCH)
    set_days(march, event_days=own_days)
    with writing() as session:
        session.execute(text("ANALYZE events"))
    prune()
    assert count() == left


def test_a_large_month_that_can_not_be_dropped_is_left_to_the_batches_after_all(
    march: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LARGE", 1)
    monkeypatch.setattr(partitions, "MOST_MOVED", 0)
    monkeypatch.setattr("app.processing.retention.now", lambda: LONG_AFTER)
    store(march, MARCH)
    store(march, MARCH, "failed")
    with writing() as session:
        session.execute(text("ANALYZE events"))
    assert drop_partitions(LONG_AFTER) == []
    prune()
    assert count() == 1


def test_such_a_month_is_looked_at_again_some_hours_later(
    march: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MOST_MOVED", 0)
    failed = store(march, MARCH, "failed")
    assert drop_partitions(LONG_AFTER) == []
    with writing() as session:
        session.execute(update(Event).where(Event.public_id == failed).values(state="processed"))
    assert drop_partitions(LONG_AFTER + timedelta(hours=1)) == []
    assert drop_partitions(LONG_AFTER + timedelta(hours=7)) == ["events_2031_03"]


def test_while_a_query_runs_on_nothing_is_dropped_and_nobody_waits_for_long(
    march: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_changes, "LOCK_WAIT_MS", 20)
    store(march, MARCH)
    with db.engine.connect() as reader:
        reader.execute(select(Event.id))
        assert drop_partitions(LONG_AFTER) == []
    assert count() == 1
    assert drop_partitions(LONG_AFTER + TIDY_EVERY) == ["events_2031_03"]


def test_while_a_large_month_can_not_be_locked_the_batches_leave_it(
    march: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_changes, "LOCK_WAIT_MS", 20)
    monkeypatch.setattr(partitions, "LARGE", 1)
    monkeypatch.setattr("app.processing.retention.now", lambda: LONG_AFTER)
    store(march, MARCH)
    with writing() as session:
        session.execute(text("ANALYZE events"))
    with db.engine.connect() as reader:
        reader.execute(select(Event.id))
        assert drop_partitions(LONG_AFTER) == []
    prune()
    assert count() == 1


def test_what_came_to_stay_at_the_last_moment_leaves_the_month_as_it_was(
    march: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MOST_MOVED", 0)
    monkeypatch.setattr(partitions, "_has_many", lambda *_: False)
    store(march, MARCH, "failed")
    assert drop_partitions(LONG_AFTER) == []
    assert names()[0] != "events_2031_04" and count() == 1
    monkeypatch.setattr(partitions, "MOST_MOVED", 1)
    assert drop_partitions(LONG_AFTER + timedelta(hours=5)) == []
    assert drop_partitions(LONG_AFTER + timedelta(hours=6)) == ["events_2031_03"]


def test_while_the_table_of_a_month_is_removed_nobody_waits(
    march: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, read = partitions._remove, []

    def remove_and_look(session: Session, name: str) -> None:
        remove(session, name)
        with db.engine.connect() as other:
            other.execute(text("SET LOCAL lock_timeout = 1000"))
            read.append(other.scalar(select(func.count()).select_from(Event)))
            other.execute(update(Workspace).values(event_days=400))
            other.execute(update(Event).values(path="/other"))

    monkeypatch.setattr(partitions, "_remove", remove_and_look)
    store(march, MARCH)
    store(march, MARCH, "failed")
    assert drop_partitions(LONG_AFTER) == ["events_2031_03"]
    assert read == [1] and tables_taken_out() == []


def tables_taken_out() -> list[str]:
    return look_up("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE '%gone'")


def test_a_table_that_was_taken_out_and_left_is_removed_at_the_next_round(
    march: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(march, MARCH)
    kept = store(march, MARCH, "failed")
    with monkeypatch.context() as ending:
        ending.setattr(partitions, "_list_taken_out", list)
        assert drop_partitions(LONG_AFTER) == ["events_2031_03"]
    assert tables_taken_out() == ["events_2031_03_gone"]
    with writing() as session:  # Of which an own copy would not be removed.
        session.execute(text("CREATE TABLE events_2031_02 AS SELECT * FROM events_2031_03_gone"))
    assert (count(), place_of(kept)) == (1, "events_other")
    assert drop_partitions(LONG_AFTER) == []
    assert tables_taken_out() == []
    assert db.session.scalar(text("SELECT count(*) FROM events_2031_02")) == 2


def test_an_event_is_processed_in_whichever_table_it_lies(client: FlaskClient, march: Team) -> None:
    report(client, march)
    with writing() as session:
        session.execute(update(Event).values(received_at=LAST_CENTURY))
    assert process_batch(10) == 1
    found = db.session.scalars(select(Event)).one()
    assert (found.state, found.run_id is not None) == ("processed", True)


def test_the_worker_tends_them(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "now", lambda: MARCH)
    store(team, now())
    tend_partitions()
    assert names() == ["events_2031_03", "events_2031_04"]
    assert count() == 0


def test_sqlite_has_none_to_tend(app: Flask) -> None:
    if is_sqlite():
        tend_partitions()
