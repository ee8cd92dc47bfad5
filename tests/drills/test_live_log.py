"""Eight writers, and tails on two machines: each event is told or counted once, in order."""

import multiprocessing
import random
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import pytest
from flask import Flask
from sqlalchemy import make_url, select

from app.console.flood import BURST, ROWS_A_SECOND
from app.console.notices import Gap, Told
from app.console.tail import Tail, drain
from app.extensions import db
from app.ingest.recorder import Recorder
from app.ingest.stores import open_store
from app.models import Event
from tests.drills.marks import AMOUNTS
from tests.drills.record import record
from tests.drills.reliability import is_held
from tests.factories import Team, make_team
from tests.ingest.test_recorder import make_event
from tests.server import wait_for

WRITERS = 8
MOST_AT_ONCE = 60
"""Events in one commit; up to 32 are one statement, and more a transaction of several."""


def write(url: str, team: Team, count: int, seed: int) -> None:
    """As a web process does: some requests gather, and go with the next one that waits."""
    recorder = Recorder(open_store(make_url(url)))
    chance, events = random.Random(seed), (make_event(team) for _ in range(count))
    while batch := list(islice(events, chance.randint(1, MOST_AT_ONCE))):
        for event in batch[1:]:
            assert recorder.record_later(event)
        recorder.record(batch[0])
    recorder.close()


class Follower:
    """An open page on a machine of its own."""

    def __init__(self, app: Flask) -> None:
        self.items: list[Told | Gap] = []
        self._is_over = threading.Event()
        self._tail = Tail(app)
        with app.app_context():
            self._subscription = self._tail.subscribe()
            db.session.remove()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._is_over.is_set():
            for batch in drain(self._subscription, 0.2):
                self.items += batch.items

    @property
    def upto(self) -> int:
        if not self.items:
            return 0
        last = self.items[-1]
        return last.last if isinstance(last, Gap) else last.notice.event.id

    def seen(self, ids: list[int]) -> Iterator[int]:
        """What it was told, and what of all these ids it was told to have been left out."""
        told = {each.notice.event.id for each in self.items if isinstance(each, Told)}
        for each in self.items:
            if isinstance(each, Told):
                yield each.notice.event.id
                continue
            span = ids[bisect_left(ids, each.first) : bisect_right(ids, each.last)]
            left_out = [id_ for id_ in span if id_ not in told]
            assert len(left_out) == each.count
            yield from left_out

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()
        assert not self._subscription.has_lost
        self._tail.unsubscribe(self._subscription)
        wait_for(lambda: self._tail._thread is None)


@contextmanager
def followers(make_app: Callable[..., Flask]) -> Iterator[list[Follower]]:
    made = [Follower(make_app()) for _ in range(2)]
    try:
        yield made
    finally:
        for each in made:
            each.stop()


def check(app: Flask, followers: list[Follower], count: int, seconds: float) -> int:
    """All were written, and each follower was told of each of them once, as of a row or as of one
    that was left out, in the order of ids. How many were rows, for whoever was told least."""
    db.session.rollback()
    ids = list(db.session.scalars(select(Event.id).order_by(Event.id)))
    assert len(ids) == count
    wait_for(lambda: all(each.upto >= ids[-1] for each in followers), seconds)
    for each in followers:
        assert list(each.seen(ids)) == ids
    told = min(sum(isinstance(item, Told) for item in each.items) for each in followers)
    assert told >= BURST == AMOUNTS["live_log"]["told"], "a count alone is no log"
    return told


def test_eight_writers_and_no_gap_in_two_live_logs(
    app: Flask, make_app: Callable[..., Flask], database_url: str
) -> None:
    team, each = make_team(), 400
    with followers(make_app) as reading:
        threads = [
            threading.Thread(target=write, args=(database_url, team, each, seed))
            for seed in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check(app, reading, WRITERS * each, seconds=30)


@pytest.mark.drill("live_log")
@pytest.mark.timeout(900)
def test_a_hundred_thousand_events_of_eight_processes_and_no_gap(
    app: Flask, make_app: Callable[..., Flask], database_url: str, database_kind: str
) -> None:
    team, each = make_team(), AMOUNTS["live_log"]["events"] // WRITERS
    spawn, began = multiprocessing.get_context("spawn"), time.monotonic()
    with followers(make_app) as reading:
        processes = [
            spawn.Process(target=write, args=(database_url, team, each, seed))
            for seed in range(WRITERS)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * WRITERS
        written = time.monotonic() - began
        told = check(app, reading, WRITERS * each, seconds=300)
    found = {
        "events": WRITERS * each,
        "processes": WRITERS,
        "told": told,
        "written_s": round(written),
        "told_s": round(time.monotonic() - began),
    }
    record("live_log", database_kind, **found)
    assert told >= BURST + ROWS_A_SECOND * written / 2, "as many as anybody can read, all along"
    assert is_held("live_log", found), found
