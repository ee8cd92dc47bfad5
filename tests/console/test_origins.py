"""Forms of other sites change nothing, whatever they know and however the browser sends them."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select

from app.console.downloads import DOWNLOADS
from app.extensions import db
from app.ingest.service import ingest_service
from app.models import Workflow
from tests.console.pages import Page
from tests.console.rules import SOME_ID, UNSAFE, addresses
from tests.factories import Team, report
from tests.sessions import make_client

NOTED = {
    *DOWNLOADS,
    "audit.export_csv",
    "audit.export_lines",
    "exports.export_events",
    "exports.export_runs",
    "exports.export_problems",
}
"""What a GET hands out with an entry in the audit log: files."""
PUBLIC = "https://flow.example.org"
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "new-word"},
    {"Origin": "null"},
    {"Origin": "http://sub.localhost"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost@evil.example"},
    {"Origin": "http://[::1"},
    {"Referer": "https://evil.example/http://localhost/"},
]
OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    {"Origin": "http://localhost"},
    {"Origin": "https://localhost"},  # Behind a proxy that the settings do not tell of.
    {"Sec-Fetch-Site": "none"},
    {"Referer": "http://localhost/workflows"},
]


def token_of(client: FlaskClient, **options: Any) -> dict[str, str]:
    """The good token of a signed-in person's session."""
    page = Page(client.get("/workflows", **options).text)
    return {"csrf_token": page.form("/sign-out").fields["csrf_token"]}


def test_every_change_is_refused_without_the_token_of_its_own_session(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    stolen = token_of(make_client(app, team.email))
    assert stolen != token_of(owner)
    found = list(addresses(app, UNSAFE))
    assert len(found) > 50
    for endpoint, method, path in found:
        refused = 410 if endpoint == "sign_in.set_up_server" else 400  # It is set up already.
        for data in ({}, stolen, {"csrf_token": "x"}):
            answer = owner.open(path, method=method, data=data)
            assert answer.status_code == refused, path
    assert owner.get("/workflows").status_code == 200  # Not signed out.


@pytest.mark.once
def test_every_change_that_another_site_asks_for_is_refused_even_with_a_good_token(
    app: Flask, owner: FlaskClient
) -> None:
    token = token_of(owner)
    for number, (_, method, path) in enumerate(addresses(app, UNSAFE)):
        for headers in (*FOREIGN[:3], FOREIGN[3 + number % (len(FOREIGN) - 3)]):
            answer = owner.open(path, method=method, data=token, headers=headers)
            assert answer.status_code == 403, path
            assert "This form came from elsewhere" in answer.text, path
    assert owner.get("/workflows").status_code == 200


def make_workflow(owner: FlaskClient, headers: dict[str, str]) -> tuple[int, int | None]:
    """The answer's status, and how many workflows there are by that name then."""
    data = {**token_of(owner), "name": "From a form"}
    status = owner.post("/workflows", data=data, headers=headers).status_code
    made = select(func.count()).where(Workflow.name == "From a form")
    return status, db.session.scalar(made)


@pytest.mark.once
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_whatever_a_browser_says_of_another_site_is_understood(
    owner: FlaskClient, headers: dict[str, str]
) -> None:
    assert make_workflow(owner, headers) == (403, 0)


@pytest.mark.once
@pytest.mark.parametrize("headers", OWN, ids=str)
def test_the_console_s_own_forms_are_taken_whatever_the_browser_says_of_them(
    owner: FlaskClient, headers: dict[str, str]
) -> None:
    assert make_workflow(owner, headers) == (303, 1)


@pytest.mark.once
def test_the_refusal_says_what_came_and_what_to_do(owner: FlaskClient) -> None:
    for headers, words in (
        ({"Origin": "https://flow.example.org:8443"}, "under https://flow.example.org:8443"),
        ({"Origin": "https://a.example"}, "this server is the host “localhost”"),
        ({"Origin": "null"}, "FLOWPULSE_PUBLIC_URL"),
        ({"Origin": "https://a.example"}, "FLOWPULSE_TRUSTED_PROXIES"),
        ({"Sec-Fetch-Site": "same-site"}, "Sec-Fetch-Site: same-site"),
        ({"Sec-Fetch-Site": "<b>" + "x" * 500}, f"<b>{'x' * 97}…"),
    ):
        page = Page(owner.post("/workflows", headers=headers).text)
        assert words in page.text, headers
        assert "Nothing was changed" in page.text


def test_htmx_is_told_in_a_toast(owner: FlaskClient) -> None:
    headers = {"HX-Request": "true", "Origin": "https://evil.example"}
    answer = owner.post("/workflows", data=token_of(owner), headers=headers)
    assert (answer.status_code, answer.text) == (403, "")
    assert "came from elsewhere" in answer.headers["HX-Trigger"]


def test_with_a_public_url_its_origin_alone_counts(
    make_app: Callable[..., Flask], team: Team
) -> None:
    app = make_app(FLOWPULSE_PUBLIC_URL=PUBLIC)
    client = make_client(app, team.email, "flow.example.org")
    data = {**token_of(client, base_url="http://flow.example.org"), "name": "Made here"}
    for origin, status in (
        (PUBLIC, 303),
        ("http://flow.example.org", 403),
        ("https://flow.example.org:8443", 403),
        ("https://www.flow.example.org", 403),
        ("https://localhost", 403),
        ("null", 403),
    ):
        # As it comes from a proxy that speaks plain HTTP with us.
        answer = client.post(
            "/workflows", data=data, headers={"Host": "flow.example.org", "Origin": origin}
        )
        assert answer.status_code == status, origin


def test_what_a_proxy_says_counts_where_it_is_trusted(
    make_app: Callable[..., Flask], team: Team
) -> None:
    headers = {"X-Forwarded-Host": "flow.example.org", "X-Forwarded-Proto": "https"}
    for hops, status in ((1, 303), (0, 403)):
        app = make_app(FLOWPULSE_TRUSTED_PROXIES=hops)
        client = make_client(app, team.email, is_https=bool(hops))
        data = {**token_of(client, headers=headers), "name": "Made here"}
        by_http = {**headers, "Origin": PUBLIC.replace("https", "http")}
        assert client.post("/workflows", data=data, headers=by_http).status_code == 403
        answer = client.post("/workflows", data=data, headers={**headers, "Origin": PUBLIC})
        assert answer.status_code == status


def test_no_page_changes_anything_by_being_opened(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    """A link in another site's page is no form, and brings no token."""
    event_id = report(owner, team, ended_at=None).json["event_id"]
    ingest_service().recorder.flush()
    written: list[tuple[str, str]] = []
    endpoint = ""

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        is_writing = statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))
        # When the last click was, and that something was taken along.
        allowed = {"user_sessions", *(["audit_entries"] if endpoint in NOTED else [])}
        if is_writing and not allowed & set(statement.split()):
            written.append((endpoint, statement))

    sqlalchemy_event.listen(db.engine, "before_cursor_execute", note)
    for endpoint, _, path in addresses(app, {"GET"}):
        if endpoint != "live_log.stream_events":
            owner.get(path.replace(SOME_ID, event_id))
    sqlalchemy_event.remove(db.engine, "before_cursor_execute", note)
    assert written == []


def test_senders_may_come_from_any_site(client: FlaskClient, team: Team) -> None:
    """No cookie opens the API: there is nothing to forge."""
    for headers in FOREIGN:
        sent = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
        answer = client.post(
            "/api/v1/ingest/run-success", json=sent, headers={**team.headers, **headers}
        )
        assert answer.status_code == 202
