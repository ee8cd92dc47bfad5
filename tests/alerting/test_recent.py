"""What is kept of runs from batch to batch changes nothing of what is decided."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.ctx import AppContext
from sqlalchemy import delete

from app.alerting import recent
from app.extensions import writing
from app.models import Alert, Event, Rollup, Run
from app.processing import batch
from app.workspaces.workflows import create_workflow
from tests.alerting.stories import alerts, at, store_rule
from tests.factories import Team, accepted_row, make_team

RULES: dict[str, dict[str, Any]] = {
    "failed": {"in_a_row": 2},
    "rate": {"percent": 40, "minutes": 10, "least": 3},
    "slow": {"factor": 1.1},
}


@pytest.fixture
def team(app: Flask) -> Team:
    team = make_team()
    for kind, numbers in RULES.items():
        store_rule(team, kind=kind, name=kind, numbers=numbers)
    return team


Report = dict[str, Any]


def test_with_two_workers_the_alerts_are_those_of_one_that_reads_everything(
    app: Flask, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With runs that come late, executions that are told of twice, and batches that fail."""
    other = create_workflow(team.workspace_id, "Invoice sync").id
    monkeypatch.setattr(recent, "MARGIN", 3)
    story = tell_story(Random(1), [team.workflow_id, other])
    courses = []
    for most_age in (recent.MOST_AGE, timedelta(0)):
        start_over()
        with monkeypatch.context() as patch, workers(app) as contexts:
            patch.setattr(recent, "MOST_AGE", most_age)
            for number, reports in enumerate(story):
                with contexts[number % 7 == 3 or number % 5 == 4]:
                    work(patch, team, number, reports)
        courses.append([course_of(alert) for alert in alerts()])
    assert courses[0] == courses[1]
    assert {kind for kind, *_ in courses[0]} == set(RULES)


def tell_story(chance: Random, workflows: list[int]) -> list[list[Report]]:
    """A batch every minute."""
    story = []
    for minute in range(60):
        failing = 0.7 if minute % 20 > 14 else 0.1
        story.append(
            [
                {
                    "workflow_id": chance.choice(workflows),
                    "kind": "run-failure" if chance.random() < failing else "run-success",
                    "ended_at": at(minute - chance.choice((0, 0, 0, 1, 7)) + chance.random() / 2),
                    "duration_ms": chance.lognormvariate(7, 1),
                    "external_execution_id": f"e-{chance.randrange(600)}",
                }
                for _ in range(chance.randrange(1, 6))
            ]
        )
    return story


def start_over() -> None:
    with writing() as session:
        for table in (Alert, Event, Run, Rollup):
            session.execute(delete(table))


@contextmanager
def workers(app: Flask) -> Iterator[list[AppContext]]:
    """Two, each with a session of its own that lasts."""
    with app.app_context() as one, app.app_context() as other:
        yield [one, other]


def work(patch: pytest.MonkeyPatch, team: Team, number: int, reports: list[Report]) -> None:
    """Every now and then a batch does not come to its end, and is repeated."""
    store_events(team, number, reports)
    patch.setattr(batch, "now", lambda: at(number + 1))
    if number % 11 == 5:
        with patch.context() as crash, pytest.raises(KeyboardInterrupt):
            crash.setattr(batch, "finish", Mock(side_effect=KeyboardInterrupt))
            batch.process_batch(200)
    assert batch.process_batch(200) == len(reports)


def store_events(team: Team, number: int, reports: list[Report]) -> None:
    rows = [
        accepted_row(
            at(number),
            public_id=f"e{number:03}x{place:02}".ljust(24, "0"),
            workspace_id=team.workspace_id,
            workflow_id=report["workflow_id"],
            kind=report["kind"],
            payload={
                "ended_at": report["ended_at"].isoformat(),
                "duration_ms": report["duration_ms"],
                "external_execution_id": report["external_execution_id"],
            },
        )
        for place, report in enumerate(reports)
    ]
    with writing() as session:
        session.connection().execute(Event.__table__.insert(), rows)


def course_of(alert: Alert) -> tuple[Any, ...]:
    detail = {name: value for name, value in alert.detail.items() if name != "run"}
    course = alert.opened_at, alert.began_at, alert.last_at, alert.ended_at, alert.count
    return alert.kind, alert.workflow_id, *course, detail


def test_a_late_run_beside_a_current_one_is_judged_in_the_light_of_its_own_past(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second failure in a row is told with a run of now, when what is kept begins after it."""
    team = make_team()
    store_rule(team, numbers={"in_a_row": 2})
    monkeypatch.setattr(recent, "MARGIN", 3)
    monkeypatch.setattr(batch, "now", lambda: at(60))
    past = [tell(team, "run-failure", 0)]
    past += [tell(team, "run-success", minute) for minute in range(1, 30)]
    past += [tell(team, "run-failure", 30), tell(team, "run-success", 31)]
    late, current = tell(team, "run-failure", 0.5), tell(team, "run-success", 40)
    courses = []
    for batches in ([[late, current]], [[late], [current]]):
        start_over()
        with app.app_context():
            for number, reports in enumerate([*([each] for each in past), *batches]):
                store_events(team, number, reports)
                batch.process_batch(200)
        courses.append([(alert.began_at, alert.count) for alert in alerts()])
    assert courses == [[(at(0), 2)], [(at(0), 2)]]


def tell(team: Team, kind: str, minute: float) -> Report:
    return {
        "workflow_id": team.workflow_id,
        "kind": kind,
        "ended_at": at(minute),
        "duration_ms": 1_000.0,
        "external_execution_id": f"e-{minute}",
    }
