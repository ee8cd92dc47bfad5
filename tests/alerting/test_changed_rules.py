"""What a person changes reaches the alerts that are open: quiet hours, reminders, labels."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.alerting.kinds import KINDS
from app.extensions import db, writing
from app.models import AlertRule, MaintenanceWindow, Silence, Workflow
from app.workspaces.alert_rules import change_rule
from app.workspaces.labels import set_labels
from app.workspaces.rule_drafts import read_draft
from tests.alerting.stories import Time, alerts, at, messages, store_rule
from tests.factories import Team, report
from tests.simulated_time import simulated_time

QUIET = {"quiet_from": "08:00", "quiet_until": "20:00", "quiet_zone": "UTC"}
"""The stories begin at 09:00."""


def store(*rows: Any) -> None:
    with writing() as session:
        session.add_all(rows)


def silence(team: Team) -> Silence:
    return Silence(
        workflow_id=team.workflow_id, expected_at=at(-5), silent_since=at(0), missed_count=1
    )


def store_silent_rule(team: Team, **columns: Any) -> None:
    store_rule(team, kind="silent", numbers={"minutes": 0}, name="Silent", **columns)
    store(silence(team))


def change_at(minute: float, **typed: str) -> None:
    """As its form does, with what is typed into it."""
    with simulated_time(at(minute)):
        rule = db.session.scalars(select(AlertRule)).one()
        usual = {"name": rule.name, "cool_down_minutes": "0", "tells_recovery": "1"}
        numbers = {name: str(number) for name, number in rule.numbers.items()}
        form = MultiDict({**usual, **numbers, **typed})
        draft = read_draft(rule.workspace_id, KINDS[rule.kind], form)
        assert draft.errors == {}
        change_rule(rule, draft)


def heard() -> list[tuple[str, Any]]:
    return [(message.kind, message.created_at) for message in messages()]


def window(team: Team, begin: float, end: float, **columns: Any) -> MaintenanceWindow:
    return MaintenanceWindow(
        workspace_id=team.workspace_id,
        name="Upgrade",
        starts_at=at(begin),
        ends_at=at(end),
        is_weekly=False,
        zone="UTC",
        **columns,
    )


def test_what_waits_for_quiet_hours_is_told_once_they_are_removed(team: Team, time: Time) -> None:
    store_silent_rule(team, **QUIET)
    time.work(1)
    assert heard() == []
    change_at(5)
    time.work(6)
    assert heard() == [("alert", at(6))]


def test_an_end_that_waits_for_quiet_hours_is_told_too(
    client: FlaskClient, team: Team, time: Time
) -> None:
    store_rule(team)
    report(client, team, "failure", ended_at=at(0).isoformat())
    time.work(0)
    change_at(1, quiet_from="08:00", quiet_until="20:00")
    report(client, team, "success", ended_at=at(2).isoformat())
    time.work(2)
    assert heard() == [("alert", at(0))]
    change_at(5)
    time.work(6)
    assert heard() == [("alert", at(0)), ("recovery", at(6))]


def test_a_reminder_that_is_added_comes(team: Team, time: Time) -> None:
    store_silent_rule(team)
    time.work(1)
    change_at(5, reminder_minutes="30")
    for minute in (6, 30, 31):
        time.work(minute)
    assert heard() == [("alert", at(1)), ("reminder", at(31))]


@pytest.mark.parametrize(("minute", "comes"), [(5, 31), (90, 91)])
def test_a_reminder_that_is_shortened_comes_sooner(
    team: Team, time: Time, minute: float, comes: float
) -> None:
    store_silent_rule(team, reminder_minutes=1_440)
    time.work(1)
    change_at(minute, reminder_minutes="30")
    time.work(minute + 1)
    time.work(comes)
    assert heard() == [("alert", at(1)), ("reminder", at(comes))]


def test_a_reminder_that_is_removed_stays_away(team: Team, time: Time) -> None:
    store_silent_rule(team, reminder_minutes=30)
    time.work(1)
    change_at(5)
    for minute in (6, 31, 90):
        time.work(minute)
    assert heard() == [("alert", at(1))]
    assert [alert.due_at for alert in alerts()] == [None]


def test_an_alert_that_needs_nothing_stays_as_it_was(team: Team, time: Time) -> None:
    store_silent_rule(team)
    time.work(1)

    def columns() -> list[dict[str, Any]]:
        names = [column.key for column in alerts()[0].__table__.columns]
        return [{name: getattr(alert, name) for name in names} for alert in alerts()]

    before = columns()
    change_at(5, name="Quite silent")
    time.work(6)
    assert columns() == before and heard() == [("alert", at(1))]


def test_a_shorter_cool_down_holds_no_longer(client: FlaskClient, team: Team, time: Time) -> None:
    store_rule(team, cool_down_minutes=60)
    for minute, kind in enumerate(("failure", "success", "failure")):
        report(client, team, kind, ended_at=at(minute).isoformat())
        time.work(minute)
    assert [kind for kind, _ in heard()] == ["alert", "recovery"]
    change_at(5, cool_down_minutes="10")
    for minute in (6, 10, 11):
        time.work(minute)
    assert heard()[2:] == [("alert", at(11))]


def test_what_is_muted_stays_muted(client: FlaskClient, team: Team, time: Time) -> None:
    store_rule(team, snoozed_until=at(3))
    report(client, team, "failure", ended_at=at(0).isoformat())
    time.work(0)
    change_at(5, reminder_minutes="30")
    for minute in (6, 40):
        time.work(minute)
    assert heard() == [] and [alert.due_at for alert in alerts()] == [None]


def test_a_change_during_maintenance_silences_nothing_that_only_waits(
    client: FlaskClient, team: Team, time: Time
) -> None:
    store_rule(team, quiet_from="08:00", quiet_until="09:30", quiet_zone="UTC")
    report(client, team, "failure", ended_at=at(0).isoformat())
    time.work(0)
    store(window(team, 1, 20))
    change_at(5, quiet_from="08:00", quiet_until="09:10")
    for minute in (6, 10, 19, 20):
        time.work(minute)
    assert heard() == [("alert", at(20))]


def test_a_label_that_is_removed_ends_the_hush_of_its_window(team: Team, time: Time) -> None:
    workflow = db.session.get_one(Workflow, team.workflow_id)
    set_labels(workflow, "nightly")
    store(window(team, -5, 600, label="nightly"))
    store_silent_rule(team)
    time.work(1)
    assert heard() == []
    with simulated_time(at(5)):
        set_labels(workflow, "")
    time.work(6)
    assert heard() == [("alert", at(6))]
