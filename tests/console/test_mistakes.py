"""Whoever makes two mistakes in a form sees both, each at its field."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.workspaces.mistakes import Mistakes, RefusedError
from app.workspaces.own_password import TooManyTriesError
from app.workspaces.people import setup_token
from tests.console.pages import Page, send_form
from tests.console.refusals import refuse
from tests.console.test_problem_groups import only_group
from tests.factories import Team

FORMS: dict[str, tuple[str, str, dict[str, Any], set[str]]] = {
    "new workflow": (
        "/workflows",
        "/workflows",
        {"name": "", "slug": "No Slug"},
        {"field-name-error", "field-slug-error"},
    ),
    "taken and no slug": (
        "/workflows",
        "/workflows",
        {"name": "Lead enrichment", "slug": "No Slug"},
        {"field-name-error", "field-slug-error"},
    ),
    "both taken": (
        "/workflows",
        "/workflows",
        {"name": "Lead enrichment", "slug": "lead-enrichment"},
        {"field-name-error", "field-slug-error"},
    ),
    "rename": (
        "/workflows/{workflow}",
        "/workflows/{workflow}",
        {"name": "x" * 200, "slug": ""},
        {"field-name-error", "field-slug-error"},
    ),
    "new key": (
        "/keys",
        "/keys",
        {"name": "n8n-prod", "scope": [], "expires": "date", "expires_on": "soon"},
        {"field-name-error", "scopes-error", "field-expires_on-error"},
    ),
    "profile": (
        "/account",
        "/account/profile",
        {"name": "x" * 200, "email": "nobody", "password": ""},
        {"field-name-error", "field-email-error"},
    ),
    "profile with a wrong password": (
        "/account",
        "/account/profile",
        {"name": "x" * 200, "email": "new@example.org", "password": "wrong"},
        {"field-name-error", "field-password-error"},
    ),
    "password": (
        "/account",
        "/account/password",
        {"old_password": "wrong", "new_password": "short"},
        {"field-old_password-error", "field-new_password-error"},
    ),
    "retention": (
        "/settings",
        "/settings/retention",
        {"rejected_days": "x", "event_days": "0", "failure_days": "99999"},
        {"field-rejected_days-error", "field-event_days-error", "field-failure_days-error"},
    ),
}
"""By what the form is for: its page, its action, the mistakes, and the notes at the fields."""


def notes(page: Page) -> set[str]:
    ids = {values.get("id") or "" for _, values in page.tags}
    return {each for each in ids if each.endswith("-error")}


@pytest.mark.parametrize("name", FORMS)
def test_every_mistake_is_told_at_its_field(owner: FlaskClient, team: Team, name: str) -> None:
    path, action, values, expected = FORMS[name]
    ids = {"workflow": team.workflow_public_id}
    answer = send_form(owner, path.format(**ids), action.format(**ids), **values)
    assert answer.status_code == 422
    assert notes(Page(answer.text)) == expected


def test_also_where_a_workflow_is_made_of_a_refused_request(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team)
    link = only_group(owner)
    form = next(
        each
        for each in Page(owner.get(link).text).forms
        if each.action.endswith("/create-workflow")
    )
    data = {**form.fields, "name": team.name, "slug": "No Slug"}
    page = Page(owner.post(form.action, data=data).text)
    assert notes(page) == {"field-name-error", "field-slug-error"}


def test_also_at_the_set_up(app: Flask) -> None:
    client = app.test_client()
    path = f"/setup?token={setup_token()}"
    wrong = {"email": "nobody", "password": "short", "workspace": ""}
    answer = send_form(client, path, "/setup", **wrong)
    assert answer.status_code == 422
    assert notes(Page(answer.text)) == {
        "field-email-error",
        "field-password-error",
        "field-workspace-error",
    }


def test_the_special_kind_of_a_mistake_is_kept() -> None:
    mistakes = Mistakes()
    with mistakes.noted():
        raise RefusedError("name", "A")
    with mistakes.noted():
        raise TooManyTriesError("password", "B", [RefusedError("name", "C")])
    with pytest.raises(TooManyTriesError) as caught:
        mistakes.refuse()
    assert caught.value.errors == {"password": ["B"], "name": ["C", "A"]}
    assert str(caught.value) == "B C A"
