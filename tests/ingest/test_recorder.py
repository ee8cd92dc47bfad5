"""Group commit: durable, together, and never one for another."""

import sqlite3
import threading
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.clock import now
from app.extensions import db
from app.identifiers import new_id
from app.ingest.recorder import Recorder
from app.ingest.records import IdempotentClaim, NewEvent
from app.ingest.store import Store
from app.ingest.stores import open_store
from app.models import Event
from app.problems import ProblemError
from tests.factories import Team, make_team


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def make_event(team: Team, **changes: Any) -> NewEvent:
    moment = now()
    event = NewEvent(
        public_id=new_id(),
        workspace_id=team.workspace_id,
        api_key_id=team.api_key_id,
        workflow_id=team.workflow_id,
        received_at=moment,
        state="accepted",
        kind="run-success",
        platform=None,
        origin=None,
        sent_by=None,
        attempt_of_id=None,
        method="POST",
        path="/api/v1/ingest/run-success",
        headers="[]",
        body=b"{}",
        body_size=2,
        remote_addr="127.0.0.1",
        user_agent=None,
        status=202,
        code=None,
        detail=None,
        errors=None,
        warnings=None,
        took_ms=0.1,
        reference=None,
        execution_id=None,
        correlation_id=None,
        fingerprint=None,
        payload="{}",
        next_attempt_at=moment,
    )
    return event._replace(**changes)


