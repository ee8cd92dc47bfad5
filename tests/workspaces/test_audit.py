"""The audit log: each change with its entry or neither, and entries that nobody changes."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import DBAPIError
from werkzeug.datastructures import MultiDict

from app.channels.switching import switch_off
from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.keys import make_key
from app.models import ApiKey, AuditEntry, Channel, User, Workspace
from app.processing.sweeping import prune
from app.workspaces import alert_rules, audit, channels, members, settings
from app.workspaces.api_keys import create_api_key, revoke_api_key, rotate_api_key
from app.workspaces.audit import ACTIONS, KINDS, MOST_ITEMS, note, note_account
from app.workspaces.maintenance import create_window, end_window
from app.workspaces.people import RefusedError, add_member, create_user
from tests.factories import PASSWORD, Team, make_team, make_workspace

HOOK = {"name": "Ops", "url": "https://hooks.example.org/very-secret-path"}


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def the_owner(team: Team) -> User:
    return db.session.scalars(select(User).where(User.email == team.email)).one()


def entries(workspace_id: int | None, kind: str = "") -> list[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.workspace_id == workspace_id)
    found = db.session.scalars(query.order_by(AuditEntry.id)).all()
    return [each for each in found if kind in ("", ACTIONS[each.what].kind)]


def told(team: Team, kind: str) -> list[tuple[str, str | None, Any]]:
    return [(each.what, each.about, each.details) for each in entries(team.workspace_id, kind)]


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_has_a_kind_and_fits_its_column(name: str) -> None:
    assert ACTIONS[name].kind in KINDS and len(name) <= 40


def test_the_set_up_tells_who_made_the_workspace(team: Team) -> None:
    first = entries(team.workspace_id)[:2]
    assert [each.what for each in first] == ["workspace_created", "member_added"]
    assert {each.actor for each in first} == {"command line"}


def test_keys(team: Team) -> None:
    soon = now() + timedelta(hours=1)
    old, _ = create_api_key(team.workspace_id, "n8n", ["ingest"], workflow_ids=[team.workflow_id])
    prefix = old.prefix
    new, _ = rotate_api_key(old, soon)
    revoke_api_key(new)
    revoke_api_key(new)
    assert told(team, "keys")[1:] == [
        (
            "key_created",
            "n8n",
            {"prefix": prefix, "scopes": "ingest", "workflows": ["lead-enrichment"]},
        ),
        ("key_rotated", "n8n", {"old_works_until": f"{soon:%Y-%m-%d %H:%M:%S} UTC"}),
        ("key_revoked", "n8n", {"prefix": new.prefix}),
    ]
    assert entries(team.workspace_id, "keys")[-1].about_id == new.public_id


def test_members(team: Team) -> None:
    workspace = db.session.get_one(Workspace, team.workspace_id)
    create_user("bo@example.org", PASSWORD, "viewer", workspace)
    member = next(each for each in members.list_members(workspace.id, 0, 9) if each.role != "owner")
    owner = the_owner(team).memberships[0]
    members.change_role(owner, member, "admin")
    members.change_role(owner, member, "admin")
    members.remove_member(owner, member)
    add_member("bo@example.org", "member", workspace)
    assert told(team, "members")[1:] == [
        ("member_added", "bo@example.org", {"role": "viewer", "account": "new"}),
        ("member_role_changed", "bo@example.org", {"role": {"was": "viewer", "is": "admin"}}),
        ("member_removed", "bo@example.org", {"role": "admin"}),
        ("member_added", "bo@example.org", {"role": "member"}),
    ]


def test_rules(team: Team) -> None:
    rule = alert_rules.suggest_rule(team.workspace_id, the_owner(team))
    alert_rules.switch_rule(rule, False)
    alert_rules.switch_rule(rule, False)
    alert_rules.switch_rule(rule, True)
    alert_rules.snooze_rule(rule, now() + timedelta(hours=1))
    alert_rules.snooze_rule(rule, None)
    alert_rules.delete_rule(rule)
    expected = [
        "rule_created",
        "rule_switched_off",
        "rule_switched_on",
        "rule_snoozed",
        "rule_woken",
        "rule_deleted",
    ]
    assert [what for what, _, _ in told(team, "rules")] == expected
    assert {name for _, name, _ in told(team, "rules")} == {alert_rules.SUGGESTED_NAME}


def test_channels_without_what_is_secret_in_them(team: Team) -> None:
    channel, secret = channels.add_channel(team.workspace_id, "webhook", HOOK, the_owner(team))
    url = "https://hooks.example.org/another-secret"
    channels.change_channel(channel, {**HOOK, "name": "On call", "url": url})
    renewed = channels.renew_secret(channel)
    channels.send_test(channel, the_owner(team))
    with writing() as session:
        switch_off(session, channel, "HTTP 500", now())
    channels.switch_channel_on(channel)
    channels.delete_channel(channel)
    assert told(team, "channels") == [
        ("channel_created", "Ops", {"kind": "webhook"}),
        (
            "channel_changed",
            "On call",
            {"name": {"was": "Ops", "is": "On call"}, "changed": ["url"]},
        ),
        ("channel_secret_renewed", "On call", None),
        ("channel_tested", "On call", None),
        ("channel_switched_off", "On call", None),
        ("channel_switched_on", "On call", None),
        ("channel_deleted", "On call", {"kind": "webhook"}),
    ]
    assert entries(team.workspace_id, "channels")[4].actor == "worker"
    kept = json.dumps([each.details for each in entries(team.workspace_id)])
    assert not [each for each in (secret, renewed, "secret-path", "another-secret") if each in kept]


def test_settings_and_windows(team: Team) -> None:
    workspace = db.session.get_one(Workspace, team.workspace_id)
    settings.rename_workspace(workspace, "Crew")
    settings.keep_for(workspace, {"rejected_days": 3, "event_days": None, "failure_days": None})
    settings.keep_for(workspace, {"rejected_days": 3, "event_days": None, "failure_days": None})
    form = {"name": "Move", "starts": "2199-01-01T10:00", "ends": "2199-01-01T12:00", "zone": "UTC"}
    end_window(create_window(workspace.id, MultiDict(form), the_owner(team)))
    assert told(team, "settings")[1:] == [
        ("workspace_renamed", "Crew", {"name": {"was": "Team", "is": "Crew"}}),
        ("retention_changed", "Crew", {"rejected_days": {"was": None, "is": 3}}),
    ]
    made, gone = told(team, "maintenance")
    assert made[2] == {"starts": "2199-01-01 10:00:00 UTC", "ends": "2199-01-01 12:00:00 UTC"}
    assert (made[0], gone[:2]) == ("window_created", ("window_deleted", "Move"))


def test_what_is_refused_leaves_no_entry_and_what_leaves_no_entry_is_not_done(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(entries(team.workspace_id))
    with pytest.raises(RefusedError):
        create_api_key(team.workspace_id, "n8n-prod")
    assert len(entries(team.workspace_id)) == before
    unknown = {name: each for name, each in ACTIONS.items() if name != "key_created"}
    monkeypatch.setattr(audit, "ACTIONS", unknown)  # Taken out and put back, it would stand last.
    with pytest.raises(KeyError):
        create_api_key(team.workspace_id, "second")
    assert db.session.scalar(select(func.count(ApiKey.id))) == 1


def test_an_entry_tells_who_and_from_where(app: Flask, team: Team) -> None:
    address = {"REMOTE_ADDR": "203.0.113.9"}
    agent = {"User-Agent": f"curl/8.5 {make_key()}"}
    with app.test_request_context(environ_overrides=address, headers=agent), writing() as session:
        user = the_owner(team)
        note_account(session, "sign_in_refused", user)
        note_account(session, "signed_in", user, who=user)
    refused, entered = entries(team.workspace_id, "sign_ins")
    assert (refused.actor, refused.who, refused.about) == ("nobody", None, team.email)
    assert (entered.actor, entered.who) == ("person", team.email)
    assert entered.who_id == entered.about_id == the_owner(team).public_id
    assert entered.remote_addr == "203.0.113.9"
    assert entered.user_agent and entered.user_agent.startswith("curl/8.5 fp_")
    assert "*" * 28 in entered.user_agent
    assert refused.keep_until and not entered.keep_until


def test_an_account_is_told_of_in_each_of_its_workspaces_or_in_none(team: Team) -> None:
    second = make_workspace()
    add_member(team.email, "viewer", second)
    with writing() as session:
        note_account(session, "password_changed", the_owner(team))
        note(session, "sign_in_refused", None, "nobody@example.org")
    for workspace_id in (team.workspace_id, second.id):
        assert entries(workspace_id)[-1].what == "password_changed"
    (stranger,) = entries(None)
    assert (stranger.what, stranger.about) == ("sign_in_refused", "nobody@example.org")


def test_what_strangers_cause_does_not_fill_the_disk(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ACTIONS["sign_in_refused"]._replace(most_an_hour=3)
    monkeypatch.setitem(ACTIONS, "sign_in_refused", few)
    with writing() as session:
        for number in range(5):
            note(session, "sign_in_refused", None, f"{number}@example.org")
        note(session, "sign_in_refused", team.workspace_id, "a@example.org")
    assert len(entries(None)) == 3
    assert len(entries(team.workspace_id, "sign_ins")) == 1


def test_details_stay_small(team: Team) -> None:
    key = make_key()
    with writing() as session:
        long = {"text": "x" * 9_000, "list": range(99), "key": key, "items": ["y"] * 99}
        note(session, "run_downloaded", team.workspace_id, "n" * 999, long)
    entry = entries(team.workspace_id)[-1]
    assert entry.about == "n" * 254 + "…"
    assert entry.details is not None and key not in json.dumps(entry.details)
    assert len(entry.details["items"]) == MOST_ITEMS
    assert max(len(str(entry.details[name])) for name in ("text", "list", "key")) <= 200


CHANGES = (
    update(AuditEntry).values(who="somebody@example.org"),
    delete(AuditEntry),
    text("DELETE FROM audit_entries WHERE keep_until IS NULL"),
    text("UPDATE audit_entries SET what = 'x'"),
)


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_the_database_refuses_to_change_an_entry(team: Team, number: int) -> None:
    with pytest.raises(DBAPIError, match="the audit log is never changed"), writing() as session:
        session.execute(CHANGES[number])


def test_the_database_refuses_the_other_ways_around(team: Team) -> None:
    row = "(id, at, actor, what) VALUES (1, '2026-01-01 00:00:00', 'worker', 'key_created')"
    statement = "TRUNCATE audit_entries"
    if is_sqlite():
        statement = f"INSERT OR REPLACE INTO audit_entries {row}"
    before = [each.what for each in entries(team.workspace_id)]
    with pytest.raises(DBAPIError, match="the audit log is never changed"), writing() as session:
        session.execute(text(statement))
    assert [each.what for each in entries(team.workspace_id)] == before


def test_only_what_is_kept_for_a_time_goes_and_after_that_time(team: Team) -> None:
    row = {"actor": "nobody", "what": "sign_in_refused", "workspace_id": None}
    with writing() as session:
        for about, until in (("past", -1), ("still kept", 1)):
            keep_until = now() + timedelta(hours=until)
            session.add(AuditEntry(about=about, keep_until=keep_until, **row))
        session.add(AuditEntry(about="for good", at=now() - timedelta(days=9_999), **row))
    with pytest.raises(DBAPIError), writing() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.about == "still kept"))
    prune()
    db.session.rollback()
    assert [each.about for each in entries(None)] == ["still kept", "for good"]


def test_entries_outlive_what_they_tell_of(team: Team) -> None:
    channels.add_channel(team.workspace_id, "webhook", HOOK, the_owner(team))
    with writing() as session:
        session.delete(session.get_one(Workspace, team.workspace_id))
        session.execute(delete(Channel))
    assert ("channel_created", "Ops", {"kind": "webhook"}) in told(team, "channels")
