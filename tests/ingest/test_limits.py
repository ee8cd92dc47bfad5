"""Rate limits, over one process and over several."""

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import psutil
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.ingest.limits import BURST_FACTOR, SHARED_FROM, SYNC_SECONDS, Limits
from app.ingest.service import ingest_service
from app.ingest.stores import open_store
from app.models import RateBucket, UnstoredCount
from app.problems import ProblemError
from tests.factories import make_team
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

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


def connect_to(server: LiveServer, pid: int) -> HTTPConnection:
    """A connection that this one of the server's processes has taken."""
    process = psutil.Process(pid)

    def find() -> HTTPConnection | None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        port = connection.sock.getsockname()[1]
        ends = [each.raddr.port for each in process.net_connections("tcp4") if each.raddr]
        if port in ends:
            return connection
        connection.close()
        return None

    return wait_for(find, seconds=30)


def send_steadily(
    connection: HTTPConnection, team: LiveTeam, rate: float, seconds: float
) -> Counter[int]:
    """Answers to so many events a second, each sent once the one before is answered."""
    fields = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    headers = {**team.headers, "Content-Type": "application/json"}
    body, answers, began = json.dumps(fields), Counter[int](), time.monotonic()
    for number in range(round(rate * seconds)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        connection.request("POST", "/api/v1/ingest/run-success", body, headers)
        answer = connection.getresponse()
        answer.read()
        answers[answer.status] += 1
        assert answer.status == 202 or int(answer.headers["Retry-After"]) > 0
    return answers


def test_two_web_processes_let_no_more_through_than_one(
    make_server: Callable[..., LiveServer],
) -> None:
    """Each of them is offered more than its own limit: did they not tell each other, both bursts
    would pass. What comes between two tellings may be too much."""
    limit, seconds = 20, 3.0
    burst, offered = limit * BURST_FACTOR, 10.0 * limit
    server = make_server(worker=False, WEB_CONCURRENCY="2", FLOWPULSE_RATE_LIMIT=str(limit))
    team = make_live_team(server)
    wait_for(lambda: len(server.web_pids()) == 2)
    pids = server.web_pids() * 2
    connections = [connect_to(server, pid) for pid in pids]
    began = time.monotonic()
    with ThreadPoolExecutor(len(pids)) as senders:
        share = offered / len(pids)
        sent = [senders.submit(send_steadily, each, team, share, seconds) for each in connections]
    took = time.monotonic() - began
    for each in connections:
        each.close()
    answers = [each.result() for each in sent]
    total = sum(answers, Counter[int]())
    assert all(each[202] > limit for each in answers)
    assert total.keys() == {202, 429}
    assert burst <= total[202] <= limit * took + burst + offered * 2 * SYNC_SECONDS, total


def test_a_quiet_key_writes_nothing(clock: Clock) -> None:
    limits = make_limits(clock)
    count_passed(limits, 4)
    for _ in range(100):
        clock.time += 10
        limits.check_key(1)
        limits.sync()
    assert db.session.get(RateBucket, "key:1") is None


def test_what_is_spread_over_many_processes_is_limited_as_well(clock: Clock) -> None:
    """None of them is offered more than half of the rate: alone each would let all of it pass."""
    rate, seconds, machines = 10, 20, 5
    processes = [make_limits(clock) for _ in range(machines * SETTINGS["WEB_CONCURRENCY"])]
    passed = 0
    for step in range(round(seconds / SYNC_SECONDS)):
        clock.time += SYNC_SECONDS
        for number, each in enumerate(processes):
            offered = (5 * (step + 1) + number) // 4 - (5 * step + number) // 4
            passed += count_passed(each, offered)
        for each in processes:
            each.sync()
    burst = rate * BURST_FACTOR
    at_once = len(processes) * 5 * SYNC_SECONDS + machines * burst * SHARED_FROM + len(processes)
    assert burst < passed <= rate * seconds * (1 + len(processes) / 100) + burst + at_once


def test_all_machines_together_store_as_many_refused_requests_as_one(clock: Clock) -> None:
    rate, seconds, machines = SETTINGS["FLOWPULSE_REJECTED_RATE"], 10, 3
    processes = [make_limits(clock) for _ in range(machines * SETTINGS["WEB_CONCURRENCY"])]
    stored, tries = 0, 25
    for _ in range(round(seconds / SYNC_SECONDS)):
        clock.time += SYNC_SECONDS
        for each in processes:
            stored += sum(each.may_store_rejected() for _ in range(tries))
        for each in processes:
            each.sync()
    burst, at_once = 2 * rate, len(processes) * (tries + 1) + machines * 2 * rate * SHARED_FROM
    forgotten = 1 + len(processes) / 100
    assert rate * seconds * 0.9 < stored <= rate * seconds * forgotten + burst + at_once


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