def in_parallel(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_at_once_are_all_stored_once(team: Team) -> None:
    recorder = Recorder(open_store(db.engine.url))
    events = [make_event(team) for _ in range(200)]
    in_parallel(20, lambda n: [recorder.record(event) for event in events[n::20]])
    stored = {event_id for (event_id,) in db.session.query(Event.public_id)}
    assert stored == {event.public_id for event in events}


def test_ids_follow_the_commits_so_that_a_cursor_loses_nothing(team: Team) -> None:
    """A reader that asks for `id > cursor` while eight writers commit sees every row once."""
    recorders = [Recorder(open_store(db.engine.url)) for _ in range(8)]
    reader, seen, cursor = open_store(db.engine.url), [], 0
    finished = threading.Event()

    def write(number: int) -> None:
        for _ in range(60):
            recorders[number].record(make_event(team))

    def read() -> None:
        nonlocal cursor
        while True:
            last = finished.is_set()
            for row in reader.fetch_all("SELECT id FROM events WHERE id > ? ORDER BY id", cursor):
                seen.append(row[0])
                cursor = row[0]
            if last:
                return

    following = threading.Thread(target=read)
    following.start()
    in_parallel(8, write)
    finished.set()
    following.join()
    assert len(seen) == len(set(seen)) == 480


def test_an_event_that_cannot_be_written_takes_no_other_with_it(team: Team) -> None:
    recorder = Recorder(open_store(db.engine.url))
    good, bad = make_event(team), make_event(team, workflow_id=987_654)
    outcomes: dict[str, BaseException | None] = {}

    def record(number: int) -> None:
        event = (good, bad)[number]
        try:
            recorder.record(event)
            outcomes[event.public_id] = None
        except ProblemError as error:
            outcomes[event.public_id] = error

    in_parallel(2, record)
    assert outcomes[good.public_id] is None
    error = outcomes[bad.public_id]
    assert isinstance(error, ProblemError) and error.code == "unavailable"


def test_a_hundred_twins_with_one_idempotency_key_are_one_event(team: Team) -> None:
    recorders = [Recorder(open_store(db.engine.url)) for _ in range(4)]
    answers: list[Any] = []

    def send(number: int) -> None:
        event = make_event(team)
        answer = f'{{"event_id": "{event.public_id}"}}'
        claim = IdempotentClaim(team.workspace_id, "twin", "same", answer, now())
        first = recorders[number % 4].record(event, claim)
        answers.append(first["event_id"] if first else event.public_id)

    in_parallel(100, send)
    (stored,) = [event_id for (event_id,) in db.session.query(Event.public_id)]
    assert answers == [stored] * 100


def test_the_same_key_with_another_request_is_refused_and_nothing_stored(team: Team) -> None:
    recorder = Recorder(open_store(db.engine.url))
    first = IdempotentClaim(team.workspace_id, "k", "one", "{}", now())
    recorder.record(make_event(team), first)
    with pytest.raises(ProblemError, match="idempotency_key_reused"):
        recorder.record(make_event(team), first._replace(request_hash="two"))
    assert db.session.query(Event).count() == 1


class FailingStore:
    """A store whose disk is full, until it is not."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = True
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        if self.is_full and name in ("writing", "append_events"):
            self.tries += 1
            raise OSError("No space left on device")
        return getattr(self._store, name)


def test_a_full_disk_is_503_and_writes_resume_without_a_restart(team: Team) -> None:
    store = FailingStore(open_store(db.engine.url))
    recorder = Recorder(store)  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match="unavailable"):
        recorder.record(make_event(team))
    store.is_full = False
    recorder.record(make_event(team))
    assert db.session.query(Event).count() == 1


def test_refused_requests_are_written_in_the_order_in_which_they_came(team: Team) -> None:
    recorder = Recorder(open_store(db.engine.url))
    moments = [now() - timedelta(seconds=seconds) for seconds in (2, 5, 3)]
    with recorder._starting:  # Nothing is written in between.
        recorder._thread = threading.current_thread()
    for moment in moments:
        recorder.record_later(make_event(team, received_at=moment))
    recorder.flush()
    written = [event.received_at for event in db.session.query(Event).order_by(Event.id)]
    assert written == sorted(moments)


def test_while_the_database_is_out_no_event_waits_for_the_others(team: Team) -> None:
    store = FailingStore(open_store(db.engine.url))
    lost: list[NewEvent] = []
    recorder = Recorder(store, lost.append)  # type: ignore[arg-type]
    for _ in range(20):
        recorder.record_later(make_event(team))
    recorder.close()
    assert len(lost) == 20
    assert store.tries == 2  # All of them together, then the first alone.


def lock_up(seconds: float) -> threading.Thread:
    """Another program that writes to the database for so long."""
    locked = threading.Event()
    url = db.engine.url

    def hold() -> None:
        if url.get_backend_name() == "sqlite":
            connection: Any = sqlite3.connect(str(url.database), isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
        else:
            plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
            connection = psycopg.connect(plain)
            connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        locked.set()
        time.sleep(seconds)
        connection.execute("ROLLBACK")
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(5)
    return holder


def test_a_lock_of_two_seconds_only_takes_time(team: Team) -> None:
    holder = lock_up(2)
    Recorder(open_store(db.engine.url)).record(make_event(team))
    holder.join()
    assert db.session.query(Event).count() == 1


def test_what_was_answered_with_503_is_not_written_afterwards(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's statements end by a limit of their own")
    monkeypatch.setattr("app.ingest.turns.WAIT_SECONDS", 1.0)
    recorder = Recorder(open_store(db.engine.url))
    holder = lock_up(2.5)
    refused: list[str] = []

    def record(number: int) -> None:
        try:
            recorder.record(make_event(team))
        except ProblemError as problem:
            refused.append(problem.code)

    in_parallel(5, record)
    assert refused == ["unavailable"] * 5
    holder.join()
    recorder.record(make_event(team))
    recorder.close()
    assert db.session.query(Event).count() == 1


def test_a_lock_that_lasts_is_told_in_time(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's statements end by a limit of their own")
    monkeypatch.setattr("app.ingest.sqlite_store.BUSY_SECONDS", 0.3)
    holder = lock_up(2)
    recorder = Recorder(open_store(db.engine.url))
    with pytest.raises(ProblemError, match="unavailable"):
        recorder.record(make_event(team))
    holder.join()
    recorder.close()
    assert db.session.query(Event).count() == 0
