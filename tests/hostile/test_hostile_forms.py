"""Whatever is typed or put into any form of any page, the answer shows as text."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.ingest.service import ingest_service
from app.processing.batch import process_batch
from tests.channels.deliveries import store_channels
from tests.console.pages import Page
from tests.factories import Team, make_alert, make_team, report
from tests.hostile.contents import find_ids
from tests.hostile.payloads import PAYLOADS
from tests.hostile.sources import Source
from tests.pages_map import PAGES, SIGNED_OUT, addresses
from tests.sessions import make_client

MIXED = (
    "\"'></textarea></select><script>window.__pwned=1</script><img src=x onerror=window.__pwned=1>",
    "javascript:window.__pwned=1//{{7*7}}\"' onfocus=window.__pwned=1 autofocus hx-get=/pwned x='",
)
"""Out of any place in a page's source into any other."""
LEFT_ALONE = ("/sign-out", "/test")
"""How the actions end that end the session, or send to a channel's server."""


class Filled(NamedTuple):
    """A form as the page has it: its names, those that one types into, and the rest's values."""

    action: str
    method: str
    typed: dict[str, str]
    hidden: dict[str, str]


def read_forms(html: str) -> Iterator[Filled]:
    form: Filled | None = None
    for tag, values in Page(html).tags:
        name, text = values.get("name"), values.get("value") or ""
        if tag == "form":
            if form:
                yield form
            action, method = values.get("action") or "", values.get("method") or "get"
            form = Filled(action, method, {}, {})
        elif form and name and tag in ("input", "textarea", "select", "button"):
            is_hidden = tag == "button" or values.get("type") in ("hidden", "checkbox", "radio")
            (form.hidden if is_hidden else form.typed)[name] = text
    if form:
        yield form


def fill(form: Filled, text: str, *, wholly: bool) -> dict[str, str]:
    """With this text in each field; `wholly`: in those too that nobody types into."""
    token = {name: held for name, held in form.hidden.items() if name == "csrf_token"}
    hidden = dict.fromkeys(form.hidden, text) if wholly else form.hidden
    return {**hidden, **dict.fromkeys(form.typed, text), **token}


def prepare(app: Flask, team: Team) -> dict[str, list[str]]:
    """Something for each page to be of; returns the ids of all that."""
    client = app.test_client()
    report(client, team, "failure", error_message=PAYLOADS[0])
    report(client, team, ended_at=None)
    ingest_service().recorder.flush()
    while process_batch(100):
        db.session.rollback()
    store_channels(team.workspace_id, ["Ops chat"])
    make_alert(team.workspace_id, team.workflow_id)
    return find_ids()[1]


def send(client: FlaskClient, form: Filled, data: dict[str, str]) -> str:
    """Returns the answer's source; where it leads on, that of the page there."""
    if form.method.lower() == "get":
        answer = client.get(form.action, query_string=data, follow_redirects=True)
    else:
        answer = client.post(form.action, data=data, follow_redirects=True)
    assert answer.status_code < 500, form.action
    return answer.text if "html" in answer.content_type else ""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_no_answer_to_a_form_holds_more_than_text(app: Flask) -> None:
    team = make_team()
    ids = prepare(app, team)
    seen = set()
    for path in (*addresses(ids, PAGES), *addresses({}, SIGNED_OUT)):
        client = make_client(app, team.email)
        for form in list(read_forms(client.get(path).text)):
            key = (form.action.partition("?")[0], *form.typed, *form.hidden)
            if key in seen or form.action.endswith(LEFT_ALONE):
                continue
            seen.add(key)
            for text, wholly in ((MIXED[0], False), (MIXED[1], True)):
                html = send(client, form, fill(form, text, wholly=wholly))
                assert Source(html).alive == [], form.action
                assert MIXED[0] not in html and "<script>window" not in html, form.action
    assert len(seen) > 30
