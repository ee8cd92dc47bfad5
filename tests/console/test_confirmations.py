"""What can't be undone asks first, by name: also in a browser that runs no script."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.models import ApiKey, Workflow
from app.workspaces.badges import renew_badge
from app.workspaces.schedules import Wish, set_schedule
from tests.channels.deliveries import store_channels
from tests.console.pages import Page, open_page
from tests.console.refusals import refuse
from tests.console.test_accessibility import some_of_each
from tests.factories import Team, make_alert
from tests.pages_map import addresses
from tests.sessions import make_client

DESTRUCTIVE = {
    "account.end_others",
    "account.end_session",
    "alert_rules.delete",
    "alerts.close",
    "channel.delete",
    "channel.new_secret",
    "key_page.rotate",
    "keys.revoke",
    "maintenance.delete_window",
    "mending.run_all_again",
    "problem_groups.reprocess",
    "schedules.remove",
    "settings.remove",
    "settings.save_retention",
    "settings.save_role",
    "workflow_extras.renew",
    "workflow_extras.switch_off",
    "workflows.archive",
}
"""What can't be taken back, or not by a click, and what ends something for others."""


@pytest.mark.once
def test_whatever_destroys_asks_first_on_every_page(
    app: Flask, owner: FlaskClient, team: Team, colleague: Callable[[str], FlaskClient]
) -> None:
    colleague("viewer")
    make_client(app, team.email)
    store_channels(team.workspace_id, ["Ops", "Boss's chat"])
    make_alert(team.workspace_id, team.workflow_id)
    refuse(owner, team, 2)
    workflow = db.session.get_one(Workflow, team.workflow_id)
    renew_badge(workflow)
    set_schedule(workflow, Wish("interval", 3_600, None, "UTC", 300))
    ids = some_of_each(team.workspace_id)
    asking, silent = set[str](), set[str]()
    routes = app.url_map.bind("localhost")
    for path in {re.sub(r"\?.*", "", each) for each in addresses(ids)}:
        for form in Page(owner.get(path).text).forms:
            if form.method == "post" and form.action:
                endpoint, _ = routes.match(form.action.partition("?")[0], "POST")
                (asking if "asked" in form.fields else silent).add(endpoint)
    assert asking == DESTRUCTIVE
    assert asking & silent == set()


def badge_of(team: Team) -> str | None:
    db.session.expire_all()
    return db.session.get_one(Workflow, team.workflow_id).badge_token


def test_without_a_script_the_server_asks_and_names_what_goes(
    owner: FlaskClient, team: Team
) -> None:
    form = next(form for form in open_page(owner, "/keys").forms if "asked" in form.fields)
    asked = owner.post(form.action, data=form.fields, headers={"Referer": "http://localhost/keys"})
    page = Page(asked.text)
    assert "Revoke n8n-prod?" in page.text and "never works again" in page.text
    assert "/keys" in page.links
    assert db.session.get_one(ApiKey, team.api_key_id).revoked_at is None
    yes = page.form(form.action)
    assert "asked" not in yes.fields
    assert owner.post(yes.action, data=yes.fields).status_code == 303
    db.session.expire_all()
    assert db.session.get_one(ApiKey, team.api_key_id).revoked_at is not None


def test_what_was_filled_in_comes_along(owner: FlaskClient, team: Team) -> None:
    form = open_page(owner, "/settings").form("/settings/retention")
    typed = {**form.fields, "event_days": "41", "asked": ["Really <b>?", "It goes.", "Do"]}
    page = Page(owner.post(form.action, data=typed).text)
    assert "Really <b>?" in page.text
    assert page.form(form.action).fields["event_days"] == "41"


def test_a_viewer_is_not_asked_but_refused(
    colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    viewer = colleague("viewer")
    token = open_page(viewer, "/account").form("/account/profile").fields["csrf_token"]
    address = f"/workflows/{team.workflow_public_id}/archive"
    answer = viewer.post(address, data={"csrf_token": token, "asked": ["Archive?"]})
    assert answer.status_code == 403


def test_a_badge_is_renewed_and_switched_off_only_after_its_name_was_read(
    owner: FlaskClient, team: Team
) -> None:
    renew_badge(db.session.get_one(Workflow, team.workflow_id))
    page, token = open_page(owner, f"/workflows/{team.workflow_public_id}"), badge_of(team)
    badge = f"/workflows/{team.workflow_public_id}/badge"
    for form in [form for form in page.forms if form.action.startswith(badge)]:
        assert team.name in form.fields["asked"][0]
        owner.post(form.action, data=form.fields)
    assert badge_of(team) == token
