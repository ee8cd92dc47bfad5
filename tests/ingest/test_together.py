"""Batches that share a commit: what is told to be kept is, and nothing else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask

from app.extensions import db
from app.ingest import turns
from app.ingest.store import AwayError, Cursor, Store
from app.ingest.stores import open_store
from app.ingest.together import BatchRecorder, Entry, _Batch
from app.ingest.turns import Waiting
from app.models import Event
from app.problems import ProblemError
from tests.factories import Team, make_team
from tests.ingest.test_recorder import make_event


class FlawedStore:
    """A store that is away for its first tries to write, and may be held up in one."""

    def __init__(self, store: Store, away_for: int = 0) -> None:
        self._store, self._away_for = store, away_for
        self.is_waiting, self.may_go_on = threading.Event(), threading.Event()
        self.may_go_on.set()
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def writing(self) -> Iterator[Cursor]:
        self.tries += 1
        if self.tries <= self._away_for:
            raise AwayError("the way there is cut")
        self.is_waiting.set()
        assert self.may_go_on.wait(10)
        with self._store.writing() as cursor:
            yield cursor


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def make_entries(team: Team) -> list[Entry]:
    return [Entry(make_event(team), None) for _ in range(3)]


def ids(*batches: list[Entry]) -> set[str]:
    return {entry.event.public_id for batch in batches for entry in batch}


def stored() -> set[str]:
    db.session.rollback()
    return {public_id for (public_id,) in db.session.query(Event.public_id)}


def record_with(recorder: BatchRecorder, other: list[Entry], mine: list[Entry]) -> Any:
    """What became of both, where they share a commit."""
    batch = _Batch(other)
    recorder._waiting.append(batch)
    try:
        recorder.record(mine)
        return batch.error, None
    except ProblemError as problem:
        return batch.error, problem.code


def test_an_outage_that_ends_between_the_tries_leaves_nothing_of_what_is_told_503(
    team: Team,
) -> None:
    store = FlawedStore(open_store(db.engine.url), away_for=2)  # For both, then for the first.
    recorder = BatchRecorder(store)  # type: ignore[arg-type]
    error, code = record_with(recorder, make_entries(team), make_entries(team))
    assert isinstance(error, AwayError) and code == "unavailable"
    assert stored() == set()
    assert store.tries == 2
    again = make_entries(team)
    recorder.record(again)
    assert stored() == ids(again)


def test_an_outage_of_one_try_costs_no_batch(team: Team) -> None:
    recorder = BatchRecorder(FlawedStore(open_store(db.engine.url), away_for=1))  # type: ignore[arg-type]
    other, mine = make_entries(team), make_entries(team)
    assert record_with(recorder, other, mine) == (None, None)
    assert stored() == ids(other, mine)


@pytest.mark.parametrize("away_for", [0, 1])
def test_a_batch_that_was_given_up_is_not_written_afterwards(team: Team, away_for: int) -> None:
    """Neither with the others, nor where each is tried alone."""
    store = FlawedStore(open_store(db.engine.url), away_for)
    store.may_go_on.clear()
    recorder = BatchRecorder(store)  # type: ignore[arg-type]
    other, mine = make_entries(team), make_entries(team)
    batch = _Batch(other)
    recorder._waiting.append(batch)
    writer = threading.Thread(target=recorder.record, args=(mine,))
    writer.start()
    assert store.is_waiting.wait(10)
    assert not batch.wait_on()
    store.may_go_on.set()
    writer.join()
    assert stored() == ids(mine)


def test_a_batch_whose_turn_does_not_come_leaves_the_queue(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.01)
    recorder = BatchRecorder(open_store(db.engine.url))
    with recorder._turn, pytest.raises(ProblemError, match="unavailable"):
        recorder.record(make_entries(team))
    assert not recorder._waiting
    mine = make_entries(team)
    recorder.record(mine)
    assert stored() == ids(mine)


def test_what_another_has_written_is_known_although_it_goes_on_writing(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = BatchRecorder(open_store(db.engine.url))

    class OthersTurn:
        def acquire(self, timeout: float) -> bool:
            recorder._commit_next()
            return False

    monkeypatch.setattr(recorder, "_turn", OthersTurn())
    mine = make_entries(team)
    assert recorder.record(mine) == {}
    assert stored() == ids(mine)


def test_no_try_follows_one_that_took_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WRITE_SECONDS", 0.02)
    monkeypatch.setattr(turns, "LOOK_SECONDS", 0.01)
    waiting = Waiting()
    assert waiting.take() and waiting.take()
    assert not waiting.wait_on()
    assert not waiting.take()
