"""The worker takes its time where events come in, and none where they only wait."""

import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.models import Event
from app.processing import pace
from app.processing.batch import process_batch
from app.processing.pace import ALONE, BESIDE_SENDERS, BREATH, PATIENCE_SECONDS, REST, Pace
from app.processing.worker import Worker
from tests.factories import Team, make_team, report


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def sender(client: FlaskClient, team: Team) -> Any:
    def send() -> None:
        assert report(client, team).status_code == 202

    return send


def let_wait() -> None:
    """A backlog, and nobody who sends."""
    with writing() as session:
        session.execute(update(Event).values(state="accepted", next_attempt_at=now()))


def size_of(sizes: dict[str, int]) -> int:
    return sizes[db.engine.dialect.name]


def test_on_sqlite_senders_may_write_for_longer_than_a_batch_took(sender: Any) -> None:
    worker = Worker()
    for _ in range(2):
        sender()
        began = time.monotonic()
        rest = worker.work()
        took = time.monotonic() - began
        assert (0 < rest <= took * REST) if is_sqlite() else rest == 0
    let_wait()
    assert worker.work() == 0


def test_batches_grow_where_nobody_sends_and_shrink_where_somebody_does(sender: Any) -> None:
    sizes: list[int] = []

    def note(limit: int, *more: Any) -> int:
        sizes.append(limit)
        return process_batch(limit, *more)

    worker = Worker()
    with patch("app.processing.worker.process_batch", note):
        sender()
        worker.work()
        let_wait()
        worker.work()
        let_wait()
        worker.work()
        sender()
        worker.work()
        sender()
        worker.work()
    beside, alone = size_of(BESIDE_SENDERS), size_of(ALONE)
    assert sizes == [beside, beside, alone, alone, beside]


def test_who_falls_behind_for_minutes_takes_a_full_share_until_nothing_waits(
    sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More comes in all the time than is done beside it: nobody's report may wait for ever."""
    clock = [1_000.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(pace.time, "sleep", lambda seconds: None)
    behind = Pace()
    beside, alone = size_of(BESIDE_SENDERS), size_of(ALONE)

    def do_a_round(claimed: int) -> tuple[int, float]:
        sender()
        size = behind.begin()
        clock[0] += 0.01
        return size, behind.rest(min(claimed, size))

    rest = pytest.approx(0.01 * REST if is_sqlite() else 0)
    assert do_a_round(beside) == (beside, rest)
    clock[0] += PATIENCE_SECONDS - 1
    assert do_a_round(beside) == (beside, rest)
    clock[0] += 1
    assert do_a_round(alone) == (alone, 0)
    assert do_a_round(1) == (alone, rest)  # Nothing more waits: senders come first again.
    assert do_a_round(1) == (beside, rest)


def test_on_postgresql_a_batch_breathes_between_its_statements(
    sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    beside, moments = Pace(), iter(range(1_000))
    clock = SimpleNamespace(sleep=slept.append, monotonic=lambda: next(moments) / 100)
    monkeypatch.setattr(pace, "time", clock)  # Its own: others look at the time meanwhile.
    sender()
    beside.begin()
    assert process_batch(10, beside.breathe) == 1
    if is_sqlite():
        assert slept == []  # Nobody writes while it does: it has to be quick.
        return
    assert len(slept) > 5
    assert slept == [pytest.approx(0.01 * BREATH)] * len(slept)
    assert db.session.scalar(select(func.count()).where(Event.state == "processed")) == 1


def test_nobody_waits_for_breath_where_nobody_sends(
    sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(pace.time, "sleep", slept.append)
    alone = Pace()
    sender()
    for _ in range(2):
        alone.rest(alone.begin())
    assert process_batch(10, alone.breathe) == 1
    assert slept == []
