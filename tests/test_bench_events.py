"""What the benchmarks fill in is as real as what the worker makes."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, inspect, select

from app.clock import now
from app.extensions import db, writing
from app.identifiers import is_id
from app.models import Event, Rollup, Run, WorkspaceRollup
from app.processing.rollups import Contribution, add_up
from bench import growth_measures
from bench.growth_measures import Subject
from bench.multiply import fill_many
from tests.factories import make_team


def test_copied_events_are_as_those_that_were_made_one_by_one(app: Flask) -> None:
    team = make_team()
    fill_many(team, 300, now(), stretch=100)
    events = db.session.scalars(select(Event).order_by(Event.id)).all()
    runs = db.session.scalars(select(Run).order_by(Run.id)).all()
    assert len(runs) > 250
    for rows, moments in (
        (events, [each.received_at for each in events]),
        (runs, [each.ended_at for each in runs if each.ended_at]),
    ):
        assert moments == sorted(moments)
        assert len({each.public_id for each in rows}) == len(rows)
        assert all(is_id(each.public_id) for each in rows)
    for event in events:
        if event.run is not None:
            assert event.run.decided_by_event_id == event.id
            assert event.run.external_execution_id == event.payload["external_execution_id"]
            assert event.run.external_execution_id.encode() in event.body


def test_copied_events_leave_the_sums_that_the_worker_would_have_left(app: Flask) -> None:
    team = make_team()
    fill_many(team, 300, now(), stretch=100)
    runs = db.session.scalars(select(Run)).all()
    made = sums_of_all()
    with writing() as session:
        for table in (Rollup, WorkspaceRollup):
            session.execute(delete(table))
        contributions = [each for run in runs for each in Contribution.list_of(columns_of(run))]
        add_up(session, contributions, now())
    assert sums_of_all() == made


def test_what_grows_can_be_measured(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the pages, which another benchmark's test opens."""
    monkeypatch.setattr(growth_measures, "LOOKS", 8)
    monkeypatch.setattr(growth_measures, "ALONE", dict.fromkeys(growth_measures.ALONE, 5))
    monkeypatch.setattr(growth_measures, "COMMITS", 4)
    team = make_team()
    fill_many(team, 300, now(), stretch=100)
    subject = Subject(app, team)
    for measure in (growth_measures.backlog, growth_measures.worker):
        assert all(figure > 0 for _, figure in measure(subject))
    assert all(figure > 0 for _, figure in growth_measures.tail(subject))


def columns_of(run: Run) -> dict[str, Any]:
    return {each.key: getattr(run, each.key) for each in inspect(Run).column_attrs}


def sums_of_all() -> list[Any]:
    return [
        (row[0], row.period, row.starts_at, row.success_count, row.failure_count, row.timed_count)
        for table in (Rollup.__table__, WorkspaceRollup.__table__)
        for row in db.session.execute(select(table).order_by(*table.primary_key))
    ]
