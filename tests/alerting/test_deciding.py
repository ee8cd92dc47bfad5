"""Rules about runs: decided with the runs, in one transaction, exactly once."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.extensions import db, writing
from app.models import Delivery, Event, Run, Workflow
from app.processing import batch
from app.workspaces.workflows import create_workflow
from tests.alerting.stories import (
    START,
    Time,
    alerts,
    at,
    messages,
    store_channel,
    store_rule,
    told,
)
from tests.drills.record import record
from tests.drills.reliability import is_held
from tests.factories import Team, accepted_row, report
from tests.together import do_together


def send(client: FlaskClient, team: Team, kind: str, minute: float, **fields: Any) -> None:
    answer = report(client, team, kind, ended_at=at(minute).isoformat(), **fields)
    assert answer.status_code == 202


def test_signs_that_control_something_are_seen_in_a_message_and_control_nothing(
    client: FlaskClient, team: Team, time: Time
) -> None:
    store_rule(team, channels=[store_channel(team)])
    error = "\x1b[2Jgone\u202etxt.exe \x9b31m\u2028new\nline"
    send(client, team, "failure", 0, error_message=error, error_type="Odd\nType: \u202eepyt")
    time.work(0)
    (message,) = messages()
    said = message.text.partition("\nSince")[0]
    seen = "␛[2Jgone⟨U+202E⟩txt.exe ⟨U+009B⟩31m⟨U+2028⟩new\nline"
    assert said == f"Odd Type: epyt: {seen}"


def test_a_failure_is_told_once_and_its_end_too(
    client: FlaskClient, team: Team, time: Time
) -> None:
    store_rule(team, channels=[store_channel(team)])
    send(client, team, "failure", 0, error_message="no credit", error_type="Billing")
    time.work(0)
    send(client, team, "failure", 1)
    time.work(1)
    send(client, team, "success", 2)
    time.work(2)
    assert told() == [
        ("alert", "Lead enrichment failed"),
        ("recovery", "Lead enrichment works again"),
    ]
    (alert,) = alerts()
    assert (alert.count, alert.began_at, alert.ended_at) == (2, at(0), at(2))
    first, last = messages()
    assert first.text == "Billing: no credit\nSince 2 Nov 2026, 09:00 UTC, 1 failure so far."
    facts = dict(map(tuple, first.facts))
    assert list(facts) == ["Workflow", "Rule", "Run"]
    assert facts["Run"].endswith(
        f"/runs/{db.session.scalars(select(Run.public_id).order_by(Run.id)).first()}"
    )
    assert "It lasted from 2 Nov 2026, 09:00 UTC to 2 Nov 2026, 09:02 UTC" in last.text
    assert first.link.endswith(f"/alerts/{alert.public_id}")
    assert db.session.scalar(select(func.count(Delivery.id))) == 2


@pytest.mark.parametrize("first", [2_000, pytest.param(10_000, marks=pytest.mark.drill("storm"))])
def test_a_storm_is_one_alert_and_digests_with_exact_counts(
    client: FlaskClient, team: Team, time: Time, first: int, database_kind: str
) -> None:
    """So many failures within a minute, and some more after it."""
    store_rule(team)
    store_events(team, first, "run-failure", seconds=60)
    time.work(1)
    store_events(team, 500, "run-failure", seconds=60, begin=3)
    for minute in range(4, 20):
        time.work(minute)
    (alert,) = alerts()
    if first == 10_000:
        told = {"failures": first + 500, "counted": alert.count, "messages": len(messages())}
        record("storm", database_kind, **told)
        assert is_held("storm", told), told
    assert alert.count == first + 500
    assert [(message.kind, message.created_at) for message in messages()] == [
        ("alert", at(1)),
        ("digest", at(6)),
    ]
    said = re.search(r"([\d,]+) failures? so far", messages()[0].text)
    assert said is not None
    new = first + 500 - int(said[1].replace(",", ""))
    assert messages()[1].title == f"Lead enrichment: {new:,} more failures"
    assert f"{first + 500:,} in all" in messages()[1].text


def store_events(
    team: Team, count: int, kind: str, seconds: float, begin: float = 0, workflow: int = 0
) -> None:
    rows = [
        accepted_row(
            START,
            public_id=f"{begin:05.1f}{number:019d}".replace(".", "x")[:24],
            workspace_id=team.workspace_id,
            workflow_id=workflow or team.workflow_id,
            kind=kind,
            payload={
                "ended_at": (at(begin) + timedelta(seconds=seconds * number / count)).isoformat(),
                "error_message": f"boom {number}",
            },
        )
        for number in range(count)
    ]
    with writing() as session:
        session.connection().execute(Event.__table__.insert(), rows)


@pytest.mark.parametrize("crashes_at", ["finish", "decide"])
def test_a_crash_in_mid_batch_leaves_nothing_and_the_repetition_tells_once(
    client: FlaskClient,
    team: Team,
    time: Time,
    monkeypatch: pytest.MonkeyPatch,
    crashes_at: str,
) -> None:
    store_rule(team, channels=[store_channel(team)])
    send(client, team, "failure", 0)
    keep, decide = monkeypatch, batch.decide

    def crash(*arguments: Any) -> None:
        if crashes_at == "decide":
            decide(*arguments)
        raise KeyboardInterrupt

    with keep.context() as patch:
        patch.setattr(batch, crashes_at, crash)
        with pytest.raises(KeyboardInterrupt):
            time.work(0)
    assert alerts() == [] and messages() == []
    assert db.session.scalar(select(func.count(Run.id))) == 0
    time.work(0)
    assert len(alerts()) == 1 and told() == [("alert", "Lead enrichment failed")]


def test_old_runs_tests_and_other_workflows_raise_nothing(
    client: FlaskClient, team: Team, time: Time
) -> None:
    other = create_workflow(team.workspace_id, "Invoice sync").id
    store_rule(team, workflow_id=other)
    send(client, team, "failure", 0)
    time.work(0)
    store_events(team, 1, "run-failure", 0, begin=-24 * 60 - 1, workflow=other)
    time.work(0)
    assert alerts() == []
    store_events(team, 1, "run-failure", 0, begin=-24 * 60 + 1, workflow=other)
    time.work(0)
    assert [alert.workflow_id for alert in alerts()] == [other]


def test_one_execution_that_is_told_of_twice_is_one_finding(
    client: FlaskClient, team: Team, time: Time
) -> None:
    store_rule(team)
    for minute in (0, 1):
        send(client, team, "failure", minute, external_execution_id="e-1")
        time.work(minute)
    assert [alert.count for alert in alerts()] == [1]
    send(client, team, "success", 2, external_execution_id="e-1")
    time.work(2)
    assert [alert.ended_at for alert in alerts()] == [at(2)]


def test_a_success_from_before_the_failure_ends_nothing(
    client: FlaskClient, team: Team, time: Time
) -> None:
    store_rule(team)
    send(client, team, "failure", 5)
    time.work(5)
    send(client, team, "success", 4)
    time.work(6)
    assert [alert.ended_at for alert in alerts()] == [None]


def test_rows_of_failures_go_on_from_batch_to_batch(
    client: FlaskClient, team: Team, time: Time
) -> None:
    store_rule(team, numbers={"in_a_row": 3})
    for minute, kind in enumerate(("failure", "failure", "success", "failure", "failure")):
        send(client, team, kind, minute)
        time.work(minute)
    assert alerts() == []
    send(client, team, "failure", 5)
    time.work(5)
    (alert,) = alerts()
    assert (alert.what, alert.count) == ("Lead enrichment failed 3 times in a row", 3)
    assert alert.began_at == at(3)


def test_a_rate_that_rises_again_within_the_cool_down_counts_each_failure_once(
    client: FlaskClient, team: Team, time: Time
) -> None:
    numbers = {"percent": 50, "minutes": 60, "least": 4}
    store_rule(team, kind="rate", numbers=numbers, cool_down_minutes=60)
    for minute, letter in enumerate("FFFFSSSSSFFF"):
        store_events(team, 1, f"run-{'failure' if letter == 'F' else 'success'}", 0, begin=minute)
        time.work(minute)
    assert [(alert.count, alert.ended_at) for alert in alerts()] == [(7, None)]


def test_many_workflows_at_once_are_at_most_five_messages_a_minute(
    client: FlaskClient, team: Team, time: Time
) -> None:
    store_rule(team)
    for number in range(30):
        workflow = create_workflow(team.workspace_id, f"Flow {number:02}").id
        store_events(team, 1, "run-failure", 0, begin=number / 10, workflow=workflow)
    time.work(3)
    assert len(alerts()) == 30
    assert len(messages()) == 5
    assert messages()[-1].title == "Failures: 26 more alerts"
    assert messages()[-1].text.endswith("and 6 more")
    late = create_workflow(team.workspace_id, "Late").id
    store_events(team, 1, "run-failure", 0, begin=3, workflow=late)
    time.work(3.5)
    assert len(messages()) == 5
    time.work(4)
    assert told()[5:] == [("alert", "Late failed")]


def test_an_archived_workflow_ends_its_alerts_quietly(
    client: FlaskClient, team: Team, time: Time
) -> None:
    store_rule(team)
    send(client, team, "failure", 0)
    time.work(0)
    with writing() as session:
        workflow = session.get(Workflow, team.workflow_id)
        assert workflow is not None
        workflow.archived_at = at(1)
    time.work(2)
    assert [alert.ended_at for alert in alerts()] == [at(2)]
    assert len(messages()) == 1


def test_three_workers_at_once_make_one_alert_with_an_exact_count(
    client: FlaskClient, team: Team, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "now", lambda: at(1))
    store_rule(team)
    store_events(team, 300, "run-failure", seconds=60)

    def work() -> None:
        while batch.process_batch(10):
            pass

    failures = do_together(app, 3, work)
    assert failures == []
    assert [alert.count for alert in alerts()] == [300]
    assert told() == [("alert", "Lead enrichment failed")]
