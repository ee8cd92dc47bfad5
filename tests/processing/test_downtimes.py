"""What was missed while no web process ran is no fault of the workflows, over simulated time."""

from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.alerting.ticking import tick
from app.extensions import db
from app.models import Downtime, Instance, Run, Silence, Workflow
from app.processing.batch import process_batch
from app.processing.schedules import judge_schedules
from app.processing.stuck_runs import mark_stuck_runs
from app.processing.web_beat import beat
from app.processing.worker import Worker
from app.workspaces.schedules import Wish, set_schedule, set_stuck_after
from app.workspaces.workflows import create_workflow
from tests.alerting.stories import alerts, store_rule, told
from tests.apps import close_app, make_app
from tests.factories import Team, make_team, report
from tests.processing.conftest import NOON
from tests.server import LiveServer, wait_for
from tests.simulated_time import SimulatedTime
from tests.teams import LiveTeam

SECOND = timedelta(seconds=1)
EVERY_TWO = Wish("interval", 120, None, "UTC", 30)
WISHES = {"interval": EVERY_TWO, "cron": Wish("cron", None, "*/2 * * * *", "UTC", 30)}


def after(minutes: int, seconds: int = 0) -> datetime:
    return NOON + timedelta(minutes=minutes, seconds=seconds)


@pytest.fixture
def team(time: SimulatedTime, app: Flask) -> Team:
    team = make_team()
    store_rule(team, kind="silent", numbers={"minutes": 0})
    return team


class Missed(NamedTuple):
    """What a silence says, without its workflow."""

    expected_at: datetime
    silent_since: datetime
    count: int
    during_downtime: bool


def missed(workflow_id: int) -> list[Missed]:
    db.session.rollback()
    query = select(Silence).where(Silence.workflow_id == workflow_id).order_by(Silence.id)
    return [
        Missed(each.expected_at, each.silent_since, each.missed_count, each.during_downtime)
        for each in db.session.scalars(query)
    ]


def downtimes() -> list[tuple[datetime, datetime]]:
    db.session.rollback()
    return [(each.began_at, each.ended_at) for each in db.session.scalars(select(Downtime))]


def expect(workflow_id: int, wish: Wish) -> int:
    set_schedule(db.session.get_one(Workflow, workflow_id), wish)
    return workflow_id


class System:
    """A worker that always lives, and web processes that may."""

    def __init__(self, time: SimulatedTime) -> None:
        self.time = time
        self.worker = Worker()

    def go(self, until: datetime, *, web: bool) -> None:
        """Up to that moment in steps of 10 seconds, and what all do in each."""
        while self.time.at < until:
            self.time.at = min(self.time.at + 10 * SECOND, until)
            if web:
                beat()
            self.worker.beat()
            process_batch(200)
            judge_schedules()
            mark_stuck_runs()
            tick(self.time.at)


@pytest.fixture
def system(time: SimulatedTime, team: Team) -> System:
    beat()
    return System(time)


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES.keys())
def test_while_no_web_process_runs_nobody_is_told_of_what_does_not_come(
    team: Team, system: System, wish: Wish
) -> None:
    ids = [expect(team.workflow_id, wish)]
    ids += [expect(create_workflow(team.workspace_id, f"Job {n}").id, wish) for n in range(3)]
    system.go(after(1, 50), web=True)
    system.go(after(6, 40), web=False)
    for workflow_id in ids:
        assert missed(workflow_id) == [(after(2), after(2, 30), 3, True)]
    system.go(after(7), web=True)
    assert downtimes() == [(after(1, 50), after(6, 50))]
    assert alerts() == []


@pytest.mark.parametrize(
    ("wish", "expected_at"),
    [(WISHES["interval"], after(8, 50)), (WISHES["cron"], after(8))],
    ids=["interval", "cron"],
)
def test_after_it_a_workflow_has_its_full_next_period_and_grace(
    team: Team, system: System, wish: Wish, expected_at: datetime
) -> None:
    """An interval counts anew: when the run that could not be told has ended, nobody knows."""
    expect(team.workflow_id, wish)
    system.go(after(1, 50), web=True)
    system.go(after(6, 40), web=False)
    overdue = expected_at + timedelta(seconds=30)
    system.go(overdue - SECOND, web=True)
    assert [each.during_downtime for each in missed(team.workflow_id)] == [True]
    assert told() == []
    system.go(overdue, web=True)
    assert missed(team.workflow_id)[1:] == [(expected_at, overdue, 1, False)]
    assert len(told()) == 1


def test_a_run_after_it_sets_the_next_time_as_ever(
    client: FlaskClient, team: Team, system: System
) -> None:
    expect(team.workflow_id, EVERY_TWO)
    system.go(after(1, 50), web=True)
    system.go(after(6, 40), web=False)
    system.go(after(7, 10), web=True)
    report(client, team, ended_at=system.time.at.isoformat())
    system.go(after(9, 39), web=True)
    assert alerts() == []
    system.go(after(9, 40), web=True)
    assert len(alerts()) == 1


