"""Headers of pages, files and API answers; no page holds a script or a style of its own."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.console.assets import SHEETS
from app.console.form_body import MAX_FORM_BYTES
from app.console.headers import CONTENT_SECURITY_POLICY, FOREVER, PAGE_HEADERS
from tests.console.pages import open_page, send_form
from tests.factories import Team, report

PAGES = [
    "/",
    "/events",
    "/workflows",
    "/keys",
    "/troubleshooting",
    "/nowhere",
    "/setup",
    "/sign-in",
]
RESERVED = {"style", "srcdoc"}


def test_the_policy_allows_nothing_from_elsewhere_and_nothing_inline() -> None:
    assert CONTENT_SECURITY_POLICY == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def test_every_page_carries_the_headers(owner: FlaskClient) -> None:
    for path in PAGES:
        headers = owner.get(path).headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert headers["Cache-Control"] == "no-store", path


KEEPABLE = frozenset({"static", "assets.show_styles", "badges.show_svg", "badges.show_json"})
"""Endpoints whose answers hold nothing of who is signed in."""


def check_headers(answer: TestResponse, where: str, *, is_keepable: bool = False) -> None:
    headers = answer.headers
    assert "Content-Security-Policy" in headers, where
    policy = headers["Content-Security-Policy"]
    assert policy == CONTENT_SECURITY_POLICY and "unsafe" not in policy, where
    assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy, where
    assert headers["X-Content-Type-Options"] == "nosniff", where
    assert headers["Referrer-Policy"] == "same-origin", where
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin", where
    assert is_keepable or headers["Cache-Control"] == "no-store", where
    assert all(len(headers.getlist(name)) == 1 for name in PAGE_HEADERS), where


def test_whatever_can_be_opened_carries_the_headers(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    """Pages, files, redirects and what is not there, signed in and signed out. The stream, which
    does not end, is tests/hostile/test_hostile_stream.py's."""
    event = report(owner, team, ended_at=None).json["event_id"]
    seen = set()
    for rule in app.url_map.iter_rules():
        of_senders = rule.rule.startswith(("/api/", "/metrics")) or (
            "foreign_pings" in rule.endpoint
        )
        is_page = "GET" in (rule.methods or ()) and not of_senders
        if not is_page or rule.endpoint == "live_log.stream_events":
            continue
        for found in (event, "a" * 24):
            path = re.sub("<[^>]+>", found, rule.rule)
            for client in (owner, app.test_client()):
                answer = client.get(path)
                check_headers(answer, path, is_keepable=rule.endpoint in KEEPABLE)
                seen.add(answer.status_code)
    assert seen >= {200, 302, 404}


def test_what_is_refused_or_breaks_carries_them_too(
    app: Flask,
    owner: FlaskClient,
    colleague: Callable[[str], FlaskClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash() -> str:
        raise ZeroDivisionError

    def lose() -> str:
        raise OperationalError("", {}, Exception("gone"))

    viewer = colleague("viewer")
    token = open_page(viewer, "/workflows").form("/sign-out").fields
    mine = open_page(owner, "/workflows").form("/sign-out").fields
    found = [
        (404, owner.get("/nowhere")),
        (405, owner.delete("/workflows")),
        (303, owner.get("/sign-out")),
        (403, viewer.post("/workflows", data=token)),
        (400, owner.post("/workflows", data={"name": "x"})),
        (403, owner.post("/workflows", data=mine, headers={"Origin": "https://evil.example"})),
        (422, owner.post("/workflows", data={**mine, "name": ""})),
        (413, owner.post("/workflows", data={"name": "x" * (MAX_FORM_BYTES + 1)})),
        (400, owner.get("/events/stream?state=never")),
        (401, app.test_client().get("/events/stream", headers={"HX-Request": "true"})),
    ]
    app.config["FLOWPULSE_PUBLIC_URL"] = "https://flow.example.org"
    found.append((421, owner.get("/workflows")))
    app.config["FLOWPULSE_PUBLIC_URL"] = ""
    for status, broken in ((500, crash), (503, lose)):
        monkeypatch.setitem(app.view_functions, "runs.show_runs", broken)
        found.append((status, owner.get("/runs")))
    for status, answer in found:
        assert answer.status_code == status, answer.text
        check_headers(answer, str(status))
    unread = app.extensions["flowpulse_unread"]("address_too_long", {}, b"GET /events?q=aaa")
    assert unread.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert unread.headers["Cache-Control"] == "no-store"


def test_api_answers_carry_what_a_client_needs(client: FlaskClient, team: Team) -> None:
    for answer in (report(client, team), client.get("/api/v1/nowhere")):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Content-Security-Policy" not in answer.headers


def test_files_are_kept_for_ever_under_an_address_that_names_their_content(
    client: FlaskClient,
) -> None:
    links = re.findall(r'(?:href|src)="(/static/[^"#]+)', client.get("/sign-in").text)
    assert len(links) > 5
    for link in links:
        answer = client.get(link)
        assert answer.status_code == 200, link
        assert answer.headers["Cache-Control"] == FOREVER, link
        assert "Set-Cookie" not in answer.headers
        assert "Cookie" not in answer.headers.get("Vary", "")


def test_sheets_come_as_one_and_texts_come_packed(client: FlaskClient) -> None:
    link = next(
        link
        for link in re.findall(r'href="(/static/[^"#]+)', client.get("/sign-in").text)
        if "all.css" in link
    )
    plain = client.get(link)
    packed = client.get(link, headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) * 3 < len(plain.data)
    sheets = {path.stem for path in Path("static/styles").glob("*.css")}
    assert sheets == set(SHEETS)
    known = {"If-None-Match": plain.headers["ETag"]}
    assert client.get(link, headers=known).status_code == 304
    for path in ("/static/app.js", "/static/vendor/htmx-4.0.1.min.js"):
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"


def test_a_file_under_a_stale_address_is_asked_for_again(client: FlaskClient) -> None:
    for path in ("/static/app.js", "/static/app.js?v=old", "/static/styles/all.css?v=old"):
        assert client.get(path).headers["Cache-Control"] == "no-cache"
    assert client.get("/static/../app/config.py").status_code == 404


def test_no_page_has_a_script_or_a_style_of_its_own(owner: FlaskClient, team: Team) -> None:
    sent = report(owner, team, ended_at=None).json["event_id"]
    workflow = f"/workflows/{team.workflow_public_id}"
    for path in ["/events", "/workflows", workflow, "/keys", "/troubleshooting", f"/events/{sent}"]:
        check_tags(open_page(owner, path, owner.get(path).status_code).tags)
    answer = send_form(owner, "/keys", name="Another")
    assert "style=" not in answer.text


def check_tags(tags: list[tuple[str, dict[str, str | None]]]) -> None:
    for tag, attributes in tags:
        assert tag not in {"style", "iframe", "object", "embed", "base"}
        assert not [name for name in attributes if name in RESERVED or name.startswith("on")], tag
        assert "hx-on" not in " ".join(attributes)
        if tag == "script":
            assert (attributes.get("src") or "").startswith("/static/")
        for name in ("href", "src", "action"):
            address = (attributes.get(name) or "").lower()
            assert not address.startswith(("javascript:", "http", "//"))


def test_the_server_says_that_it_is_well(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert "Set-Cookie" not in answer.headers


def test_a_page_asked_for_by_a_wrong_method_says_which_it_takes(client: FlaskClient) -> None:
    """RFC 9110, 15.5.6."""
    for path in ("/healthz", "/llms.txt", "/badge/x.svg"):
        answer = client.delete(path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD"), path
