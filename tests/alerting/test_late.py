"""Runs that are told of late leave the alerts as they would be had all come in their order."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from app.alerting import recent
from app.alerting.course import step
from app.alerting.kinds import KINDS, rate, slow
from app.alerting.replay import replay
from app.alerting.verdicts import SeenRun
from app.extensions import db, writing
from app.models import Alert, AlertRule, Event, Run
from app.workspaces import alert_rules
from app.workspaces.alert_rules import close_alert
from app.workspaces.workflows import create_workflow
from tests.alerting.stories import Time, alerts, at, store_rule, told
from tests.factories import Team, accepted_row

RULES: dict[str, dict[str, Any]] = {
    "each failure": {"kind": "failed", "numbers": {"in_a_row": 1}},
    "each failure, over after two": {
        "kind": "failed",
        "numbers": {"in_a_row": 1},
        "recovery_after": 2,
    },
    "two in a row": {"kind": "failed", "numbers": {"in_a_row": 2}},
    "three in a row, over after three": {
        "kind": "failed",
        "numbers": {"in_a_row": 3},
        "recovery_after": 3,
    },
    "rate": {"kind": "rate", "numbers": {"percent": 50, "minutes": 20, "least": 4}},
    "rate, over after two": {
        "kind": "rate",
        "numbers": {"percent": 40, "minutes": 600, "least": 6},
        "recovery_after": 2,
    },
    "slower than a limit": {"kind": "slow", "numbers": {"seconds": 2}},
    "slower than usual": {"kind": "slow", "numbers": {"factor": 1.2}, "recovery_after": 2},
}


def tell(team: Team, *reports: tuple[str, float], workflow: int = 0, **payload: Any) -> None:
    """`F` and `S` with the minutes at which they ended."""
    rows = [_row(team, letter, minute, workflow, payload) for letter, minute in reports]
    with writing() as session:
        session.connection().execute(Event.__table__.insert(), rows)


def _row(
    team: Team, letter: str, minute: float, workflow: int, payload: dict[str, Any]
) -> dict[str, Any]:
    return accepted_row(
        at(0),
        public_id=f"{Random().getrandbits(90):024x}",
        workspace_id=team.workspace_id,
        workflow_id=workflow or team.workflow_id,
        kind="run-failure" if letter == "F" else "run-success",
        payload={"ended_at": at(minute).isoformat(), **payload},
    )


# --- Whatever the order --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.once) for n in (2, 3))])
def test_after_each_batch_open_is_what_would_be_open_had_all_come_in_their_order(
    team: Team, time: Time, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Of four workflows a run a minute; a part of them is told up to 20 hours late."""
    for module, name, least in ((recent, "MARGIN", 3), (rate, "NEWEST", 12), (slow, "LAST", 12)):
        monkeypatch.setattr(module, name, least)
    monkeypatch.setattr(slow, "FROM", 4)
    for name, columns in RULES.items():
        store_rule(team, name=name, **columns)
    chance = Random(seed)
    flows = [create_workflow(team.workspace_id, f"Flow {number}").id for number in range(4)]
    arrivals = sorted(_arrivals(chance, flows), key=lambda each: each[0])
    now = 0.0
    while arrivals:
        size = chance.choice((1, 1, 2, 5, 12))
        for moment, flow, letter, ended_at, took in arrivals[:size]:
            now = max(now, moment)
            tell(team, (letter, ended_at), workflow=flow, **took)
        del arrivals[:size]
        time.work(now)
        assert list_open() == list_open_in_order(flows), f"after minute {now}"
        assert [each.public_id for each in alerts() if ends_before_it_begins(each)] == []


def ends_before_it_begins(alert: Alert) -> bool:
    return alert.ended_at is not None and alert.ended_at < alert.began_at


def _arrivals(
    chance: Random, flows: list[int]
) -> list[tuple[float, int, str, float, dict[str, float]]]:
    found = []
    for flow in flows:
        failing = chance.choice((0.1, 0.3, 0.5, 0.8))
        for number in range(24):
            ended_at = number // 2 * 2  # Some end in the same moment.
            late = chance.choice((0, 0, 0, 0, 1.5, 4, 12, 1_200))
            letter = "F" if chance.random() < failing else "S"
            took = {"duration_ms": chance.lognormvariate(7.5, 0.5)}
            told_at = ended_at + late + chance.random() / 10
            found.append((told_at, flow, letter, ended_at, took if chance.random() < 0.8 else {}))
    return found


def list_open() -> list[tuple[str, int | None]]:
    return sorted((each.rule_name, each.workflow_id) for each in alerts() if not each.ended_at)


