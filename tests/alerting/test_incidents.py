"""Incidents at PagerDuty and Opsgenie: each alert's own, resolved whatever ends it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db, writing
from app.models import Alert, AlertRule, AlertRuleChannel, Delivery, OutboxMessage, Workflow
from app.workspaces.alert_rules import close_alert, delete_rule, switch_rule
from app.workspaces.channels import try_again
from app.workspaces.workflows import create_workflow
from tests.alerting.stories import Time, alerts, at, store_channel, store_rule
from tests.alerting.test_deciding import store_events
from tests.console.pages import open_page, sign_in
from tests.factories import Team


@pytest.fixture
def pager(team: Team) -> int:
    return store_channel(team, "Pager", "pagerduty")


@pytest.fixture
def chat(team: Team) -> int:
    return store_channel(team)


def heard(channel_id: int) -> list[tuple[str, str]]:
    """What a channel was told: the kind of message and the incident."""
    db.session.rollback()
    query = select(OutboxMessage.kind, OutboxMessage.incident).order_by(OutboxMessage.id)
    query = query.join(Delivery, Delivery.message_id == OutboxMessage.id)
    rows = db.session.execute(query.where(Delivery.channel_id == channel_id))
    return [(kind, incident) for kind, incident in rows]


def fail(team: Team, minute: float, workflow: int = 0, kind: str = "run-failure") -> None:
    store_events(team, 1, kind, 0, begin=minute, workflow=workflow)


def test_what_opens_incidents_alone_counts_for_no_message_of_the_minute(
    team: Team, time: Time, pager: int, chat: int
) -> None:
    """Four at once, then three in the fifth message, and when the four are past four more."""
    store_rule(team, channels=[pager, chat])
    flows = [create_workflow(team.workspace_id, f"Flow {number:02}").id for number in range(11)]
    for begin, end, minute in ((0, 4, 0.4), (4, 7, 0.8), (7, 11, 1.5)):
        for number in range(begin, end):
            fail(team, number / 10, flows[number])
        time.work(minute)
    assert len(heard(chat)) == 4 + 1 + 4
    assert len(heard(pager)) == 11


def test_each_of_many_alerts_in_a_message_has_its_own_incident(
    team: Team, time: Time, pager: int, chat: int
) -> None:
    """Eight are told of one after the other; in one minute all recover, and one more fails."""
    store_rule(team, channels=[pager, chat])
    flows = [create_workflow(team.workspace_id, f"Flow {number}").id for number in range(9)]
    for number, workflow in enumerate(flows[:8]):
        fail(team, number, workflow)
        time.work(number)
    for number, workflow in enumerate(flows[:8]):
        fail(team, 20 + number / 10, workflow, "run-success")
    fail(team, 20.9, flows[8])
    time.work(21)
    ids = [alert.public_id for alert in alerts()]
    begun = [("alert", each) for each in ids]
    told = heard(pager)
    assert told[:8] == begun[:8] and len(told) == 17
    assert set(told[8:]) == {("recovery", each) for each in ids[:8]} | {begun[8]}
    assert [kind for kind, _ in heard(chat)[8:]].count("digest") == 1
    assert ("digest", "") in heard(chat) and len(heard(chat)) == 13


def edit(**columns: Any) -> Callable[[], None]:
    def change() -> None:
        with writing() as session:
            session.query(AlertRule).update(columns)

    return change


def archive() -> None:
    with writing() as session:
        session.query(Workflow).update({"archived_at": at(4)})


def find_rule() -> AlertRule:
    db.session.rollback()
    return db.session.scalars(select(AlertRule)).one()


def drop_channels() -> None:
    with writing() as session:
        session.query(AlertRuleChannel).delete()


ENDS: dict[str, tuple[Callable[[], None], bool]] = {
    "closed by hand": (lambda: close_alert(alerts()[0]), False),
    "rule off": (lambda: switch_rule(find_rule(), False), False),
    "rule deleted": (lambda: delete_rule(find_rule()), False),
    "archived": (archive, False),
    "no word of the end": (edit(tells_recovery=False), True),
    "over within a snooze": (edit(snoozed_until=at(30)), True),
}
"""What happens at minute 4, and whether a good run comes at 5."""


@pytest.mark.parametrize("name", ENDS)
def test_an_end_that_nobody_is_told_of_resolves_the_incident(
    team: Team, time: Time, pager: int, chat: int, name: str
) -> None:
    happens, recovers = ENDS[name]
    store_rule(team, channels=[pager, chat])
    fail(team, 0)
    time.work(0)
    happens()
    if recovers:
        fail(team, 5, kind="run-success")
    for minute in (5, 6, 40):
        time.work(minute)
    (alert,) = alerts()
    assert alert.ended_at is not None
    assert heard(pager) == [("alert", alert.public_id), ("resolve", alert.public_id)]
    assert heard(chat) == [("alert", alert.public_id)]


def test_a_channel_that_the_rule_no_longer_has_is_told_of_the_end(
    team: Team, time: Time, pager: int, chat: int
) -> None:
    store_rule(team, channels=[pager, chat])
    fail(team, 0)
    time.work(0)
    drop_channels()
    fail(team, 5, kind="run-success")
    time.work(5)
    assert [kind for kind, _ in heard(pager)] == ["alert", "recovery"]
    assert [kind for kind, _ in heard(chat)] == ["alert"]


def test_what_nobody_was_told_of_is_not_resolved_and_pages_nobody(
    team: Team, time: Time, pager: int
) -> None:
    store_rule(team, channels=[pager], quiet_from="08:00", quiet_until="09:30", quiet_zone="UTC")
    fail(team, 0)
    time.work(0)
    fail(team, 5, kind="run-success")
    time.work(5)
    assert heard(pager) == []
    time.work(31)
    assert [kind for kind, _ in heard(pager)] == ["recovery"]  # A resolve: it opens nothing.
    fail(team, 32)
    edit(snoozed_until=at(60))()
    time.work(32)
    edit(is_on=False)()
    time.work(33)
    assert len(heard(pager)) == 1 and db.session.query(Alert).count() == 2


@pytest.mark.parametrize("kind", ["pagerduty", "opsgenie", "webhook"])
def test_what_was_given_up_opens_no_incident_of_an_alert_that_has_ended(
    team: Team, time: Time, client: FlaskClient, kind: str
) -> None:
    store_rule(team, channels=[store_channel(team, kind=kind)])
    fail(team, 0)
    time.work(0)
    given_up = give_up()
    try_again(given_up)
    assert given_up.state == "waiting"  # The alert is open.
    given_up = give_up()
    fail(team, 5, kind="run-success")
    time.work(5)
    sign_in(client, team.email)
    path = f"/alerts/deliveries/{given_up.public_id}"
    page = open_page(client, path)
    is_offered = f"{path}/again" in [form.action for form in page.forms]
    answer = client.post(f"{path}/again", data=page.form("/sign-out").fields)
    assert answer.status_code == 303
    db.session.rollback()
    assert is_offered == (kind == "webhook") == (given_up.state == "waiting")
    assert ("Its alert has ended" in page.text) == (kind != "webhook")


def give_up() -> Delivery:
    db.session.rollback()
    delivery = db.session.scalars(select(Delivery).order_by(Delivery.id)).first()
    assert delivery is not None
    with writing():
        delivery.state, delivery.next_try_at = "given_up", None
    return delivery
