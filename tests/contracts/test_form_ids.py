"""Each field of a form that takes an id is asked with another workspace's, in access.txt."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import parse_qsl

import pytest
from flask import Flask

from tests.contracts.actors import Actor, make_actors
from tests.contracts.test_access import app, find_rule, read_table  # noqa: F401 (a fixture)
from tests.pages_map import PAGES
from tests.server import ROOT

TAKE_IDS = {"channel", "instead", "key", "rule", "scope", "workflow", "workspace"}
OF_THEIR_OWN = {
    "session": "a person's own: tests/console/test_account.py",
    "sealed_plan": "sealed for its workspace: tests/console/test_importing.py",
    "offer": "sealed for its person: tests/console/test_two_factor.py",
}
"""What names something too, and is of a person, not of a workspace."""
TEXTS = {
    "address",
    "back",
    "body",
    "code",
    "digest",
    "do",
    "email",
    "email_again",
    "ends",
    "every",
    "every_unit",
    "for",
    "grace",
    "kind",
    "labels",
    "limit",
    "limit_unit",
    "name",
    "name_again",
    "new_workspace",
    "next",
    "on",
    "password",
    "quick",
    "quiet_from",
    "quiet_until",
    "quiet_zone",
    "recovery_code",
    "role",
    "run_url",
    "signed_in",
    "slug",
    "source",
    "starts",
    "tells_recovery",
    "test",
    "text",
    "theme",
    "time_zone",
    "tool",
    "two_factor_password",
    "zone",
}
"""Fields that name nothing of a workspace."""
_READ = re.compile(r'form(?:\.get|\.getlist)?[(\[]"(\w+)"')
_SEALED = re.compile(r"^(?:sealed|csrf_token|next|back|asked)")


class _Choices(HTMLParser):
    """Method and address of each form, with the name and value of each of its fields."""

    def __init__(self, path: str, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str, str]] = []
        self._page, self._form, self._select = path, ("GET", path), ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = (told.get("method", "get").upper(), told.get("action") or self._page)
        elif tag == "select":
            self._select = told.get("name", "")
        name = self._select if tag == "option" else told.get("name", "")
        if tag in ("input", "option", "button") and name:
            to = told.get("formaction") or self._form[1]
            self.found.append((self._form[0], to, name, told.get("value", "")))


def _read_all(owner: Actor) -> Iterator[tuple[str, str, str, str]]:
    """Of all pages, with what the workspace has."""
    for templates in PAGES.values():
        for template in templates:
            path = template.format(**owner.ids)
            answer = owner.client.get(path, follow_redirects=True)
            assert answer.status_code in (200, 403, 404), path
            yield from _Choices(path, answer.text).found


@pytest.mark.once
def test_each_id_that_a_form_offers_is_asked_with_another_workspace_s(
    app: Flask,  # noqa: F811 (the fixture)
) -> None:
    owner = make_actors(app)["owner"]
    ids = {each for name, each in owner.ids.items() if name != "slug" and len(each) >= 16}
    offered = {
        (method, app.url_map.bind("").match(to.partition("?")[0], method)[0], name)
        for method, to, name, value in _read_all(owner)
        if not _SEALED.match(name) and any(each in value for each in ids)
    }
    asked = {
        (line.method, find_rule(app, line).endpoint, name)
        for line in read_table()
        for name, value in parse_qsl(line.path.partition("?")[2])
        if "{" in value
    }
    assert len(offered) > 5
    assert offered - asked == set(), "Write a line with it into tests/contracts/access.txt"


@pytest.mark.once
def test_nobody_reads_a_field_of_which_nobody_said_whether_it_takes_an_id() -> None:
    """Also of what is typed, or shown only now and then."""
    folders = [ROOT / "app" / each for each in ("console", "workspaces")]
    files = [file for folder in folders for file in folder.glob("*.py")]
    read = {name for each in files for name in _READ.findall(each.read_text())}
    assert read - TAKE_IDS - OF_THEIR_OWN.keys() - TEXTS == set()
    assert read >= TAKE_IDS | TEXTS
    asked = {
        name
        for line in read_table()
        for name, value in parse_qsl(line.path.partition("?")[2])
        if "{" in value and line.method == "POST"
    }
    assert asked >= TAKE_IDS