def list_open_in_order(flows: list[int]) -> list[tuple[str, int | None]]:
    """As runs that come one after the other leave it."""
    found: list[tuple[str, int | None]] = []
    for rule in db.session.scalars(select(AlertRule)):
        for flow in flows:
            query = select(Run.id, Run.workflow_id, Run.outcome, Run.ended_at, Run.duration_ms)
            query = query.where(Run.workflow_id == flow).order_by(Run.ended_at, Run.id)
            runs = [SeenRun(*row) for row in db.session.execute(query)]
            alert: Alert | None = None
            for verdict in KINDS[rule.kind].judge(rule.numbers, runs):
                alert = step(rule, alert, verdict, flow, verdict.at, False) or alert
            if alert is not None and alert.ended_at is None:
                found.append((rule.name, flow))
    return sorted(found)


# --- What is told of it --------------------------------------------------------------------------


def work_through(team: Team, time: Time, *story: tuple[str, float]) -> None:
    """One report after the other, a minute apart, long after they ended."""
    for number, report in enumerate(story):
        tell(team, report)
        time.work(1_000 + number)


def courses() -> list[tuple[int, float, float | None]]:
    """How many findings, and the minutes from the first of them to the end."""
    return [
        (alert.count, _minute(alert.began_at) or 0.0, _minute(alert.ended_at)) for alert in alerts()
    ]


def _minute(moment: Any) -> float | None:
    return None if moment is None else (moment - at(0)) / timedelta(minutes=1)


def test_a_failure_that_completes_a_row_with_later_ones_opens_an_alert(
    team: Team, time: Time
) -> None:
    store_rule(team, numbers={"in_a_row": 3})
    work_through(team, time, ("S", 0), ("F", 1), ("F", 3), ("F", 2))
    assert courses() == [(3, 1, None)]
    assert told() == [("alert", "Lead enrichment failed 3 times in a row")]
    newest = select(Run.public_id).where(Run.ended_at == at(3))
    assert alerts()[0].detail["run"] == db.session.scalar(newest)


def test_a_good_run_that_makes_them_enough_for_a_rate_opens_an_alert_of_the_last_failure(
    team: Team, time: Time
) -> None:
    store_rule(team, kind="rate", numbers={"percent": 50, "minutes": 60, "least": 3})
    work_through(team, time, ("F", 1), ("F", 3), ("S", 2))
    assert courses() == [(2, 1, None)]
    assert told() == [("alert", "Lead enrichment: 66.7 % of 3 runs failed")]
    newest = select(Run.public_id).where(Run.ended_at == at(3))
    assert alerts()[0].detail["run"] == db.session.scalar(newest)


def test_an_open_alert_goes_on_to_tell_of_its_newest_failure(team: Team, time: Time) -> None:
    store_rule(team)
    work_through(team, time, ("F", 3), ("F", 2))
    newest = select(Run.public_id).where(Run.ended_at == at(3))
    assert alerts()[0].detail["run"] == db.session.scalar(newest)


def test_a_failure_that_is_over_when_it_is_told_of_is_one_message(team: Team, time: Time) -> None:
    store_rule(team)
    work_through(team, time, ("S", 2), ("F", 1), ("S", 3))
    assert courses() == [(1, 1, 2)]
    assert told() == [("recovery", "Lead enrichment failed; it is over")]


def test_many_failures_that_are_over_are_one_alert_and_one_message(team: Team, time: Time) -> None:
    store_rule(team)
    work_through(team, time, ("S", 2), ("S", 6))
    tell(team, ("F", 1), ("F", 4), ("F", 5))
    time.work(1_010)
    assert courses() == [(3, 1, 6)]
    assert told() == [("recovery", "Lead enrichment failed; it is over")]


def test_a_late_failure_of_an_alert_that_is_over_is_counted_there_and_not_told(
    team: Team, time: Time
) -> None:
    store_rule(team)
    work_through(team, time, ("F", 1), ("S", 4), ("F", 2))
    assert courses() == [(2, 1, 4)]
    assert [kind for kind, _ in told()] == ["alert", "recovery"]


def test_a_late_failure_does_not_put_off_a_recovery_that_has_newer_good_runs(
    team: Team, time: Time
) -> None:
    store_rule(team, recovery_after=3)
    work_through(team, time, ("F", 1), ("S", 4), ("S", 5), ("F", 2))
    assert [(alert.count, alert.good_count) for alert in alerts()] == [(2, 2)]
    assert alerts()[0].last_at == at(2)
    work_through(team, time, ("S", 6))
    assert courses() == [(2, 1, 6)]


