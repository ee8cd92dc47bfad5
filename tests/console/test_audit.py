"""The audit log's page and its exports."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.clock import now
from app.console import audit_pages
from app.console.audit_words import ICONS
from app.console.places import Place
from app.extensions import db, writing
from app.models import AuditEntry
from app.workspaces.api_keys import create_api_key
from app.workspaces.audit import ACTIONS, KINDS, note
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, make_team
from tests.sessions import make_client

PATH = "/settings/audit"
CSV, LINES = f"{PATH}/export.csv", f"{PATH}/export.jsonl"


def put(workspace_id: int | None, **columns: Any) -> AuditEntry:
    row = {"actor": "person", "who": "bo@example.org", "what": "key_created", "about": "n8n"}
    entry = AuditEntry(workspace_id=workspace_id, **{**row, **columns})
    with writing() as session:
        session.add(entry)
    return entry


def read_lines(client: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(LINES + query, buffered=True)
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_what_a_person_does_stands_there_with_who_and_from_where(
    owner: FlaskClient, team: Team
) -> None:
    address = {"REMOTE_ADDR": "203.0.113.7"}
    send_form(owner, "/settings", "/settings/name", environ_overrides=address, workspace="Crew")
    page = open_page(owner, PATH)
    newest = "renamed the workspace Crew name: Team → Crew"
    assert newest in page.text
    assert f"{team.email} {newest} 203.0.113.7" in page.text


def test_an_own_entry_of_each_kind_of_action(owner: FlaskClient, team: Team) -> None:
    with writing() as session:
        for name in ACTIONS:
            note(session, name, team.workspace_id, "Thing")
    text = " ".join(open_page(owner, f"{PATH}?period=24h&kind={kind}").text for kind in KINDS)
    assert [name for name, action in ACTIONS.items() if action.words not in text] == []
    assert ICONS.keys() == KINDS.keys()


def test_one_of_a_later_version_is_shown_by_its_name(owner: FlaskClient, team: Team) -> None:
    put(team.workspace_id, what="moon_painted")
    assert "moon painted" in open_page(owner, PATH).text


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
def test_only_owners_see_it(colleague: Callable[[str], FlaskClient], role: str) -> None:
    client = colleague(role)
    for path in (PATH, CSV, LINES):
        assert client.get(path).status_code == 403, path
    assert PATH not in open_page(client, "/settings").links


def test_it_stands_in_the_menu_of_owners(owner: FlaskClient) -> None:
    assert PATH in open_page(owner, "/").links


def test_nothing_of_another_workspace_and_strangers_only_for_the_servers_owner(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    other = make_team("Elsewhere", first=False)
    theirs = make_client(app, other.email)
    put(other.workspace_id, about="Secret plans")
    put(None, actor="nobody", who=None, what="sign_in_refused", about="eve@example.org")
    assert "Secret plans" in open_page(theirs, PATH).text
    assert "Secret plans" not in open_page(owner, PATH).text
    assert "eve@example.org" in open_page(owner, PATH).text
    assert "eve@example.org" not in open_page(theirs, PATH).text
    for client, hidden in ((owner, "Secret plans"), (theirs, "eve@example.org")):
        assert hidden not in json.dumps(read_lines(client))
        assert hidden not in client.get(CSV, buffered=True).text


FILTERS = {
    "?who=bo@example.org": ["mine"],
    "?who=BO@example.org": ["mine"],
    "?who=worker": ["by worker"],
    "?kind=channels": ["by worker"],
    "?kind=keys&who=bo@example.org": ["mine"],
    "?kind=members&who=bo@example.org": [],
    "?until=2001-01-01T00:00Z": ["old"],
    "?since=2001-01-01T00:00Z&kind=channels": ["by worker"],
    "?period=24h&who=bo@example.org": ["mine"],
}


@pytest.mark.parametrize("query", FILTERS)
def test_the_filter_of_the_page_is_that_of_the_exports(
    owner: FlaskClient, team: Team, query: str
) -> None:
    put(team.workspace_id, about="mine")
    put(team.workspace_id, actor="worker", who=None, what="channel_switched_off", about="by worker")
    put(team.workspace_id, who="cy@example.org", about="old", at=now() - timedelta(days=9_999))
    page = open_page(owner, PATH + query)
    shown = [about for about in ("mine", "by worker", "old") if f" {about} " in f"{page.text} "]
    assert shown == FILTERS[query]
    assert [line["about"] for line in read_lines(owner, query)] == FILTERS[query]
    rows = list(csv.DictReader(io.StringIO(owner.get(CSV + query, buffered=True).text, newline="")))
    assert [row["about"] for row in rows] == FILTERS[query]


def test_a_filter_that_can_not_be_read_is_told_at_its_field(owner: FlaskClient) -> None:
    for query in ("?kind=odd", "?period=1y", "?since=soon", "?before=x", "?who=a&who=b"):
        assert owner.get(PATH + query).status_code == 422, query
    answer = owner.get(f"{CSV}?kind=odd")
    assert (answer.status_code, answer.location) == (303, f"{PATH}?kind=odd")
    page = open_page(owner, f"{PATH}?kind=odd", 422)
    assert "Choose one of: keys, members" in page.text


def test_pages_go_on_by_id_in_both_directions(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_pages, "PAGE_SIZE", 2)
    entries = [put(team.workspace_id, about=f"n{number}") for number in range(5)]
    places = [Place(entry.at, entry.id) for entry in entries]
    query = f"{PATH}?kind=keys&who=bo%40example.org"

    def see(path: str) -> tuple[str, dict[str, str]]:
        answer = owner.get(path)
        page = Page(answer.text)
        steps = {
            str(values["rel"]): str(values["href"])
            for tag, values in page.tags
            if tag == "a" and values.get("rel") in ("prev", "next")
        }
        return " ".join(re.findall(r"\bn\d\b", page.text)), steps

    first, steps = see(query)
    assert (first, steps.keys()) == ("n4 n3", {"next"})
    put(team.workspace_id, about="n5")
    second, steps = see(steps["next"])
    assert (second, steps.keys()) == ("n2 n1", {"prev", "next"})
    assert f"before={places[1]}" in steps["next"]
    third, steps = see(steps["next"])
    assert (third, steps.keys()) == ("n0", {"prev"})
    assert see(see(steps["prev"])[1]["prev"])[0] == "n4 n3"


def test_an_export_is_noted_and_not_in_itself(owner: FlaskClient, team: Team) -> None:
    put(team.workspace_id)
    first = read_lines(owner, "?kind=exports")
    again = read_lines(owner, "?kind=exports")
    assert first == []
    assert [line["what"] for line in again] == ["audit_exported"]
    assert again[0]["details"] == {"format": "jsonl", "filter": {"kind": "exports"}}
    assert (again[0]["who"], again[0]["remote_addr"]) == (team.email, "127.0.0.1")


def test_an_export_holds_all_pages_and_no_formulas(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_pages, "READ_AT_ONCE", 2)
    for number in range(5):
        put(team.workspace_id, about=f"=1+{number}", details={"note": "=2"}, user_agent="@x")
    answer = owner.get(f"{CSV}?who=bo@example.org", buffered=True)
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["about"] for row in rows] == [f"'=1+{number}" for number in (4, 3, 2, 1, 0)]
    assert {row["user_agent"] for row in rows} == {"'@x"}
    assert rows[0]["details"] == '{"note":"=2"}'
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=audit-")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    line = read_lines(owner, "?who=bo@example.org")[0]
    assert line["about"] == "=1+4", "JSON needs no apostrophes"


def test_names_do_no_harm_on_the_page(owner: FlaskClient, team: Team) -> None:
    nasty = "<img src=x onerror=alert(1)>\u202e"
    put(team.workspace_id, about=nasty, user_agent=nasty, details={nasty: nasty}, remote_addr=nasty)
    text = owner.get(PATH).text
    assert "<img" not in text and "\u202e" not in text


def test_no_route_changes_an_entry(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("audit.")]
    assert {method for rule in rules for method in rule.methods or ()} == {"GET", "HEAD", "OPTIONS"}


def test_without_entries_that_fit_it_says_so(owner: FlaskClient) -> None:
    page = open_page(owner, f"{PATH}?kind=channels")
    assert "No entry fits What: Channels" in page.text
    assert CSV not in " ".join(page.links)


def test_a_key_that_is_made_in_the_console_is_noted_with_its_maker_and_without_itself(
    owner: FlaskClient, team: Team
) -> None:
    answer = send_form(owner, "/keys", name="second", scope=["ingest"])
    assert answer.status_code == 200
    _, other = create_api_key(team.workspace_id, "third")
    newest = select(AuditEntry).where(AuditEntry.what == "key_created").order_by(AuditEntry.id)
    _, made, third = db.session.scalars(newest).all()
    assert (made.who, made.actor, third.actor) == (team.email, "person", "command line")
    rows = db.session.execute(select(AuditEntry.__table__)).all()
    assert other not in str(rows) and other[12:] not in str(rows)


@pytest.mark.parametrize(("proxies", "told"), [(0, "127.0.0.1"), (1, "203.0.113.5")])
def test_a_proxy_is_believed_only_where_there_is_one(
    make_app: Callable[..., Flask], proxies: int, told: str
) -> None:
    app = make_app(FLOWPULSE_TRUSTED_PROXIES=proxies)
    with app.app_context():
        team = make_team()
        client = make_client(app, team.email)
        headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.5"}
        assert client.get(CSV, headers=headers, buffered=True).status_code == 200
        newest = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)
        assert db.session.scalars(newest).one().remote_addr == told
        db.session.remove()


def test_below_the_list_stands_the_day_of_the_oldest_entry_and_what_goes(
    owner: FlaskClient, team: Team
) -> None:
    old = now() - timedelta(days=400)
    put(team.workspace_id, at=old, what="sign_in_refused", actor="nobody", who=None)
    put(team.workspace_id, at=old + timedelta(days=30))
    told = (
        f"The oldest entry that is kept was made {old.day} {old:%b %Y}. Refused sign-ins "
        "and wrong passwords are kept 90 days. All other entries are kept for good."
    )
    for path in (PATH, f"{PATH}?kind=keys"):
        assert told in open_page(owner, path).text.replace(" .", ".")