def start(client: FlaskClient, team: Team, execution: str, at: datetime) -> None:
    body = {"workflow_slug": team.slug, "external_execution_id": execution}
    body["started_at"] = at.isoformat()
    answer = client.post("/api/v1/ingest/run-start", json=body, headers=team.headers)
    assert answer.status_code == 202


def stuck() -> list[str | None]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(Run.external_execution_id).where(Run.stuck_since.is_not(None)).order_by(Run.id)
        )
    )


@pytest.mark.parametrize(("limit", "grace"), [(120, 2), (1_200, 10)])
def test_no_run_turns_stuck_while_its_end_can_t_be_told_nor_before_it_can_be_sent_again(
    client: FlaskClient, team: Team, system: System, limit: int, grace: float
) -> None:
    set_stuck_after(db.session.get_one(Workflow, team.workflow_id), limit)
    for execution in ("ended", "stuck"):
        start(client, team, execution, NOON)
    system.go(after(1), web=True)
    system.go(after(31), web=False)
    assert stuck() == []
    system.go(after(31, 10), web=True)
    report(client, team, external_execution_id="ended", ended_at=after(1, 30).isoformat())
    system.go(after(31 + grace), web=True)
    assert stuck() == []
    system.go(after(31 + grace, 20), web=True)
    assert stuck() == ["stuck"]


def test_any_web_process_of_any_machine_will_do(team: Team, system: System) -> None:
    """Several may come and go, as long as one is seen in time."""
    expect(team.workflow_id, EVERY_TWO)
    for seconds in range(0, 150, 30):
        system.go(after(0, seconds + 25), web=False)
        system.go(after(0, seconds + 30), web=True)
    assert downtimes() == []
    assert missed(team.workflow_id) == [(after(2), after(2, 30), 1, False)]
    assert len(alerts()) == 1


def test_a_restart_is_no_downtime_and_holds_a_judgement_up_until_it_is_over(
    team: Team, system: System
) -> None:
    expect(team.workflow_id, EVERY_TWO)
    system.go(after(2, 10), web=True)
    system.go(after(2, 39), web=False)
    assert missed(team.workflow_id) == []
    system.go(after(2, 40), web=True)
    assert downtimes() == []
    assert missed(team.workflow_id) == [(after(2), after(2, 30), 1, False)]


def test_where_another_server_serves_that_tells_of_no_beat_nothing_is_excused(
    client: FlaskClient, team: Team, system: System
) -> None:
    """Requests came in, long after the last beat."""
    expect(team.workflow_id, EVERY_TWO)
    system.go(after(1), web=False)
    other = create_workflow(team.workspace_id, "Busy")
    report(client, team, workflow_slug=other.slug, ended_at=system.time.at.isoformat())
    system.go(after(2, 30), web=False)
    assert missed(team.workflow_id) == [(after(2), after(2, 30), 1, False)]


def test_nor_where_such_a_server_serves_nothing_but_pages(
    client: FlaskClient, team: Team, system: System
) -> None:
    """Until somebody looks, nobody can tell it from a downtime; then all is told."""
    expect(team.workflow_id, EVERY_TWO)
    system.go(after(5), web=False)
    assert missed(team.workflow_id) == [(after(2), after(2, 30), 2, True)]
    client.get("/healthz")
    system.go(after(6, 30), web=False)
    assert [each.during_downtime for each in missed(team.workflow_id)] == [True, False]
    assert len(alerts()) == 1
    beat()
    assert downtimes() == []


def test_a_page_during_a_restart_changes_nothing(
    client: FlaskClient, team: Team, system: System
) -> None:
    expect(team.workflow_id, EVERY_TWO)
    system.go(after(1, 50), web=True)
    system.go(after(2, 10), web=False)
    client.get("/healthz")
    system.go(after(6, 40), web=False)
    assert missed(team.workflow_id) == [(after(2), after(2, 30), 3, True)]


def test_where_no_web_process_was_ever_seen_nothing_is_excused(
    team: Team, time: SimulatedTime
) -> None:
    expect(team.workflow_id, EVERY_TWO)
    System(time).go(after(2, 30), web=False)
    assert missed(team.workflow_id) == [(after(2), after(2, 30), 1, False)]


def test_several_processes_write_one_beat_between_them(team: Team, time: SimulatedTime) -> None:
    def seen_at() -> datetime | None:
        db.session.rollback()
        return db.session.scalar(select(Instance.web_seen_at))

    beat()
    time.forward(seconds=2)
    beat()
    assert seen_at() == NOON
    time.forward(seconds=3)
    beat()
    assert seen_at() == NOON + 5 * SECOND


def test_the_served_web_process_beats_by_itself(
    live_server: LiveServer, live_team: LiveTeam
) -> None:
    app = make_app(live_server.database_url, live_server.data_dir)

    def seen_at() -> datetime | None:
        db.session.rollback()
        return db.session.scalar(select(Instance.web_seen_at))

    with app.app_context():
        first = wait_for(seen_at, 30, 0.2)
        wait_for(lambda: (seen_at() or first) > first, 30, 0.2)
        db.session.remove()
    close_app(app)
