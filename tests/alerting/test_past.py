"""What a preview goes through: of failures all that decides, of others the newest."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from app.alerting import past_failures, past_runs
from app.alerting.kinds import KINDS
from app.alerting.replay import Replay, replay
from app.extensions import db, writing
from app.models import Run, WorkflowLabel
from app.workspaces.workflows import create_workflow
from tests.alerting.stories import at, make_rule
from tests.factories import Team, run_row

DAY = 24 * 60
NOW = at(40 * DAY)
"""Thirty days before that, the first ten are over."""
ONCE = pytest.mark.once
"""Of stories made up by chance PostgreSQL has a few, which take it five times as long."""


def store(team: Team, rows: list[dict[str, Any]]) -> None:
    with writing() as session:
        session.execute(insert(Run), rows)


def tale(team: Team, letters: str, end: datetime, every: float = 1) -> list[dict[str, Any]]:
    """`F` a failure, `S` a success, so many minutes apart, the last of them at the end."""
    step = timedelta(minutes=every)
    return [
        run_row(
            team,
            end - step * (len(letters) - number),
            outcome="failure" if letter == "F" else "success",
        )
        for number, letter in enumerate(letters, 1)
    ]


def play(rule: Any) -> tuple[Replay, list[tuple[Any, ...]]]:
    """The replay, and all that is told of it: who, when, how often, and to when."""
    said: list[tuple[Any, ...]] = []

    def hear(message: Any, moment: datetime) -> None:
        said.append((moment, sorted((each.saying, each.alert.what) for each in message)))

    db.session.rollback()
    result = replay(db.session(), rule, NOW, hear)
    told = [
        (
            alert.workflow_id or 0,
            alert.began_at,
            alert.opened_at,
            str(alert.ended_at),
            alert.count,
            alert.good_count,
            alert.detail["run"],
            alert.last_at,
            alert.told_count,
        )
        for alert in result.alerts
    ]
    return result, [*sorted(told), *said]


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(n, marks=ONCE) for n in range(4, 12))])
def test_what_decides_about_failures_is_as_good_as_all_runs(
    team: Team, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole seconds and few of them, so that many runs end at one moment."""
    chance = random.Random(seed)
    others = [create_workflow(team.workspace_id, f"Other {n}").id for n in range(3)]
    with writing() as session:
        for workflow_id in others[:2]:
            session.add(
                WorkflowLabel(
                    workspace_id=team.workspace_id, workflow_id=workflow_id, label="chosen"
                )
            )
    rows = []
    for workflow_id in (team.workflow_id, *others):
        share, spread = chance.choice([0.02, 0.3, 0.7]), chance.choice([400, 3_000, 40 * DAY])
        is_odd = workflow_id == others[-1]
        for _ in range(400):
            end = NOW - timedelta(minutes=chance.randrange(-1, spread))
            told = end
            if is_odd and chance.random() < 0.4:
                told += timedelta(minutes=chance.choice([-90, -3, 30, 2_000]))
            rows.append(
                run_row(
                    team,
                    end,
                    workflow_id=workflow_id,
                    outcome="failure" if chance.random() < share else "success",
                    is_test=chance.random() < 0.05,
                    created_at=told,
                    updated_at=told + timedelta(minutes=chance.choice([0, 0, 7])),
                )
            )
    chance.shuffle(rows)
    store(team, rows)
    monkeypatch.setattr(past_failures, "AT_ONCE", 7)
    by_failures = KINDS["failed"]
    found = 0
    for scope in ({}, {"label": "chosen"}, {"workflow_id": team.workflow_id}):
        for row, recovery in ((1, 1), (1, 3), (2, 1), (3, 2), (5, 4)):
            rule = make_rule(
                workspace_id=team.workspace_id,
                numbers={"in_a_row": row},
                recovery_after=recovery,
                cool_down_minutes=chance.choice([0, 15]),
                **scope,
            )
            result, told_of = play(rule)
            with monkeypatch.context() as patch:
                patch.setitem(KINDS, "failed", replace(by_failures, by_failures=False))
                whole, expected = play(rule)
            assert told_of == expected, (scope, row, recovery)
            assert (result.back_to, whole.back_to) == (None, None)
            found += len(told_of)
    assert found > 100


def test_failures_are_found_behind_any_number_of_good_runs(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_runs, "MOST", 20)
    store(team, tale(team, "FFF" + "S" * 100, NOW, every=60))
    for scope in ({}, {"workflow_id": team.workflow_id}):
        rule = make_rule(workspace_id=team.workspace_id, numbers={"in_a_row": 3}, **scope)
        result, _ = play(rule)
        assert [(alert.count, alert.ended_at) for alert in result.alerts] == [
            (3, NOW - timedelta(hours=99))
        ]
        assert (result.seen, result.back_to) == (3, None)


def test_of_too_many_failures_the_newest_are_gone_through(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_failures, "MOST", 20)
    store(team, tale(team, "FS" * 30, NOW, every=60))
    result, _ = play(make_rule(workspace_id=team.workspace_id))
    assert result.back_to == NOW - timedelta(hours=39)
    assert (result.seen, len(result.alerts)) == (19, 19)
    monkeypatch.setattr(past_failures, "MOST", 1_000)
    # Where one failure comes with many good runs, those are what is too many.
    monkeypatch.setattr(past_failures, "AT_ONCE", 2)
    store(team, tale(team, ("F" + "S" * 9) * 10, NOW - timedelta(days=4)))
    monkeypatch.setattr(past_runs, "MOST", 60)
    result, _ = play(make_rule(workspace_id=team.workspace_id, recovery_after=9))
    assert result.back_to is not None
    assert NOW - timedelta(days=5) < result.back_to < NOW - timedelta(days=4)


@pytest.mark.parametrize("scope", ["all", "one"])
def test_of_other_kinds_the_newest_runs_by_their_end_are_gone_through(
    team: Team, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_runs, "MOST", 100)
    newest = tale(team, "S" * 100, NOW)
    old = [{**row, "duration_ms": 9_000.0} for row in tale(team, "S" * 50, NOW - timedelta(days=3))]
    store(team, newest + old)  # The older runs were stored last.
    chosen = {"workflow_id": team.workflow_id} if scope == "one" else {}
    rule = make_rule(workspace_id=team.workspace_id, kind="slow", numbers={"seconds": 2}, **chosen)
    result, _ = play(rule)
    assert (result.seen, result.back_to) == (100, NOW - timedelta(minutes=99))
    assert result.alerts == []
    monkeypatch.setattr(past_runs, "MOST", 200)
    result, _ = play(rule)
    assert (result.seen, result.back_to, len(result.alerts)) == (150, None, 1)
