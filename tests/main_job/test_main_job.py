"""The main job as a new user does it, in a real browser against the real server."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.factories import PASSWORD
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam

LIVE_MS = 1_000
"""How soon a request must show up in the open live log."""

pytestmark = pytest.mark.everywhere


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser complains about: broken scripts, and what the security policy stopped."""
    heard: list[str] = []
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "console",
        lambda line: heard.append(line.text) if "Content Security Policy" in line.text else None,
    )
    yield heard


@pytest.mark.alone
def test_a_new_user_gets_from_the_set_up_link_to_an_explained_refusal(
    make_server: Callable[..., LiveServer], page: Page, complaints: list[str]
) -> None:
    server = make_server()
    set_up(server, page)
    slug = create_workflow(page)
    key = create_key(page)

    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.locator("[data-live-pill][data-state=live]")).to_be_visible()
    was_opened = page.evaluate("performance.timeOrigin")

    for kind, badge in (("success", "Succeeded"), ("failure", "Failed")):
        event_id = send(server, key, f"run-{kind}", body(slug, kind))
        row = page.locator(f"#event-{event_id}")
        expect(row).to_be_visible(timeout=LIVE_MS)
        expect(row).to_contain_text(badge, timeout=5_000)

    wrong = body(slug, "success")
    wrong["endedAt"] = wrong.pop("ended_at")
    event_id = send(server, key, "run-success", wrong, status=400)
    row = page.locator(f"#event-{event_id}")
    expect(row).to_be_visible(timeout=LIVE_MS)
    expect(row).to_contain_text("Rejected")
    assert page.evaluate("performance.timeOrigin") == was_opened, "The page was loaded anew"
    assert page.locator("#events > tr").count() == 3

    row.locator("a.row-link").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("ended_at")
    expect(main).to_contain_text("endedAt")
    main.get_by_text("A required field is missing: symptom, fix and examples").first.click()
    page.locator("a[href*='/troubleshooting#missing']").first.click()
    expect(page).to_have_url(re.compile(r"/troubleshooting#missing$"))
    expect(page.locator("#missing")).to_be_in_viewport()
    assert complaints == []


def test_signing_out_ends_the_session_and_an_open_log(
    live_server: LiveServer, own_team: LiveTeam, page: Page
) -> None:
    server = live_server
    enter(page.context, server, own_team.email)
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    with requests.get(
        server.url + "/events/stream", cookies=cookies, stream=True, timeout=30
    ) as stream:
        assert stream.status_code == 200
        page.goto(server.url + "/events")
        page.get_by_text(own_team.email).first.click()
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(re.compile("/sign-in"))
        started = time.monotonic()
        for _ in stream.iter_content(1024):
            assert time.monotonic() - started < 10, "The stream goes on after the sign-out"
    after = server.get("/events", cookies=cookies, allow_redirects=False)
    assert after.status_code == 302


def set_up(server: LiveServer, page: Page) -> None:
    """By the one-time link, as the server prints it; without it there is no way, nor afterwards."""
    link = re.search(r"http\S+/setup\?token=\S+", server.prepare())
    assert link is not None
    assert server.get("/setup").status_code == 403
    assert server.get("/setup?token=" + "0" * 40).status_code == 403
    page.goto(link[0])
    page.get_by_label("Workspace").fill("Acme")
    page.get_by_label("E-mail").fill("owner@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up and sign in").click()
    expect(page.get_by_role("link", name="Workflows", exact=True).first).to_be_visible()
    assert server.get("/setup").status_code == 410


def create_workflow(page: Page, name: str = "Lead enrichment") -> str:
    """Its slug."""
    page.get_by_role("link", name="Workflows", exact=True).first.click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create workflow").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return name.lower().replace(" ", "-")


def create_key(page: Page, *scopes: str) -> str:
    """With these scopes, besides the one that a sender needs."""
    page.get_by_role("link", name="API keys", exact=True).first.click()
    page.get_by_label("Name").fill("n8n")
    for scope in scopes:
        page.get_by_label(scope).check()
    page.get_by_role("button", name="Create key").click()
    shown = re.search(r"fp_[0-9A-Za-z]{36}", page.get_by_role("main").inner_text())
    assert shown is not None, page.get_by_role("main").inner_text()
    return shown[0]


def body(slug: str, kind: str) -> dict[str, Any]:
    fields = {"workflow_slug": slug, "ended_at": "2026-01-15T09:31:00Z", "source_platform": "n8n"}
    return fields if kind == "success" else {**fields, "error_message": "429 from the CRM"}


def send(server: LiveServer, key: str, path: str, fields: dict[str, Any], status: int = 202) -> str:
    answer = server.post(f"/api/v1/ingest/{path}", json=fields, headers={"X-API-Key": key})
    assert answer.status_code == status, answer.text
    return str(answer.json()["event_id"])


def test_everything_but_the_live_part_works_without_javascript(
    live_server: LiveServer, own_team: LiveTeam, browser: Browser
) -> None:
    server = live_server
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server.url + "/sign-in")
    page.get_by_label("E-mail").fill(own_team.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    slug, key = create_workflow(page, "Night shift"), create_key(page, "read")
    send(server, key, "run-success", body(slug, "success"))
    event_id = send(server, key, "run-success", {**body(slug, "success"), "ended_at": "x"}, 400)
    listed = {"headers": {"X-API-Key": key}}
    wait_for(lambda: len(server.get("/api/v1/events", **listed).json()["data"]) == 2)
    page.goto(server.url + "/events")
    expect(page.locator("#events > tr")).to_have_count(2)
    page.locator(f"#event-{event_id} a.row-link").click()
    expect(page.get_by_role("main")).to_contain_text("ended_at")
    page.goto(server.url + "/troubleshooting#not_a_datetime")
    expect(page.locator("#not_a_datetime")).to_be_visible()
    context.close()
