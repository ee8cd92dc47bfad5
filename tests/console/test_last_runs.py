"""Which run of a workflow is the last one: also of those that ended in the same second."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from app.clock import now
from app.console.badges import find_state
from app.console.insight_view import look_at_workflow
from app.console.last_runs import LastRuns, find_very_last, list_last_runs
from app.extensions import db, is_sqlite
from app.models import Workflow
from app.workspaces.workflows import create_workflow
from tests.console.test_overview import MINUTE, health_of, store_runs
from tests.factories import Team

NAMES = {"+": "success", "-": "failure"}


@pytest.mark.parametrize(("outcomes", "state"), [("++-", "failing"), ("--+", "ok")])
def test_of_runs_that_ended_in_the_same_second_the_later_one_decides(
    app: Flask, team: Team, outcomes: str, state: str
) -> None:
    store_runs(team, outcomes, apart=timedelta())
    db.session.rollback()
    assert health_of(team).state == state
    assert [NAMES[sign] for sign in outcomes] == [run.outcome for run in health_of(team).runs]
    workflow = db.session.get_one(Workflow, team.workflow_id)
    assert find_state(workflow) == state
    last = LastRuns([team.workflow_id], now()).last(team.workflow_id)
    assert last is not None and last.outcome == health_of(team).runs[-1].outcome
    with app.test_request_context():
        strip = look_at_workflow(team.workflow_id, "7d").strip
    assert [each.places[-1] for each in strip if each.outcome == last.outcome] == [59]


def test_a_run_ahead_of_time_leaves_those_of_the_same_second_in_their_order(
    app: Flask, team: Team
) -> None:
    store_runs(team, "+-", apart=timedelta(), decided_by_event_id=2)
    store_runs(team, "+", last=timedelta(hours=-2), updated_at=now(), decided_by_event_id=1)
    db.session.rollback()
    assert [run.outcome for run in health_of(team).runs][-2:] == ["success", "failure"]


def test_the_very_last_is_the_last_of_all_whatever_the_clocks_said(app: Flask, team: Team) -> None:
    random = Random(8)
    ids = [create_workflow(team.workspace_id, f"Workflow {number}").id for number in range(30)]
    for each in ids[1:]:
        for event_id in range(random.randrange(1, 9)):
            sign, ended = random.choice("+-"), timedelta(hours=random.randrange(-3, 9))
            told = now() - max(ended, timedelta()) - timedelta(minutes=random.randrange(3))
            given = {"updated_at": told, "decided_by_event_id": 9 - event_id}
            store_runs(team, sign, last=ended, workflow_id=each, **given)
    db.session.rollback()
    at = now()
    together = LastRuns(ids, at)
    for each, alone in list_last_runs(ids, at).items():
        assert together.last(each) == (alone[-1] if alone else None)
        assert together.of(each) == alone


def test_the_last_runs_are_read_along_their_index(app: Flask, team: Team) -> None:
    store_runs(team, "+" * 3_000, apart=MINUTE)
    others = [create_workflow(team.workspace_id, f"Other {n}").id for n in range(3)]
    for each in others:
        store_runs(team, "+-" * 500, apart=MINUTE, workflow_id=each)
    if not is_sqlite():
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE runs")
    noted: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        noted.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    list_last_runs([team.workflow_id, *others], now())
    find_very_last([team.workflow_id, *others])
    event.remove(db.engine, "before_cursor_execute", note)
    word = "EXPLAIN QUERY PLAN" if is_sqlite() else "EXPLAIN"
    with db.engine.connect() as connection:
        for statement, parameters in [each for each in noted if "ORDER BY" in each[0]]:
            rows = connection.exec_driver_sql(f"{word} {statement}", parameters)
            plan = "\n".join(str(row[-1]) for row in rows)
            assert "ix_runs_workflow_id_ended_at" in plan, plan
            assert "Seq Scan on runs" not in plan and "TEMP B-TREE" not in plan, plan
