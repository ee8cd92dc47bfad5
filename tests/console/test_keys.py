"""API keys in the browser."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.clock import now
from app.console.key_form import LIFETIMES
from app.extensions import db, writing
from app.models import ApiKey, Workflow
from app.workspaces.api_keys import create_api_key
from app.workspaces.workflows import create_workflow
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, make_team, report, success

KEY = re.compile(r"fp_[0-9A-Za-z]{36}")


def address(team: Team) -> str:
    api_key = db.session.get(ApiKey, team.api_key_id)
    assert api_key is not None
    return f"/keys/{api_key.public_id}/revoke"


def test_a_new_key_is_shown_once_and_works(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, "/keys", name="Make")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    key = KEY.search(answer.text)
    assert key is not None
    sent = owner.post(
        "/api/v1/ingest/run-success", json=success(team), headers={"X-API-Key": key[0]}
    )
    assert sent.status_code == 202
    assert not KEY.search(owner.get("/keys").text)
    assert key[0][:11] in owner.get("/keys").text


def test_the_new_key_comes_with_a_command_that_uses_it(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, "/keys", name="Make")
    page = Page(answer.text)
    assert len(KEY.findall(page.text)) == 2
    assert f'"workflow_slug": "{team.slug}"' in page.text
    assert "http://localhost/api/v1/ingest/run-success" in page.text


def test_a_key_has_the_scopes_that_were_ticked(owner: FlaskClient) -> None:
    send_form(owner, "/keys", name="Reader", scope=["read"])
    made = db.session.scalar(select(ApiKey).where(ApiKey.name == "Reader"))
    assert made is not None and made.scope_names == ("read",)


def test_a_key_may_expire(owner: FlaskClient) -> None:
    for choice, lifetime in LIFETIMES.items():
        send_form(owner, "/keys", name=choice, expires=choice)
        made = db.session.scalar(select(ApiKey).where(ApiKey.name == choice))
        assert made is not None
        if lifetime is None:
            assert made.expires_at is None
        else:
            assert made.expires_at is not None
            assert abs(made.expires_at - now() - lifetime) < timedelta(minutes=1)


def test_a_new_key_has_both_scopes_unless_one_is_unticked(owner: FlaskClient) -> None:
    assert open_page(owner, "/keys").form("/keys").fields["scope"] == ["ingest", "read"]
    send_form(owner, "/keys", name="Sender")
    made = db.session.scalar(select(ApiKey).where(ApiKey.name == "Sender"))
    assert made is not None and made.scope_names == ("ingest", "read")


def test_all_slips_are_told_at_once_and_what_was_typed_stays(
    owner: FlaskClient, team: Team
) -> None:
    values = {"name": "n8n-prod", "scope": [], "expires": "date", "expires_on": "2020-01-01"}
    answer = send_form(owner, "/keys", **values, workflow=[team.workflow_public_id, "x" * 24])
    page = Page(answer.text)
    assert answer.status_code == 422
    for place in ("field-name", "scopes", "field-expires_on", "workflows"):
        assert page.has_id(f"{place}-error"), place
    fields = page.form("/keys").fields
    assert (fields["name"], fields["expires_on"]) == ("n8n-prod", "2020-01-01")
    assert fields["workflow"] == [team.workflow_public_id] and "scope" not in fields


def test_a_slip_is_named_and_makes_no_key(owner: FlaskClient) -> None:
    slips: list[tuple[dict[str, Any], str]] = [
        ({"name": ""}, "Enter a name"),
        ({"name": "n8n-prod"}, "Another key has the name"),
        ({"name": "New", "scope": []}, "Choose at least one scope"),
        ({"name": "New", "scope": ["admin"]}, "Choose at least one scope"),
        ({"name": "New", "expires": "3000 years"}, "Choose one of never"),
    ]
    for values, message in slips:
        answer = send_form(owner, "/keys", **values)
        assert answer.status_code == 422
        assert message in Page(answer.text).text
    assert len(db.session.scalars(select(ApiKey)).all()) == 1


def test_a_revoked_key_is_refused_on_the_next_request(owner: FlaskClient, team: Team) -> None:
    assert report(owner, team).status_code == 202
    answer = send_form(owner, "/keys", address(team))
    assert (answer.status_code, answer.location) == (303, "/keys")
    assert report(owner, team).status_code == 401
    page = open_page(owner, "/keys")
    assert "Revoked" in page.text
    assert f"by {team.email}" in page.text
    assert not [form for form in page.forms if form.action == address(team)]


def test_revoking_asks_first_and_names_the_key(owner: FlaskClient) -> None:
    page = open_page(owner, "/keys")
    titles = [title for title, *_ in page.questions]
    assert "Revoke n8n-prod?" in titles


def test_a_key_may_expire_at_the_end_of_a_day(owner: FlaskClient) -> None:
    day = (now() + timedelta(days=5)).date().isoformat()
    send_form(owner, "/keys", name="New", expires="date", expires_on=day)
    made = db.session.scalar(select(ApiKey).where(ApiKey.name == "New"))
    assert made is not None and made.expires_at is not None
    assert made.expires_at.isoformat() == f"{day}T23:59:59+00:00"
    for wrong in ("", "2020-01-01", "31.12.2026", "2999-01-01", "0001-01-01", "9999-12-31"):
        answer = send_form(owner, "/keys", name="Next", expires="date", expires_on=wrong)
        assert answer.status_code == 422
        assert Page(answer.text).has_id("field-expires_on-error")


@pytest.mark.parametrize(
    ("own", "sent", "end"),
    [
        ("", "America/New_York", "02-01T04:59:59"),
        ("", "Asia/Calcutta", "01-31T18:29:59"),
        ("", "../../etc/passwd", "01-31T23:59:59"),
        ("Asia/Tokyo", "America/New_York", "01-31T14:59:59"),
    ],
)
def test_a_day_ends_where_its_reader_lives(
    owner: FlaskClient, team: Team, own: str, sent: str, end: str
) -> None:
    send_form(owner, "/account", "/account/time-zone", time_zone=own)
    year = now().year + 1
    values = {"expires": "date", "expires_on": f"{year}-01-31", "zone": sent}
    answer = send_form(owner, "/keys", name="New", **values)
    made = db.session.scalar(select(ApiKey).where(ApiKey.name == "New"))
    assert made is not None and made.expires_at is not None
    assert made.expires_at.isoformat() == f"{year}-{end}+00:00"
    if own:
        assert f"31 Jan {year}, 23:59:59 JST" in Page(answer.text).text
        assert "to the end of that day, Asia/Tokyo time." in open_page(owner, "/keys").text


def test_a_key_works_for_the_workflows_that_were_ticked(owner: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Invoice sync")
    answer = send_form(owner, "/keys", name="Invoices", workflow=[other.public_id])
    assert "Works for Invoice sync" in Page(answer.text).text
    key = KEY.search(answer.text)
    assert key is not None and f'"workflow_slug": "{other.slug}"' in Page(answer.text).text
    for slug, status in ((other.slug, 202), (team.slug, 403)):
        body = success(team, workflow_slug=slug)
        sent = owner.post("/api/v1/ingest/run-success", json=body, headers={"X-API-Key": key[0]})
        assert sent.status_code == status
    assert "1 workflow" in open_page(owner, "/keys").text


def test_a_workflow_of_others_can_not_be_ticked(owner: FlaskClient, team: Team) -> None:
    other = make_team("Elsewhere", first=False)
    answer = send_form(owner, "/keys", name="New", workflow=[other.workflow_public_id])
    assert answer.status_code == 422 and Page(answer.text).has_id("workflows-error")
    assert "Elsewhere" not in Page(answer.text).text


def test_revoked_keys_are_turned_over_too_and_revoking_leads_back(
    owner: FlaskClient, team: Team
) -> None:
    with writing() as session:
        session.add_all(
            ApiKey(
                workspace_id=team.workspace_id,
                name=f"{n:02}" + "k" * 118,
                prefix=f"fp_{n}",
                key_hash=f"{n}",
                revoked_at=now() if n < 25 else None,
            )
            for n in range(60)
        )
        session.add_all(
            Workflow(workspace_id=team.workspace_id, name=f"{n:03}" + "<" * 117, slug=f"w-{n}")
            for n in range(300)
        )
    seen = []
    for number in (1, 2, 3):
        answer = owner.get(f"/keys?ended={number}&page=2")
        assert len(answer.data) < 100_000
        seen += re.findall(r">(\d\dk{118})<.*?</tr>", answer.text, re.DOTALL)
    assert {f"{n:02}" + "k" * 118 for n in range(25)} < set(seen)
    page = open_page(owner, "/keys?page=2&ended=2")
    assert "/keys?page=2&ended=3#ended" in page.links and "/keys?ended=2&page=1" in page.links
    action = next(form.action for form in page.forms if "/revoke?page=2&ended=2" in form.action)
    answer = send_form(owner, "/keys?page=2&ended=2", action)
    assert answer.location == "/keys?page=2&ended=2"


def test_many_keys_and_workflows_stay_a_light_page(owner: FlaskClient, team: Team) -> None:
    for number in range(30):
        create_api_key(team.workspace_id, f"{number:02}" + "k" * 118)
    with writing() as session:
        session.add_all(
            Workflow(workspace_id=team.workspace_id, name=f"{n:03}" + "w" * 117, slug=f"w-{n}")
            for n in range(200)
        )
    first, second = owner.get("/keys"), owner.get("/keys?page=2")
    assert len(first.data) < 100_000
    names = [name for page in (first, second) for name in re.findall(r">(\d\dk{118})<", page.text)]
    assert names == [f"{number:02}" + "k" * 118 for number in reversed(range(30))]
    assert open_page(owner, "/keys?page=9999").text == open_page(owner, "/keys?page=2").text
    for page in ("0", "-1", "x", "99999999999", "%00"):
        assert owner.get(f"/keys?page={page}").status_code == 200
