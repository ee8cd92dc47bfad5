"""A database that holds too much loses its oldest: refused first, then successes, failures last."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, text, update

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.identifiers import new_id
from app.models import Event, Purge, Run
from app.processing import size_limit
from app.processing.database_size import MEGABYTE, measure
from app.processing.size_limit import KEPT_SHARE, limit_bytes
from app.processing.sweeping import prune
from tests.factories import Team, accepted_row, make_team, run_row
from tests.statements import Statements

BODY = Random(1).randbytes(6_000)
"""Longer than a page of either database, and no compression makes it shorter."""
OF_EACH = 300


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def full(team: Team) -> Team:
    """Three days, in which everything came in turn."""
    fill(team, OF_EACH)
    return team


def fill(team: Team, of_each: int, since: datetime | None = None) -> None:
    since = since or now() - timedelta(days=3)
    step = (now() - since) / (of_each + 1)
    moments = [since + step * number for number in range(of_each)]
    events = [
        accepted_row(
            at,
            public_id=new_id(),
            workspace_id=team.workspace_id,
            state=state,
            body=BODY,
        )
        for number, at in enumerate(moments)
        for state in ("rejected", "processed", "failed", "accepted")
    ]
    runs = [
        run_row(
            team,
            at,
            public_id=new_id(),
            outcome=outcome,
            created_at=at,
            updated_at=at,
            ended_at=None if outcome == "running" else at,
            started_at=at,
        )
        for number, at in enumerate(moments)
        for outcome in ("success", "failure", "running")
    ]
    with writing() as session:
        session.execute(insert(Event), events)
        session.execute(insert(Run), runs)
    count_rows()


def count_rows() -> None:
    """PostgreSQL keeps count by itself, a little later: what a connection has yet to tell of would
    be added to what ANALYZE has counted."""
    db.session.rollback()
    if not is_sqlite():
        db.session.execute(text("SELECT pg_stat_force_next_flush()"))
        db.session.rollback()
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in ("events", "runs"):
                connection.execute(text(f"ANALYZE {table}"))


@pytest.fixture
def limit() -> Iterator[Any]:
    """Sets the limit in bytes."""
    with (
        patch.object(size_limit, "limit_bytes", return_value=None) as limit_of_now,
        patch.multiple(size_limit, FEW_ROWS=5, MANY_ROWS=20),
    ):
        yield lambda number: setattr(limit_of_now, "return_value", int(number))


def left() -> Counter[str]:
    db.session.rollback()
    found: Counter[str] = Counter()
    for column in (Event.state, Run.outcome):
        rows = db.session.execute(select(column, func.count()).group_by(column)).all()
        found.update(dict(tuple(row) for row in rows))
    return found


def used() -> float:
    count_rows()
    return measure().used


EVERYTHING = Counter(
    dict.fromkeys(
        ("rejected", "processed", "failed", "accepted", "success", "failure", "running"), OF_EACH
    )
)


def test_without_a_limit_nothing_goes(app: Flask, full: Team) -> None:
    assert limit_bytes() is None
    assert prune() == 0
    app.config["FLOWPULSE_MAX_DATABASE_MB"] = 3
    assert limit_bytes() == 3 * MEGABYTE


def test_below_the_limit_nothing_goes(full: Team, limit: Any) -> None:
    limit(used() + 1)
    assert prune() == 0
    assert left() == EVERYTHING


@pytest.mark.parametrize(
    ("share", "touched"),
    [
        (0.99, {"rejected"}),
        (0.8, {"rejected", "processed", "success"}),
        (0.55, {"rejected", "processed", "success", "failed", "failure"}),
    ],
)
def test_over_it_refused_requests_go_first_then_successes_and_failures_last(
    full: Team, limit: Any, share: float, touched: set[str]
) -> None:
    most = used() * share
    limit(most)
    assert prune() > 0
    assert {name for name in EVERYTHING if left()[name] < OF_EACH} == touched
    assert left()["accepted"] == left()["running"] == OF_EACH
    assert most * KEPT_SHARE * 0.8 < used() <= most


def test_the_oldest_go_and_events_and_runs_go_hand_in_hand(full: Team, limit: Any) -> None:
    limit(used() * 0.8)
    prune()
    oldest_event = db.session.scalar(
        select(func.min(Event.received_at)).where(Event.state == "processed")
    )
    oldest_run = db.session.scalar(select(func.min(Run.updated_at)).where(Run.outcome == "success"))
    newest = db.session.scalar(
        select(func.max(Event.received_at)).where(Event.state == "processed")
    )
    assert oldest_event and oldest_run and newest
    assert now() - timedelta(days=3) < oldest_event < newest
    assert abs(oldest_event - oldest_run) < timedelta(hours=3)


def test_once_it_is_below_nothing_more_goes_although_no_file_gets_smaller(
    full: Team, limit: Any
) -> None:
    before = size_of_files()
    limit(used() * 0.8)
    assert prune() > 0
    assert size_of_files() >= before * 0.9
    for _ in range(3):
        count_rows()
        assert prune() == 0


def size_of_files() -> float:
    if is_sqlite():
        return Path(str(db.engine.url.database)).stat().st_size
    tree = text("SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('events')")
    return float(db.session.execute(tree).scalar_one())


def test_what_comes_after_it_was_full_takes_the_place_of_what_went(full: Team, limit: Any) -> None:
    limit(used() * 0.9)
    prune()
    rows = left().total()
    for _ in range(3):
        fill(full, 50, since=now() - timedelta(hours=2))
        prune()
    assert used() <= size_limit.limit_bytes()
    assert left().total() > rows / 2


def test_what_came_within_the_last_hour_stays_even_if_that_is_too_much(
    team: Team, limit: Any
) -> None:
    fill(team, 20, since=now() - timedelta(minutes=50))
    limit(1)
    assert prune() == 0
    assert set(left().values()) == {20}


def test_each_workspace_loses_what_is_older(full: Team, limit: Any) -> None:
    other = make_team("Other", first=False)
    with writing() as session:
        session.execute(
            update(Event).where(Event.id % 8 < 4).values(workspace_id=other.workspace_id)
        )
        session.execute(update(Run).where(Run.id % 6 < 3).values(workspace_id=other.workspace_id))
    limit(used() * 0.8)
    prune()
    oldest = db.session.scalars(
        select(func.min(Event.received_at))
        .where(Event.state == "processed")
        .group_by(Event.workspace_id)
    ).all()
    assert len(oldest) == 2 and abs(oldest[0] - oldest[1]) < timedelta(hours=3)


def test_how_far_it_reached_is_on_record(full: Team, limit: Any) -> None:
    limit(used() * 0.8)
    gone = prune()
    purges = {each.what: each for each in db.session.scalars(select(Purge))}
    assert {each.why for each in purges.values()} == {"size"}
    assert sum(each.row_count for each in purges.values()) == gone
    oldest = db.session.scalar(
        select(func.min(Event.received_at)).where(Event.state == "processed")
    )
    assert purges["success"].reached_at < oldest


def test_a_count_that_postgresql_has_lost_is_made_again(full: Team) -> None:
    """After a crash it knows of no rows: the database would seem empty."""
    if is_sqlite():
        pytest.skip("a matter of PostgreSQL")
    before = used()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT pg_stat_reset()"))
    assert measure().used == pytest.approx(before, rel=0.1)


def test_neither_measuring_nor_finding_the_oldest_reads_a_whole_table(
    full: Team, limit: Any
) -> None:
    limit(used() * 0.55)
    statements = Statements()
    with statements.noted():
        assert prune() > 0
    plans = statements.explain("events", "runs")
    assert len(plans) > 8
    for statement, plan in plans:
        whole = {*re.findall("SCAN (?:events|runs)(?: .*)?|Seq Scan on .*", plan)}
        along = {each for each in whole if "USING INDEX ix_events_rejected" in each}
        assert whole == along and "TEMP B-TREE" not in plan, f"{statement}\n{plan}"
