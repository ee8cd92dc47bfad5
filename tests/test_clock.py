"""Machines that share a database go by its clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app import clock

OWN = datetime(2026, 1, 15, 9, 31, tzinfo=UTC)
MOMENT = timedelta(milliseconds=5)


@pytest.fixture(autouse=True)
def _own_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(clock, "_ahead", timedelta())
    yield


def test_a_clock_that_is_wrong_follows_the_one_it_is_told() -> None:
    for ahead in (timedelta(minutes=-2), timedelta(minutes=2)):
        clock.agree(OWN + ahead, OWN, MOMENT)
        assert clock.difference() == ahead
        assert abs(clock.now() - clock.own_now() - ahead) < timedelta(seconds=10)


def test_what_is_within_the_way_of_the_answer_changes_nothing() -> None:
    clock.agree(OWN + timedelta(milliseconds=20), OWN, MOMENT)
    assert not clock.difference()
    clock.agree(OWN + timedelta(seconds=3), OWN, timedelta(seconds=4))
    assert not clock.difference()


def test_a_clock_that_has_been_set_right_is_its_own_again() -> None:
    clock.agree(OWN + timedelta(minutes=2), OWN, MOMENT)
    clock.agree(OWN + timedelta(milliseconds=3), OWN, MOMENT)
    assert not clock.difference()