def test_a_good_run_that_completes_a_recovery_ends_the_alert_once(team: Team, time: Time) -> None:
    store_rule(team, recovery_after=2)
    work_through(team, time, ("F", 1), ("S", 4), ("S", 3))
    assert courses() == [(1, 1, 4)]
    assert [kind for kind, _ in told()] == ["alert", "recovery"]


def test_a_good_run_between_the_failures_of_a_row_ends_the_alert(team: Team, time: Time) -> None:
    store_rule(team, numbers={"in_a_row": 3}, recovery_after=2)
    work_through(team, time, ("F", 1), ("F", 3), ("F", 4), ("S", 2))
    assert courses() == [(3, 1, 2)]
    assert [kind for kind, _ in told()] == ["alert", "recovery"]


def test_what_a_late_good_run_undoes_does_not_end_before_it_began(team: Team, time: Time) -> None:
    numbers = {"percent": 60, "minutes": 20, "least": 3}
    store_rule(team, kind="rate", numbers=numbers, recovery_after=5)
    work_through(team, time, ("S", 1), ("F", 2), ("F", 3), ("S", 1.5))
    (alert,) = alerts()
    assert alert.ended_at is not None and alert.ended_at == alert.began_at


def test_what_a_person_has_closed_is_opened_by_a_late_failure_alone(
    team: Team, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_rule(team)
    work_through(team, time, ("F", 1), ("F", 4))
    monkeypatch.setattr(alert_rules, "now", lambda: at(900))
    close_alert(alerts()[0])
    work_through(team, time, ("S", 0))
    assert len(alerts()) == 1
    work_through(team, time, ("F", 3))
    assert [alert.ended_at is None for alert in alerts()] == [False, True]


def test_a_run_with_very_many_newer_ones_is_history(
    team: Team, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MOST_LATER", 20)
    monkeypatch.setattr(recent, "MARGIN", 3)
    store_rule(team, numbers={"in_a_row": 2})
    tell(team, *(("S", minute) for minute in range(10, 40)))
    time.work(40)
    tell(team, ("F", 1), ("F", 2))
    time.work(41)
    assert alerts() == []
    tell(team, ("F", 30.1), ("F", 30.2))
    time.work(42)
    assert courses() == [(2, 30.1, 31)]


def test_but_a_failure_of_an_alert_that_is_open_is_counted_in_it(
    team: Team, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MOST_LATER", 20)
    monkeypatch.setattr(recent, "MARGIN", 3)
    store_rule(team)
    tell(team, *(("F", 10 + number) for number in range(30)))
    time.work(40)
    tell(team, ("F", 14.5), ("S", 14.6), ("F", 2))  # The last is from before it.
    time.work(41)
    assert courses() == [(31, 10, None)]
    tell(team, ("F", 15.5), ("F", 38.5), ("F", 41.5))
    time.work(42)
    assert courses() == [(34, 10, None)]
    assert [kind for kind, _ in told()] == ["alert"]


def test_the_count_of_a_storm_is_exact_with_one_told_2_500_runs_late(
    team: Team, time: Time
) -> None:
    store_rule(team)
    tell(team, *(("F", number / 100) for number in range(3_000) if number != 500))
    time.work(30)
    tell(team, ("F", 5))
    time.work(31)
    assert courses() == [(3_000, 0, None)]


# --- A sender's clock that is ahead ---------------------------------------------------------------


@pytest.mark.parametrize("numbers", [{"in_a_row": 1}, {"in_a_row": 2}])
def test_a_failure_whose_end_lies_ahead_puts_off_no_recovery(
    team: Team, time: Time, numbers: dict[str, int]
) -> None:
    store_rule(team, numbers=numbers, recovery_after=2)
    tell(team, ("F", -1), ("F", 600))
    time.work(0)
    for minute in (5, 6):
        tell(team, ("S", minute))
        time.work(minute)
    assert [each.count for each in alerts()] == [2]
    assert [(each.last_at, each.ended_at) for each in alerts()] == [(at(0), at(6))]


def test_a_good_run_whose_end_lies_ahead_hides_no_later_failure(team: Team, time: Time) -> None:
    store_rule(team)
    tell(team, ("S", 600))
    time.work(0)
    tell(team, ("F", 5))
    time.work(5)
    assert courses() == [(1, 5, None)]
    (rule,) = db.session.scalars(select(AlertRule))
    assert [each.ended_at for each in replay(db.session(), rule, at(700)).alerts] == [None]
