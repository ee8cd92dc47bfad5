"""Rate limits, over one process and over several."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.ingest.limits import SYNC_SECONDS, Limits
from app.ingest.service import ingest_service
from app.ingest.stores import open_store
from app.models import RateBucket, UnstoredCount
from app.problems import ProblemError
from tests.factories import make_team

SETTINGS = {
    "FLOWPULSE_RATE_LIMIT": 10,
    "FLOWPULSE_FAILED_KEY_LIMIT": 30,
    "FLOWPULSE_REJECTED_RATE": 200,
    "WEB_CONCURRENCY": 2,
}


class Clock:
    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


def make_limits(clock: Clock, **settings: Any) -> Limits:
    return Limits(open_store(db.engine.url), {**SETTINGS, **settings}, clock)


def count_passed(limits: Limits, tries: int) -> int:
    passed = 0
    for _ in range(tries):
        try:
            limits.check_key(1)
            passed += 1
        except ProblemError:
            pass
    return passed


@pytest.fixture
def clock(app: Flask) -> Clock:
    return Clock()


def test_a_burst_of_ten_seconds_worth_passes_and_the_next_waits(clock: Clock) -> None:
    limits = make_limits(clock)
    assert count_passed(limits, 150) == 100
    with pytest.raises(ProblemError) as refused:
        limits.check_key(1)
    assert refused.value.code == "rate_limited"
    assert refused.value.headers["Retry-After"] == "1"


def test_what_leaks_out_may_be_sent_again(clock: Clock) -> None:
    limits = make_limits(clock)
    count_passed(limits, 100)
    clock.time += 2.0
    assert count_passed(limits, 50) == 20


def test_another_key_is_not_held_up(clock: Clock) -> None:
    limits = make_limits(clock)
    count_passed(limits, 150)
    limits.check_key(2)


def test_a_limit_of_0_is_none(clock: Clock) -> None:
    limits = make_limits(clock, FLOWPULSE_RATE_LIMIT=0)
    assert count_passed(limits, 5_000) == 5_000


def test_two_processes_share_one_bucket(clock: Clock) -> None:
    one, other = make_limits(clock), make_limits(clock)
    assert count_passed(one, 60) == 60
    one.sync()
    assert count_passed(other, 30) == 30
    other.sync()
    assert count_passed(one, 5) == 5
    one.sync()
    other.sync()
    assert count_passed(other, 50) <= 10
    bucket = db.session.get(RateBucket, "key:1")
    assert bucket is not None and bucket.level == pytest.approx(95, abs=0.1)


def test_a_quiet_key_writes_nothing(clock: Clock) -> None:
    limits = make_limits(clock)
    count_passed(limits, 10)
    limits.sync()
    assert db.session.get(RateBucket, "key:1") is None


def test_the_31st_bad_key_from_an_address_gets_429(clock: Clock) -> None:
    limits = make_limits(clock)
    for _ in range(30):
        limits.check_failed_key("192.0.2.1")
    with pytest.raises(ProblemError, match="rate_limited"):
        limits.check_failed_key("192.0.2.1")
    limits.check_failed_key("192.0.2.2")


def test_requests_without_any_key_are_no_bad_keys(client: FlaskClient, app: Flask) -> None:
    make_team()
    answers = [client.post("/api/v1/ingest/run-success", json={}) for _ in range(40)]
    assert {each.status_code for each in answers} == {401}


def test_what_is_not_stored_is_counted_exactly(app: Flask) -> None:
    team = make_team()
    limits = ingest_service().limits
    for _ in range(1_234):
        limits.count_unstored(team.workspace_id, "rate_limited")
    limits.count_unstored(None, "missing_api_key")
    limits.sync()
    counted = {(row.workspace_id, row.code): row.count for row in db.session.query(UnstoredCount)}
    assert counted == {(team.workspace_id, "rate_limited"): 1_234, (None, "missing_api_key"): 1}


def test_each_process_stores_its_share_of_a_seconds_refused_requests(clock: Clock) -> None:
    ours = make_limits(clock)
    assert [ours.may_store_rejected() for _ in range(101)] == [True] * 100 + [False]
    clock.time += 1
    assert ours.may_store_rejected()
    alone = make_limits(clock, WEB_CONCURRENCY=1, FLOWPULSE_REJECTED_RATE=1)
    assert [alone.may_store_rejected() for _ in range(2)] == [True, False]
    assert not make_limits(clock, FLOWPULSE_REJECTED_RATE=0).may_store_rejected()


def test_machines_together_store_no_more_refused_requests_than_one(clock: Clock) -> None:
    """But for the first moment, in which none knows of the others yet."""
    machines = [make_limits(clock, WEB_CONCURRENCY=1) for _ in range(4)]
    stored = 0
    for _ in range(80):  # Quarters of a second, in each of which 4 x 100 are refused.
        stored += sum(each.may_store_rejected() for each in machines for _ in range(100))
        for each in machines:
            each.sync()
        clock.time += SYNC_SECONDS
    rate = SETTINGS["FLOWPULSE_REJECTED_RATE"]
    assert 20 * rate <= stored <= 20 * rate + (len(machines) + 2) * rate
