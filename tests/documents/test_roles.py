"""docs/teams.md says which role may do what as the console's guards have it."""

import re

import pytest
from flask import Flask

from app.console.access import ACCESS
from tests.documents.blocks import ROOT

ROLES = ("viewer", "member", "admin", "owner")
SEEN = {
    "overview": "the overview",
    "live_log": "the live log",
    "event": "all events",
    "insights": "charts",
    "runs": "runs",
    "mending": "edit and resend",
    "problem_groups": "problems",
    "workflows": "workflows",
    "schedules": "their schedules",
    "keys": "API keys by their names",
    "connect": "read and try the documents",
    "key_page": "API keys by their names",
    "channels": "which channels there are",
    "channel": "add, change, test, switch and delete channels",
    "delivery": "see and repeat their deliveries",
    "mails": "see the mails",
    "account": "their own account",
    "two_factor": "their own account",
    "settings": "people and settings",
    "audit": "read and export the audit log",
    "doctor": "sees the doctor's page",
    "exports": "export the lists",
    "importing": "import workflows",
    "alerts": "alerts",
    "alert_rules": "alert rules",
    "rule_form": "add, change, snooze and delete alert rules",
    "maintenance": "maintenance windows",
}
"""Of each blueprint with pages: the words by which the role that may look at them has it."""
CHANGED = {
    "overview": "retry",
    "event": "retry",
    "revealing": "`FLOWPULSE_REVEAL_ROLE`",
    "mending": "edit and resend, reprocess",
    "problem_groups": "reprocess, retry and ignore",
    "workflows": "make, rename, archive and restore workflows",
    "schedules": "with their schedules",
    "workflow_extras": "badges, addresses and links to runs",
    "addresses": "addresses",
    "test_events": "send test events",
    "keys": "make, rotate and revoke API keys",
    "connect": "go through the connect wizard",
    "try_it": "“try it”",
    "key_page": "make, rotate and revoke API keys",
    "channel": "add, change, test, switch and delete channels",
    "delivery": "see and repeat their deliveries",
    "account": "change nothing but their own account",
    "two_factor": "change nothing but their own account",
    "settings": "change the workspace's name and retention, invite and remove people",
    "doctor": "sees the doctor's page",
    "importing": "import workflows",
    "workspace_export": "export or delete the workspace",
    "alerts": "close alerts",
    "alert_rules": "snooze and delete alert rules",
    "rule_form": "add, change, snooze and delete alert rules",
    "maintenance": "set maintenance windows",
    "workflow_labels": "labels",
}
"""The same of each with forms."""

pytestmark = pytest.mark.once


def read_rows() -> dict[str, str]:
    text = (ROOT / "docs" / "teams.md").read_text()
    return dict(re.findall(r"^\| (viewer|member|admin|owner) \| (.+) \|$", text, re.MULTILINE))


def list_blueprints(app: Flask, *, has_forms: bool) -> set[str]:
    """Of those with a role, which have such addresses."""
    rules = app.url_map.iter_rules()
    found = {
        rule.endpoint.rpartition(".")[0]
        for rule in rules
        if ("POST" in (rule.methods or ())) == has_forms
    }
    return found & ACCESS.keys()


def test_each_role_has_its_row() -> None:
    assert tuple(read_rows()) == ROLES


@pytest.mark.parametrize(("words", "has_forms"), [(SEEN, False), (CHANGED, True)])
def test_no_page_or_form_is_left_out(app: Flask, words: dict[str, str], has_forms: bool) -> None:
    assert words.keys() == list_blueprints(app, has_forms=has_forms)


@pytest.mark.parametrize("name", SEEN)
def test_what_a_role_may_look_at_stands_in_its_row(name: str) -> None:
    check(ACCESS[name].look, SEEN[name])


@pytest.mark.parametrize("name", CHANGED)
def test_what_a_role_may_change_stands_in_its_row(name: str) -> None:
    check(ACCESS[name].change, CHANGED[name])


def check(role: str, words: str) -> None:
    """In the row of the least role that may, and of none below it."""
    rows = read_rows()
    below = ROLES[: ROLES.index(role)]
    assert words in rows[role]
    assert [each for each in below if words in rows[each]] == []
