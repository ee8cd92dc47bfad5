"""Workflows of other systems, brought along from a file: shown first, then made, and none twice."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.clock import now
from app.console import importing
from app.console.form_body import MAX_FILE_BYTES, ROOM_BESIDE_FILE
from app.extensions import db, writing
from app.models import ApiKey, AuditEntry, Schedule, UserSession, Workflow, Workspace
from tests.console.pages import Page, open_page, submit
from tests.factories import PASSWORD, Team, make_team

PAGE, MAKE = "/workflows/import", "/workflows/import/make"
RECORDED = Path(__file__).parents[1] / "importing" / "recorded"
CHECKS, WORKFLOWS = (RECORDED / f"{name}.json" for name in ("healthchecks", "n8n"))


def send(client: FlaskClient, raw: bytes | None = None, **fields: Any) -> Any:
    """The form, with a file where one is given."""
    form = open_page(client, PAGE).form(PAGE)
    if raw is not None:
        fields["file"] = (BytesIO(raw), "list.json")
    data = {**form.fields, "time_zone": "America/New_York", **fields}
    return client.post(PAGE, data=data, content_type="multipart/form-data")


def preview(client: FlaskClient, raw: bytes, **fields: Any) -> Page:
    answer = send(client, raw, **fields)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def imported() -> list[str]:
    db.session.rollback()
    query = select(Workflow.name).where(Workflow.imported_from.is_not(None))
    return list(db.session.scalars(query.order_by(Workflow.id)))


def test_checks_are_shown_then_made_then_there(owner: FlaskClient, team: Team) -> None:
    page = preview(owner, CHECKS.read_bytes())
    assert imported() == [] and "Make 4 workflows" in page.text
    for told in ("Filesystem Backup", "Every hour, 10 minutes of grace", "5d1c8a3e…", "New 4",
                 "The slug 'database_backup' has to be 'database-backup' here.",
                 "Its schedule: it is paused there.", "FLOWPULSE_COMPATIBILITY=1"):  # fmt: skip
        assert told in page.text
    assert not any("5d1c8a3e-94b7" in str(values) for _, values in page.tags)
    answer = submit(owner, page.form(MAKE))
    assert (answer.status_code, answer.location) == (303, "/workflows")
    assert "4 workflows made from Healthchecks." in open_page(owner, "/workflows").text
    assert imported()[:2] == ["Filesystem Backup", "Database Backup"]
    prefixes = db.session.scalars(select(ApiKey.prefix).where(ApiKey.created_by_id.is_not(None)))
    assert "5d1c8a3e" in list(prefixes)
    note = select(AuditEntry).where(AuditEntry.what == "workflows_imported")
    (entry,) = db.session.scalars(note)
    assert (entry.who, entry.about, entry.details) == (
        team.email,
        "Healthchecks",
        {"workflows": 4},
    )
    again = preview(owner, CHECKS.read_bytes())
    assert "There already 4" in again.text and "There is nothing to make of it." in again.text
    submit(owner, page.form(MAKE))
    assert len(imported()) == 4


def test_workflows_of_n8n_are_pasted(owner: FlaskClient, team: Team) -> None:
    text = WORKFLOWS.read_text()
    page = Page(send(owner, text=text, source="n8n", time_zone="Europe/Paris", grace="5").text)
    for told in ("This is a part of the list", "Old one", "It is archived there.", "Left out 1",
                 "taken for Europe/Paris", "Lead enrichment 2"):  # fmt: skip
        assert told in page.text
    assert submit(owner, page.form(MAKE)).status_code == 303
    db.session.rollback()
    made = db.session.scalars(select(Schedule).order_by(Schedule.id)).all()
    assert [(each.time_zone, each.grace_seconds) for each in made] == [
        ("Europe/Berlin", 300),
        ("Europe/Paris", 300),
    ]


@pytest.mark.once
@pytest.mark.parametrize(
    ("raw", "fields", "field", "message"),
    [
        (None, {}, "file", "Choose a file"),
        (b" \n", {}, "file", "list.json is empty"),
        (b'{"checks": [', {}, "file", "list.json holds no JSON"),
        (b"[" * 5_000, {}, "file", "list.json holds no JSON"),
        (b'{"checks": [1]}', {}, "file", "This is not what was expected"),
        (b'{"checks": []}', {}, "file", "The list is empty"),
        (json.dumps({"checks": [{}] * 301}).encode(), {}, "file", "It holds 301 entries"),
        (None, {"text": "no JSON"}, "text", "The text holds no JSON"),
        (b"[{}]", {"source": "zabbix"}, "source", "Choose Healthchecks or n8n"),
        (b"[{}]", {"time_zone": "Mars/Olympus"}, "time_zone", "Choose a time zone"),
        (b"[{}]", {"grace": "0"}, "grace", "Give whole minutes, 1 to 44,640"),
        (None, {"grace": "x"}, "file", "Choose a file"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    owner: FlaskClient, raw: bytes | None, fields: dict[str, str], field: str, message: str
) -> None:
    answer = send(owner, raw, **fields)
    page = Page(answer.text)
    assert answer.status_code == 422 and message in page.text
    assert page.has_id(f"field-{field}-error") or field == "source"
    assert imported() == []


@pytest.mark.once
def test_a_hostile_list_is_shown_as_text_and_makes_nothing_odd(owner: FlaskClient) -> None:
    name = '<img src=x onerror="alert(1)">'
    checks = [
        {"name": name, "uuid": "5d1c8a3e-94b7-4f02-a6d9-3e7b1c5f8a20", "tags": "<b> x", "grace": 5},
        {"name": "n" * 5_000, "unique_key": "a" * 99, "timeout": 10**30},
        {"name": {"a": 1}, "uuid": ["x"], "tags": 7, "schedule": "* * * * *\n*"},
        {"name": "half \ud800", "unique_key": "\udfff", "tags": "\ud800", "tz": "\ud800"},
        {
            "name": "half \ud800",
            "unique_key": "ab",
            "desc": "\ud800",
            "slug": "\ud800",
            "tz": "\ud800",
        },
    ]
    answer = send(owner, json.dumps({"checks": checks}).encode())
    assert answer.status_code == 200 and "<img src=x" not in answer.text
    assert submit(owner, Page(answer.text).form(MAKE)).status_code == 303
    assert imported() == [name, "half ?"]


@pytest.mark.once
def test_a_file_that_is_too_large_is_refused_and_others_take_none(
    app: Flask, owner: FlaskClient
) -> None:
    answer = send(owner, b" " * (MAX_FILE_BYTES + ROOM_BESIDE_FILE))
    assert answer.status_code == 413 and "Nothing was changed" in answer.text
    assert send(owner, text=" " * 3_000_000 + "x").status_code == 422
    token = open_page(owner, PAGE).form(PAGE).fields
    answer = owner.post(MAKE, data=token, content_type="multipart/form-data")
    assert answer.status_code == 415


@pytest.mark.once
def test_it_is_for_admins_who_give_the_password(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    member = colleague("member")
    assert member.get(PAGE).status_code == 403
    assert PAGE not in open_page(member, "/workflows").links
    assert PAGE in open_page(owner, "/workflows").links
    admin = colleague("admin")
    page = preview(admin, CHECKS.read_bytes())
    with writing() as session:
        given = update(UserSession).values(password_at=now() - timedelta(minutes=16))
        session.execute(given)
    asked = submit(admin, page.form(MAKE))
    assert asked.status_code == 403 and imported() == []
    answer = submit(admin, Page(asked.text).form(MAKE), password_again=PASSWORD)
    assert answer.status_code == 303 and len(imported()) == 4


@pytest.mark.once
def test_a_preview_is_of_one_workspace_and_can_not_be_made_up(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = preview(owner, CHECKS.read_bytes())
    answer = submit(owner, page.form(MAKE), sealed_plan="made up")
    assert answer.status_code == 422 and "Nothing was made" in answer.text
    other = make_team("Other", first=False)
    workspace = db.session.get_one(Workspace, other.workspace_id)
    monkeypatch.setattr(importing, "current_workspace", lambda: workspace)
    assert submit(owner, page.form(MAKE)).status_code == 422
    assert imported() == []
