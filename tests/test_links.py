"""Where a person is led after signing in is a page of this server, however it is written."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page

from app.links import local_path
from tests.factories import make_team
from tests.sessions import make_client

FOREIGN = [
    "//evil.example",
    "///evil.example",
    "////evil.example/%2f..",
    "//evil.example@flow.example",
    "//evil。example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "\\evil.example",
    "/\\/evil.example",
    "/\\\\evil.example",
    "/x\\..\\..\\\\evil.example",
    "https://evil.example",
    "HTTPS://evil.example",
    "https:evil.example",
    "http:///evil.example",
    "https:/\\evil.example",
    "http:evil.example",
    "ftp://evil.example",
    "https://flow.example@evil.example",
    "@evil.example",
    ":@evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "javascript://%0aalert(1)",
    "\x01javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "blob:https://evil.example/x",
    "evil.example",
    "evil.example/events",
    ".evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\u00a0//evil.example",
    "\ufeff//evil.example",
    "/\x00/evil.example",
    "\x00//evil.example",
    "/\x0b/evil.example",
    "/\u2028/evil.example",
    "／／evil.example",
    "/／evil.example",
    "/\u200b/evil.example",
    "⁄⁄evil.example",
    "/ok\r\nSet-Cookie: a=b",
    "/ok\r\nLocation: https://evil.example",
    "/" + "x" * 8_001,
    "?next=//evil.example",
    "#//evil.example",
    "",
]
STAYING = [
    "/events?state=failed&before=9#x",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/%09/evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/%2e%2e//evil.example",
    "/x/..//evil.example",
    "/x/.%2e//evil.example",
    "/./%2e/..///evil.example",
    "/@evil.example",
    "/:evil.example",
    "/;//evil.example",
    "/?//evil.example",
    "/#//evil.example",
    "/javascript:alert(1)",
    "/%00//evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/https://evil.example",
    "/" + "x" * 8_000,
]
"""What passes: as odd as some of it is, a browser stays with it."""
GOOD = ["/", "/workflows", "/events?q=a%20b&state=failed", "/runs/abc#top"]


def test_there_are_enough_forms() -> None:
    assert len(set(FOREIGN) | set(STAYING)) == len(FOREIGN) + len(STAYING) >= 40


@pytest.mark.parametrize("target", FOREIGN, ids=ascii)
def test_what_is_no_path_of_this_server_is_no_target(target: str) -> None:
    assert local_path(target) == "/"


@pytest.mark.parametrize("target", [*STAYING, *GOOD], ids=ascii)
def test_a_path_of_this_server_is_a_target(target: str) -> None:
    assert local_path(target) == target


def test_of_no_target_the_start_page_is_made() -> None:
    assert local_path(None) == "/"


@pytest.mark.once
def test_the_server_leads_nowhere_else(app: Flask) -> None:
    """Neither who is signed in already, nor by the field of the form."""
    client: FlaskClient = make_client(app, make_team().email)
    for target in FOREIGN:
        answer = client.get("/sign-in", query_string={"next": target})
        assert (answer.status_code, answer.location) == (302, "/"), ascii(target)
    for target in GOOD:
        assert client.get("/sign-in", query_string={"next": target}).location == target


def test_a_browser_reads_them_the_same_way(page: Page) -> None:
    """As Location, as a form's action and as a link: all of them are read against the page."""
    base = "https://flow.example:8443/sign-in"
    led = [local_path(each) for each in (*FOREIGN, *STAYING, *GOOD)]
    origins = page.evaluate(
        "([all, base]) => all.map((each) => new URL(each, base).origin)", [led, base]
    )
    assert set(origins) == {"https://flow.example:8443"}
    escaping = [each for each in FOREIGN if not each.startswith(("/ok", "?", "#", "/xx"))]
    left = page.evaluate(
        "([all, base]) => all.filter((each) => { try {"
        " return new URL(each, base).origin !== new URL(base).origin } catch { return false } })",
        [escaping, base],
    )
    assert len(left) > 20  # The forms above are worth refusing.
