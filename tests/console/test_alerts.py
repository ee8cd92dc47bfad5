"""Alerts, rules, maintenance and labels in the browser."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.alerting.kinds import KINDS
from app.alerting.ticking import tick
from app.clock import now
from app.extensions import db, writing
from app.models import Alert, AlertRule, Delivery, MaintenanceWindow, WorkflowLabel
from app.processing.batch import process_batch
from app.processing.stuck_runs import mark_stuck_runs
from tests.alerting.stories import store_channel
from tests.console.pages import open_page, send_form
from tests.factories import Team, make_alert, make_team, report

RULES = "/alerts/rules"
NEW = "/alerts/rules/new"


def rules() -> list[AlertRule]:
    db.session.rollback()
    return list(db.session.scalars(select(AlertRule).order_by(AlertRule.id)))


def add_rule(owner: FlaskClient, kind: str = "failed", **values: object) -> AlertRule:
    fields = open_page(owner, f"{NEW}?kind={kind}").form(NEW).fields
    answer = owner.post(NEW, data={"scope": "all", **fields, **values})
    assert answer.status_code == 303, answer.text
    return rules()[-1]


def fail(client: FlaskClient, team: Team, minutes_ago: float = 0) -> None:
    ended_at = now() - timedelta(minutes=minutes_ago)
    report(client, team, "failure", ended_at=ended_at.isoformat(), error_message="no credit")
    process_batch(200)


def test_a_new_workspace_gets_a_suggestion_and_no_rule_behind_its_back(
    owner: FlaskClient, team: Team
) -> None:
    channel = store_channel(team)
    assert rules() == []
    page = open_page(owner, "/alerts")
    assert "Tell me when anything fails" in page.text
    assert send_form(owner, "/alerts", f"{RULES}/suggested").status_code == 303
    (rule,) = rules()
    assert (rule.kind, rule.numbers, rule.is_on) == ("failed", {"in_a_row": 1}, True)
    assert [each.id for each in rule.channels] == [channel]
    assert "Hear of it" not in open_page(owner, "/alerts").text


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_form_that_makes_a_rule_and_opens_again(
    owner: FlaskClient, team: Team, kind: str
) -> None:
    rule = add_rule(owner, kind)
    again = open_page(owner, f"{RULES}/{rule.public_id}").form(f"{RULES}/{rule.public_id}")
    assert owner.post(again.action, data={"scope": "all", **again.fields}).status_code == 303
    (kept,) = rules()
    assert KINDS[kind].schema.load(kept.numbers) == kept.numbers
    assert KINDS[kind].describe(kept.numbers) in open_page(owner, RULES).text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "1 to 120 characters"),
        ("in_a_row", "0", "Enter a whole number from 1 to 100. 0 came."),
        ("in_a_row", "many", "Enter a whole number from 1 to 100. many came."),
        ("cool_down_minutes", "1e9", "Enter a whole number from 0 to 10,080. 1e9 came."),
        ("reminder_minutes", "-1", "from 5 to 43,200"),
        ("quiet_from", "22:00", "Enter a time, such as 22:00."),
        ("quiet_zone", "Mars/Olympus", "Choose a time zone"),
        ("scope", "workflow:aaaaaaaaaaaaaaaaaaaaaaaa", "Choose all workflows"),
        ("scope", "label:nothing", "Choose all workflows"),
        ("channel", "aaaaaaaaaaaaaaaaaaaaaaaa", "not there any more"),
    ],
)
def test_what_can_t_be_read_is_said_at_its_field(
    owner: FlaskClient, team: Team, field: str, value: str, said: str
) -> None:
    fields = open_page(owner, f"{NEW}?kind=failed").form(NEW).fields
    answer = owner.post(NEW, data={"scope": "all", **fields, field: value})
    assert answer.status_code == 422 and said in answer.text
    assert rules() == []


def test_a_new_rule_begins_with_the_reader_s_zone(owner: FlaskClient) -> None:
    owner.set_cookie("time_zone", "Asia/Kathmandu")
    page = open_page(owner, "/alerts/rules/new?kind=failed")
    assert "of the times in its messages" in page.text
    assert "<option selected>Asia/Kathmandu" in owner.get("/alerts/rules/new?kind=failed").text


def test_slow_wants_one_of_a_limit_and_a_factor(owner: FlaskClient, team: Team) -> None:
    fields = open_page(owner, f"{NEW}?kind=slow").form(NEW).fields
    for seconds, factor in (("", ""), ("3", "2")):
        answer = owner.post(NEW, data={**fields, "seconds": seconds, "factor": factor})
        assert answer.status_code == 422 and "one of the two" in answer.text
    rule = add_rule(owner, "slow", seconds="0.5", factor="")
    assert rule.numbers == {"seconds": 0.5}


def test_a_failure_shows_everywhere_and_a_closed_alert_nowhere(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    add_rule(owner)
    fail(client, team)
    alert = db.session.scalars(select(Alert)).one()
    address = f"/alerts/{alert.public_id}"
    for path in ("/alerts", "/", f"/workflows/{team.workflow_public_id}"):
        page = open_page(owner, path)
        assert "Lead enrichment failed" in page.text and address in page.links, path
    page = open_page(owner, address)
    assert "no credit" in page.text and "Shown here only" in page.text
    assert send_form(owner, address, f"{address}/close").status_code == 303
    assert "Nothing is open" in open_page(owner, "/alerts").text
    assert "Lead enrichment failed" in open_page(owner, "/alerts?view=past").text


def test_an_alert_leads_to_its_deliveries(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    store_channel(team)
    send_form(owner, "/alerts", f"{RULES}/suggested")
    fail(client, team)
    with writing() as session:
        delivery = session.scalars(select(Delivery)).one()
        delivery.attempts = 2
    alert = db.session.scalars(select(Alert)).one()
    page = open_page(owner, f"/alerts/{alert.public_id}")
    assert f"/alerts/deliveries/{delivery.public_id}" in page.links
    assert "Tried again soon" in page.text


def test_an_alert_of_a_rate_shows_the_last_run_that_failed(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    add_rule(owner, "rate", least=2)
    fail(client, team, minutes_ago=1)
    fail(client, team)
    alert = db.session.scalars(select(Alert)).one()
    page = open_page(owner, f"/alerts/{alert.public_id}")
    assert "100 % of 2 runs failed" in page.text and "no credit" in page.text
    assert f"/runs/{alert.detail['run']}" in page.links


def test_an_alert_of_a_stuck_run_shows_the_run_that_has_not_ended(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    add_rule(owner, "stuck")
    started_at = (now() - timedelta(days=2)).isoformat()
    body = {
        "workflow_id": team.workflow_public_id,
        "started_at": started_at,
        "external_execution_id": "backup-31",
    }
    answer = client.post("/api/v1/ingest/run-start", json=body, headers=team.headers)
    assert answer.status_code == 202
    process_batch(200)
    mark_stuck_runs()
    tick(now())
    alert = db.session.scalars(select(Alert)).one()
    page = open_page(owner, f"/alerts/{alert.public_id}")
    assert "started 2 d ago" in page.text and "backup-31" in page.text


def test_the_form_shows_what_would_have_been_sent(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    for minutes in (90, 60, 30):
        fail(client, team, minutes)
    page = open_page(owner, f"{NEW}?kind=failed")
    fields = page.form(NEW).fields
    htmx = {"HX-Request": "true"}
    for row, said in (
        ("1", "3 failures"),
        ("3", "1 message about 1 alert"),
        ("4", "it would have kept quiet"),
        ("x", "x came"),
    ):
        answer = owner.post(
            f"{RULES}/preview", data={"scope": "all", **fields, "in_a_row": row}, headers=htmx
        )
        assert answer.status_code == 200 and "<html" not in answer.text
        assert said in open_text(answer.text), row
    whole = owner.post(f"{RULES}/preview", data={"scope": "all", **fields, "in_a_row": "2"})
    assert "<html" in whole.text and 'value="2"' in whole.text
    assert db.session.scalars(select(Alert)).all() == [] and rules() == []


def open_text(html: str) -> str:
    return " ".join(html.replace("<strong>", "").replace("</strong>", "").split())


def test_rules_are_switched_snoozed_and_deleted_and_their_alerts_stay(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    rule = add_rule(owner)
    address = f"{RULES}/{rule.public_id}"
    fail(client, team)
    assert send_form(owner, RULES, f"{address}/snooze", **{"for": "8h"}).status_code == 303
    until = rules()[0].snoozed_until
    assert until is not None and timedelta(hours=7) < until - now() < timedelta(hours=9)
    assert "Snoozed" in open_page(owner, RULES).text
    send_form(owner, RULES, f"{address}/snooze")
    assert rules()[0].snoozed_until is None
    send_form(owner, RULES, f"{address}/switch", on="0")
    assert not rules()[0].is_on
    assert db.session.scalars(select(Alert)).one().ended_at is not None
    send_form(owner, RULES, f"{address}/delete")
    assert rules() == []
    db.session.rollback()
    alert = db.session.scalars(select(Alert)).one()
    assert "(deleted)" in open_page(owner, f"/alerts/{alert.public_id}").text


def test_labels_group_workflows_for_rules_and_windows(owner: FlaskClient, team: Team) -> None:
    path = f"/workflows/{team.workflow_public_id}"
    send_form(owner, path, f"{path}/labels", labels="Billing, nightly , billing")
    labels = db.session.scalars(select(WorkflowLabel.label).order_by(WorkflowLabel.label)).all()
    assert list(labels) == ["billing", "nightly"]
    rule = add_rule(owner, scope="label:billing")
    assert rule.label == "billing"
    assert rule.name in open_page(owner, path).text
    send_form(owner, path, f"{path}/labels", labels="nightly")
    assert "label:billing" in owner.get(f"{RULES}/{rule.public_id}").text
    window = "/alerts/maintenance"
    typed = {
        "name": "Backup",
        "scope": "label:nightly",
        "starts": "2026-03-29T02:30",
        "ends": "2026-03-29T04:00",
        "zone": "Europe/Berlin",
        "is_weekly": "1",
    }
    answer = send_form(owner, window, **typed)
    assert answer.status_code == 422
    assert "02:30 does not exist on 29 Mar 2026 in Europe/Berlin" in answer.text
    assert 'value="2026-03-29T02:30"' in answer.text
    typed["starts"] = "2026-03-29T01:30"
    assert send_form(owner, window, **typed).status_code == 303
    (kept,) = db.session.scalars(select(MaintenanceWindow)).all()
    assert (kept.label, kept.is_weekly, kept.ends_at.hour) == ("nightly", True, 2)
    assert "Backup" in open_page(owner, window).text
    send_form(owner, window, f"{window}/{kept.public_id}/delete")
    assert db.session.scalars(select(MaintenanceWindow)).all() == []


def test_a_viewer_looks_and_another_workspace_sees_nothing(
    owner: FlaskClient,
    colleague: Callable[[str], FlaskClient],
    team: Team,
    app: Flask,
) -> None:
    make_alert(team.workspace_id, team.workflow_id)
    other = make_team("Secret", first=False)
    make_alert(other.workspace_id, other.workflow_id, "Secret plans")
    with writing() as session:
        ids = {row.what: row.public_id for row in session.scalars(select(Alert))}
        names = {row.name: row.public_id for row in session.scalars(select(AlertRule))}
    viewer = colleague("viewer")
    for path in ("/alerts", RULES, "/alerts/maintenance", f"/alerts/{ids['Something is wrong']}"):
        page = open_page(viewer, path)
        assert [form.action for form in page.forms if form.method == "post"] == ["/sign-out"], path
        assert "Secret" not in open_page(owner, path).text
    open_page(viewer, NEW, 403)
    open_page(owner, f"/alerts/{ids['Secret plans']}", 404)
    open_page(owner, f"{RULES}/{names['Secret plans']}", 404)
    token = open_page(owner, RULES).form("/sign-out").fields
    for change in ("", "/switch", "/snooze", "/delete"):
        assert owner.post(f"{RULES}/{names['Secret plans']}{change}", data=token).status_code == 404
