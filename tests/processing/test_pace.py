"""The worker takes its time where events come in, and none where they only wait."""

import time
from collections.abc import Mapping
from itertools import pairwise
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
from app.processing.pace import ALONE, PATIENCE_SECONDS, SENDERS_SECONDS, SHARES, Pace
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


@pytest.fixture(autouse=True)
def _a_quick_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else it has to do just now."""
    monkeypatch.setattr(pace, "QUICK_SECONDS", 3_600.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as its only item."""
    at = [1_000.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: at[0])
    monkeypatch.setattr(pace.time, "sleep", lambda seconds: None)
    return at


def let_wait() -> None:
    """A backlog, and nobody who sends."""
    with writing() as session:
        session.execute(update(Event).values(state="accepted", next_attempt_at=now()))


def size_of(sizes: Mapping[str, int]) -> int:
    return sizes[db.engine.dialect.name]


def test_on_sqlite_senders_may_write_for_longer_than_a_batch_took(
    sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SENDERS_SECONDS", 0.0001)
    worker = Worker()
    for _ in range(2):
        sender()
        began = time.monotonic()
        rest = worker.work()
        took = time.monotonic() - began
        assert (0 < rest <= took * SHARES[0].rest) if is_sqlite() else rest == 0
    let_wait()
    assert worker.work() == 0
    worker._sweeper.end()


def test_batches_grow_where_nobody_sends_and_shrink_where_somebody_does(
    sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SENDERS_SECONDS", 0.0001)
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
    beside, alone = size_of(SHARES[0].sizes), size_of(ALONE)
    worker._sweeper.end()
    assert sizes == [beside, beside, alone, alone, beside]


def test_who_falls_behind_takes_a_greater_share_from_one_patience_to_the_next(
    sender: Any, clock: list[float]
) -> None:
    """More comes in all the time than is done beside it: nobody's report may wait for ever, and
    nobody who sends may be pushed aside all at once."""
    behind, full = Pace(), 10_000

    def do_a_round(claimed: int) -> tuple[int, float]:
        sender()
        size = behind.begin()
        clock[0] += 0.01
        return size, behind.rest(min(claimed, size))

    beside = size_of(SHARES[0].sizes)
    rests = [pytest.approx(0.01 * each.rest if is_sqlite() else 0) for each in SHARES]
    assert do_a_round(full) == (beside, rests[0])
    for rest, share in zip(rests, SHARES, strict=True):
        size = size_of(share.sizes)
        assert do_a_round(full) == (size, rest)
        clock[0] += PATIENCE_SECONDS - 1
        assert do_a_round(full) == (size, rest)
        clock[0] += 1
    clock[0] += 10 * PATIENCE_SECONDS
    assert do_a_round(full) == (size, rests[-1])
    assert do_a_round(1) == (size, rests[0])  # Nothing more waits: senders come first again.
    assert do_a_round(1) == (beside, rests[0])


@pytest.mark.once
def test_each_share_is_greater_than_the_one_before_and_smaller_than_that_of_who_is_alone() -> None:
    for one, next_one in pairwise([*SHARES, pace.WITHOUT_SENDERS]):
        assert one.rest > next_one.rest
        assert one.breath >= next_one.breath
        assert all(one.sizes[kind] <= next_one.sizes[kind] for kind in ALONE)


@pytest.mark.once
def test_senders_always_have_time_of_their_own_to_write_to_sqlite() -> None:
    assert all(each.rest > 0 for each in SHARES)


def test_on_a_slow_disk_a_batch_holds_more(
    sender: Any, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten at a time, a tenth of a second each and twice as long a rest, would be 33 a second."""
    monkeypatch.setattr(pace, "QUICK_SECONDS", 0.01)
    behind, sizes = Pace(), list[int]()
    for took in (0.01, 0.02, 0.1, 0.001, 0.001):
        sender()
        sizes.append(behind.begin())
        clock[0] += took
        behind.rest(sizes[-1])
    least = size_of(SHARES[0].sizes)
    most = pace.MOST_BESIDE_SENDERS
    assert sizes == ([least, least, 20, most, least] if is_sqlite() else [least] * 5)


def test_who_sends_now_and_then_is_no_stranger_between_two_batches(
    sender: Any, clock: list[float]
) -> None:
    beside, alone = size_of(SHARES[0].sizes), size_of(ALONE)
    behind = Pace()

    def size_after(seconds: float) -> int:
        clock[0] += seconds
        behind.rest(behind.begin())
        return behind.begin()

    sender()
    assert size_after(0) == beside  # It can't know yet.
    sender()
    assert size_after(0.01) == beside
    assert size_after(SENDERS_SECONDS - 0.01) == beside
    assert size_after(0.02) == alone
    sender()
    assert size_after(5) == beside


def test_the_pauses_of_a_batch_get_shorter_with_each_share(
    sender: Any, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    behind, slept = Pace(10), list[float]()
    monkeypatch.setattr(pace.time, "sleep", slept.append)
    for share in SHARES:
        sender()
        behind.rest(behind.begin())
        slept.clear()
        clock[0] += 0.01
        behind.breathe()
        expected = 0 if is_sqlite() else 0.01 * share.breath
        assert slept == ([pytest.approx(expected)] if expected else [])
        clock[0] += 10


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
    assert slept == [pytest.approx(0.01 * SHARES[0].breath)] * len(slept)
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
