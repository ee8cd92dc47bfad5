"""What ends an alert though nothing has recovered: said in true words, and told to nobody."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.alerting.kinds import KINDS
from app.extensions import db
from app.models import AlertRule, Workflow
from app.workspaces.alert_rules import change_rule, close_alert, delete_rule, switch_rule
from app.workspaces.labels import set_labels
from app.workspaces.rule_drafts import read_draft
from app.workspaces.workflows import archive_workflow, create_workflow
from tests.alerting.stories import Time, alerts, messages, store_channel, store_rule, told
from tests.alerting.test_deciding import store_events
from tests.alerting.test_incidents import heard
from tests.alerting.test_ticking import silence, store, stuck_run
from tests.console.pages import Page, sign_in
from tests.factories import Team, make_team

FOUND: dict[str, tuple[dict[str, int], Callable[[Team], None]]] = {
    "failed": ({"in_a_row": 1}, lambda team: store_events(team, 1, "run-failure", 0)),
    "stuck": ({"runs": 1}, lambda team: store(stuck_run(team, 0))),
    "silent": ({"minutes": 1}, lambda team: store(silence(team, -1))),
}
"""For each kind, a rule's numbers, and what it finds."""


@pytest.fixture
def team(app: Flask) -> Team:
    team = make_team()
    set_labels(find_workflow(team), "billing, night")
    return team


def find_workflow(team: Team) -> Workflow:
    db.session.rollback()
    workflow = db.session.get(Workflow, team.workflow_id)
    assert workflow is not None
    return workflow


def find_rule() -> AlertRule:
    db.session.rollback()
    return db.session.scalars(select(AlertRule)).one()


def edit(**fields: Any) -> Callable[[Team], None]:
    """A change of the rule's form; what is not named stays."""

    def change(team: Team) -> None:
        rule = find_rule()
        form = {"name": rule.name, "cool_down_minutes": 0, "scope": "label:billing"}
        form["tells_recovery"] = "on"
        form |= {**rule.numbers, **{name: make(team) for name, make in fields.items()}}
        draft = read_draft(
            team.workspace_id, KINDS[rule.kind], MultiDict({k: str(v) for k, v in form.items()})
        )
        assert not draft.errors
        change_rule(rule, draft)

    return change


def another(team: Team) -> str:
    return f"workflow:{create_workflow(team.workspace_id, 'Invoice sync').public_id}"


ENDS: dict[str, tuple[Callable[[Team], Any], str]] = {
    "label taken": (
        lambda team: set_labels(find_workflow(team), "night"),
        "The rule no longer covers this workflow.",
    ),
    "for another workflow": (edit(scope=another), "The rule no longer covers this workflow."),
    "rule deleted": (lambda team: delete_rule(find_rule()), "The rule was deleted."),
    "rule off": (lambda team: switch_rule(find_rule(), False), "The rule was switched off."),
    "archived": (lambda team: archive_workflow(find_workflow(team)), "The workflow was archived."),
    "closed": (lambda team: close_alert(alerts()[0]), "Somebody closed it."),
}


@pytest.mark.parametrize(
    ("name", "kind"),
    # What lasts is found again at once, and can't be closed by hand.
    [(name, kind) for name in ENDS for kind in FOUND if name != "closed" or kind == "failed"],
)
def test_an_alert_that_nobody_looks_after_ends_in_true_words_and_not_as_recovered(
    team: Team, time: Time, client: FlaskClient, name: str, kind: str
) -> None:
    (numbers, find), (happens, words) = FOUND[kind], ENDS[name]
    chat, pager = store_channel(team), store_channel(team, "Pager", "pagerduty")
    store_rule(team, kind=kind, numbers=numbers, label="billing", channels=[chat, pager])
    find(team)
    time.work(1)
    happens(team)
    time.work(2)
    (alert,) = alerts()
    assert alert.ended_at is not None
    assert heard(pager)[:2] == [("alert", alert.public_id), ("resolve", alert.public_id)]
    assert messages()[1].text.startswith(words)
    assert "recovery" not in {each for each, _ in heard(chat)}
    sign_in(client, team.email)
    assert words in Page(client.get(f"/alerts/{alert.public_id}").text).text


@pytest.mark.parametrize("scope", ["all", "label:night", "workflow:{public_id}"])
def test_a_rule_that_still_covers_the_workflow_keeps_its_alert(
    team: Team, time: Time, scope: str
) -> None:
    store_rule(team, label="billing")
    store_events(team, 1, "run-failure", 0)
    time.work(1)
    edit(scope=lambda team: scope.format(public_id=team.workflow_public_id))(team)
    set_labels(find_workflow(team), "night")
    time.work(2)
    assert [each.ended_at for each in alerts()] == [None]
    store_events(team, 1, "run-success", 0, begin=3)
    time.work(3)
    assert [kind for kind, _ in told()] == ["alert", "recovery"]


def test_a_rule_that_looks_for_something_else_ends_its_alerts(team: Team, time: Time) -> None:
    store_rule(team, label="billing")
    store_events(team, 1, "run-failure", 0)
    time.work(1)
    edit(in_a_row=lambda team: 3)(team)
    assert [each.detail["ended"] for each in alerts()] == ["changed"]


def test_an_alert_that_goes_on_after_all_forgets_why_it_had_ended(team: Team, time: Time) -> None:
    store_rule(team, label="billing", cool_down_minutes=30)
    store_events(team, 1, "run-failure", 0)
    time.work(1)
    set_labels(find_workflow(team), "")
    time.work(2)
    set_labels(find_workflow(team), "billing")
    store_events(team, 1, "run-failure", 0, begin=3)
    time.work(3)
    (alert,) = alerts()
    assert alert.ended_at is None and "ended" not in alert.detail


def test_what_had_recovered_before_is_not_said_to_have_ended_otherwise(
    team: Team, time: Time
) -> None:
    quiet = {"quiet_from": "09:01", "quiet_until": "10:00", "quiet_zone": "UTC"}
    store_rule(team, label="billing", **quiet)
    store_events(team, 1, "run-failure", 0)
    time.work(0)
    store_events(team, 1, "run-success", 0, begin=2)
    time.work(2)
    set_labels(find_workflow(team), "")
    time.work(3)
    assert [(each.ended_at is not None, each.detail.get("ended")) for each in alerts()] == [
        (True, None)
    ]
