"""Machines whose clocks differ go by the database's."""

from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from flask import Flask

from app import clock
from app.extensions import is_sqlite
from app.ingest.limits import Limits
from app.processing import web_beat
from app.processing.shared_clock import read_shared_clock
from app.processing.worker import Worker

WRONG = timedelta(minutes=7)
CLOSE = timedelta(seconds=30)


class WrongClock:
    """As datetime, for app/clock.py: a machine whose clock is ahead."""

    @staticmethod
    def now(zone: tzinfo) -> datetime:
        return datetime.now(zone) + WRONG


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_ahead", timedelta())
    monkeypatch.setattr("app.clock.datetime", WrongClock)


@pytest.mark.parametrize("learn", [read_shared_clock, web_beat.beat, lambda: Worker().beat()])
def test_each_process_learns_the_time_from_postgresql(app: Flask, learn: object) -> None:
    learn()  # type: ignore[operator]
    expected = WRONG if is_sqlite() else timedelta()  # SQLite's clock is the machine's.
    assert abs(clock.now() - datetime.now(UTC) - expected) < CLOSE


def test_rate_limits_go_by_it_too(app: Flask) -> None:
    read_shared_clock()
    limits = Limits.__init__.__defaults__
    assert limits is not None and abs(limits[0]() - clock.now().timestamp()) < 30
