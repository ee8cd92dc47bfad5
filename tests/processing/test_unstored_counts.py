"""Counts of refused requests become one row a minute, and stay exact."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from flask import Flask
from sqlalchemy import insert, select

from app.clock import now
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import UnstoredCount
from app.processing.sweeping import Sweeper, prune
from tests.factories import Team, make_team
from tests.simulated_time import simulated_time

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
Sums = Counter[tuple[datetime, int | None, str]]


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def store(minute: datetime, workspace_id: int | None, *counts: int, code: str = "slow") -> None:
    row = {"minute_at": minute, "workspace_id": workspace_id, "code": code}
    with writing() as session:
        session.execute(insert(UnstoredCount), [{**row, "count": count} for count in counts])


def read() -> tuple[int, Sums]:
    """How many rows there are, and what they come to."""
    db.session.rollback()
    rows = db.session.scalars(select(UnstoredCount)).all()
    sums: Sums = Counter()
    for row in rows:
        sums[row.minute_at, row.workspace_id, row.code] += row.count
    return len(rows), sums


def test_each_minute_that_is_over_has_one_row_for_a_workspace_and_code(team: Team) -> None:
    for minute in (NOON, NOON + timedelta(minutes=1), NOON + timedelta(hours=1)):
        for workspace_id in (team.workspace_id, None):
            store(minute, workspace_id, 1, 2, 2**40)
            store(minute, workspace_id, 5, code="late")
    store(NOON, None, 7, code="slow")
    before = read()
    with simulated_time(NOON + timedelta(hours=2)):
        prune()
        after = read()
        prune()
    assert before == (25, after[1])
    assert after[0] == len(after[1]) == 12
    assert read() == after


def test_the_minute_at_hand_is_left_to_those_who_count(team: Team) -> None:
    store(NOON, team.workspace_id, 1, 2)
    with simulated_time(NOON + timedelta(seconds=59)):
        prune()
    assert read()[0] == 2


def test_what_the_server_itself_has_counted_is_found(team: Team) -> None:
    limits = ingest_service().limits
    for count in (3, 4):
        for _ in range(count):
            limits.count_unstored(team.workspace_id, "rate_limited")
        limits.sync()
    rows, sums = read()
    with simulated_time(now() + timedelta(minutes=10)):
        prune()
    assert rows >= 2 and sums.total() == 7
    assert read() == (len(sums), sums)  # Two, where another minute has just begun.


def test_it_goes_on_where_it_was_and_finds_what_came_late(team: Team) -> None:
    sweeper = Sweeper()
    store(NOON, None, *[1] * 9)
    with (
        simulated_time(NOON + timedelta(minutes=5)) as time,
        patch("app.processing.unstored_counts.ROWS_AT_ONCE", 4),
    ):
        assert sum(batch.rows for batch in sweeper.sweep()) == 6
        assert read() == (3, Counter({(NOON, None, "slow"): 9}))
        store(NOON + timedelta(minutes=1), None, 1, 1)
        time.forward(minutes=3)
        store(NOON, None, 1)
        assert sum(batch.rows for batch in sweeper.sweep()) == 4
        time.forward(days=-1)
        assert sum(batch.rows for batch in sweeper.sweep()) == 0
    assert read() == (
        2,
        Counter({(NOON, None, "slow"): 10, (NOON + timedelta(minutes=1), None, "slow"): 2}),
    )
