"""What somebody typed is not lost with the session: the answer holds it and gives it back."""

import json

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select

from app.channels.kinds import KINDS
from app.channels.settings import list_secrets
from app.console.kept_forms import SECRETS
from app.extensions import db, writing
from app.models import Event, UserSession, Workflow
from tests.console.pages import Page, open_page, send_form
from tests.console.refusals import refuse
from tests.factories import PASSWORD, Team

BODY = '{\n  "ended_at": "2026-11-24T03:00:00Z",\n  "workflow_slug": "lead-enrichment"\n}'
HOSTILE = '</textarea><script>alert(1)</script>"\n'


def resend_path(owner: FlaskClient, team: Team) -> str:
    refuse(owner, team)
    event = db.session.scalars(select(Event)).one()
    return f"/events/{event.public_id}/resend"


def end_sessions() -> None:
    with writing() as session:
        session.execute(delete(UserSession))


def texts(page: Page) -> list[str]:
    return [values.get("name") or "" for tag, values in page.tags if tag == "textarea"]


def test_an_edited_body_outlives_the_session(owner: FlaskClient, team: Team) -> None:
    path = resend_path(owner, team)
    form = open_page(owner, path).form(path)
    end_sessions()
    typed = {**form.fields, "body": BODY, "kind": "run-success", "workflow": "", "do": "send"}
    answer = owner.post(path, data=typed)
    page = Page(answer.text)
    assert answer.status_code == 401
    assert "What you typed is kept" in page.text and '"lead-enrichment"' in page.text
    form = page.form("/sign-in")
    wrong = owner.post("/sign-in", data={**form.fields, "email": team.email, "password": "no"})
    form = Page(wrong.text).form("/sign-in")
    right = {**form.fields, "email": team.email, "password": PASSWORD}
    answer = owner.post("/sign-in", data=right)
    page = Page(answer.text)
    assert (
        answer.status_code == 200
        and texts(page) == ["body"]
        and BODY in answer.get_data(as_text=True).replace("&#34;", '"')
    )
    sent = owner.post(path, data={**page.form(path).fields, "body": BODY})
    assert sent.status_code == 303
    assert "The request was accepted." in open_page(owner, sent.location).text


def test_a_form_whose_token_is_out_of_date_is_shown_again_with_a_new_one(
    owner: FlaskClient, team: Team
) -> None:
    path = resend_path(owner, team)
    answer = owner.post(path, data={"csrf_token": "old", "body": BODY, "kind": "run-success"})
    page = Page(answer.text)
    assert answer.status_code == 400 and "Not sent yet" in page.text
    fields = page.form(path).fields
    assert fields["kind"] == "run-success" and fields["csrf_token"] != "old"
    assert owner.post(path, data={**fields, "body": BODY}).status_code == 303


def test_it_is_the_same_for_every_form(owner: FlaskClient, team: Team) -> None:
    answer = owner.post("/workflows?page=2", data={"name": "Quite new", "slug": "quite-new"})
    page = Page(answer.text)
    assert "Name Quite new Slug quite-new" in page.text
    fields = page.form("/workflows?page=2").fields
    assert owner.post("/workflows", data=fields).status_code == 303
    assert db.session.scalar(select(Workflow.id).where(Workflow.slug == "quite-new"))


def test_no_password_is_kept(owner: FlaskClient, team: Team) -> None:
    secret = "a secret that nobody sees"
    typed = {"name": "Ana", "email": "new@example.org", "password": secret}
    answer = owner.post("/account/profile", data=typed)
    assert secret not in answer.text
    assert "Passwords are not kept" in Page(answer.text).text


SECRET_SETTINGS = [(kind, name) for kind in KINDS for name in list_secrets(KINDS[kind].Config)]


@pytest.mark.parametrize(("kind", "name"), SECRET_SETTINGS)
def test_no_secret_of_a_channel_is_kept(owner: FlaskClient, kind: str, name: str) -> None:
    typed = {"name": "Ops chat", name: "s3cr3t-of-a-channel"}
    answer = owner.post(f"/alerts/channels/new/{kind}", data=typed)
    assert answer.status_code == 400 and "Ops chat" in answer.text
    assert "s3cr3t-of-a-channel" not in answer.text
    assert "Passwords are not kept" in Page(answer.text).text


def test_what_a_form_hides_while_it_is_typed_is_a_secret(owner: FlaskClient, team: Team) -> None:
    paths = [*(f"/alerts/channels/new/{kind}" for kind in KINDS), "/account", "/sign-in", "/keys"]
    tags = [tag for path in paths for tag in Page(owner.get(path).text).tags]
    hidden = {values.get("name") for _, values in tags if values.get("type") == "password"}
    assert hidden and hidden <= SECRETS


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_what_another_site_sends_is_not_given_back(
    owner: FlaskClient, team: Team, headers: dict[str, str]
) -> None:
    answer = owner.post("/workflows", data={"name": "Planted"}, headers=headers)
    assert answer.status_code == 403 and "Planted" not in answer.text
    end_sessions()
    token = open_page(owner, "/sign-in").form("/sign-in").fields["csrf_token"]
    planted = {"name": "Planted", "csrf_token": token}
    answer = owner.post("/workflows", data=planted, headers=headers)
    assert answer.status_code == 403 and "Planted" not in answer.text


def test_what_was_typed_is_only_text(owner: FlaskClient, team: Team) -> None:
    answer = owner.post("/workflows", data={"name": HOSTILE, "slug": "<b>&\x00"})
    assert answer.status_code == 400 and "<script>alert" not in answer.text
    end_sessions()
    answer = owner.post("/workflows", data={"name": HOSTILE})
    assert answer.status_code == 401 and "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "kept",
    ["", "x", "[]", "[" * 50_000, '["//evil.example", 1, [["a"]], 0]', '["/", "/", [[1, 2]], 0]'],
)
def test_what_can_not_have_been_kept_is_passed_over(
    client: FlaskClient, team: Team, kept: str
) -> None:
    answer = send_form(client, "/sign-in", email=team.email, password=PASSWORD, kept=kept)
    assert answer.status_code == 303


def test_a_kept_form_leads_nowhere_else(client: FlaskClient, team: Team) -> None:
    kept = json.dumps(["//evil.example/x", "https://evil.example", [["name", "\ud800"]], False])
    answer = send_form(client, "/sign-in", email=team.email, password=PASSWORD, kept=kept)
    assert answer.status_code == 200 and "evil.example" not in answer.text


def test_htmx_is_told_to_send_the_form_as_a_page(owner: FlaskClient, team: Team) -> None:
    path = resend_path(owner, team)
    end_sessions()
    for status in (400, 401):
        token = open_page(owner, "/sign-in").form("/sign-in").fields if status == 401 else {}
        data = {**token, "body": BODY, "do": "check"}
        answer = owner.post(path, data=data, headers={"HX-Request": "true"})
        assert (answer.status_code, answer.text) == (status, "")
        assert "form:plain" in answer.headers["HX-Trigger"]
