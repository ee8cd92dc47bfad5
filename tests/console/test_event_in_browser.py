"""Mending a refused request in a real browser on the real server."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.axe import violations
from tests.factories import PASSWORD
from tests.layout import cut_off
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam

RECENT = "2026-11-24T03:00:00Z"


@pytest.fixture
def team(live_server: LiveServer, own_team: LiveTeam, page: Page) -> LiveTeam:
    enter(page.context, live_server, own_team.email)
    return own_team


def refuse(server: LiveServer, team: LiveTeam, **fields: Any) -> str:
    """The path of the refused request's page, once it is there."""
    body = {"workflow_slug": team.slug, "ended_at": RECENT, **fields}
    given = {name: value for name, value in body.items() if value is not None}
    answer = server.post("/api/v1/ingest/run-success", json=given, headers=team.headers).json()
    assert answer["status"] >= 400
    wait_for(lambda: server.get(f"/api/v1/events/{answer['event_id']}", headers=team.headers).ok)
    return f"{server.url}/events/{answer['event_id']}"


@pytest.mark.once
def test_a_mark_far_down_in_a_body_stands_in_sight(
    live_server: LiveServer, team: LiveTeam, page: Page
) -> None:
    metadata = {f"key{number:03}": number for number in range(120)}
    body = {"workflow_slug": team.slug, "metadata": metadata, "ended_at": "yesterday"}
    answer = live_server.post(
        "/api/v1/ingest/run-success",
        data=json.dumps(body, indent=1),
        headers={**team.headers, "Content-Type": "application/json"},
    ).json()
    path = f"/api/v1/events/{answer['event_id']}"
    wait_for(lambda: live_server.get(path, headers=team.headers).ok)
    page.goto(f"{live_server.url}/events/{answer['event_id']}")
    expect(page.locator("#place-1")).to_have_text('"ended_at": "yesterday"')
    page.wait_for_function(
        """() => {
          const mark = document.querySelector("#place-1").getBoundingClientRect();
          const box = document.querySelector(".lines:has(#place-1)").getBoundingClientRect();
          return box.top < mark.top && mark.bottom < box.bottom;
        }"""
    )


@pytest.mark.once
def test_the_head_copies_the_request_as_code_with_two_clicks(
    live_server: LiveServer, team: LiveTeam, page: Page
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    path = refuse(live_server, team, ended_at="yesterday")
    for address in (path, path.replace("/events/", "/events?event=")):
        page.goto(address)
        page.locator("summary", has_text="Copy as code").click()
        menu = page.locator(".copy-menu:not(.export-menu) .menu-panel")
        expect(menu.get_by_role("button")).to_have_text(
            ["Copy as curl", "Copy as n8n", "Copy as Python", "Copy as JavaScript"],
            use_inner_text=True,
        )
        for name in ("curl", "n8n", "python", "javascript"):
            button = menu.locator(f"[data-copy-from='#send-{name}']")
            button.click()
            expect(button).to_have_text("Copied", use_inner_text=True)
            expect(page.locator("#announcer")).to_have_text("Copied")
            code = page.locator(f"#send-{name}").text_content()
            assert code and page.evaluate("navigator.clipboard.readText()") == code
    assert violations(page) == [] and cut_off(page) == []
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(path)
    page.locator("summary", has_text="Copy as code").click()
    expect(menu).to_be_visible()
    assert violations(page) == [] and cut_off(page) == []


@pytest.mark.once
def test_without_a_script_the_head_leads_to_the_code(
    live_server: LiveServer, team: LiveTeam, page: Page, new_context: Callable[..., BrowserContext]
) -> None:
    plain = new_context(java_script_enabled=False)
    plain.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    plain_page = plain.new_page()
    plain_page.goto(refuse(live_server, team, ended_at="yesterday"))
    expect(plain_page.locator(".copy-menu")).to_be_hidden()
    plain_page.get_by_role("link", name="Copy as code").click()
    expect(plain_page.locator("#send-again")).to_be_in_viewport()


@pytest.mark.everywhere
def test_a_refused_request_is_edited_checked_and_sent_again(
    live_server: LiveServer, team: LiveTeam, page: Page
) -> None:
    first = refuse(live_server, team, ended_at=None, endedAt=RECENT)
    page.goto(first)
    mark = page.locator("#event mark#place-1")
    expect(mark).to_have_text('"endedAt"')
    page.get_by_role("link", name="line 1, column").first.click()
    expect(mark).to_be_in_viewport()
    page.get_by_role("link", name="Edit and resend").click()
    body = page.get_by_label("Body", exact=True)
    corrected = body.input_value()
    assert json.loads(corrected)["ended_at"] == RECENT
    page.evaluate("window.stayed = true")
    body.fill(corrected.replace(RECENT, "yesterday"))
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#verdict")).to_contain_text("It would be refused")
    assert page.evaluate("window.stayed"), "Check loaded the page anew"
    expect(page.locator("#verdict mark")).to_contain_text("yesterday")
    body.fill(corrected)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A run succeeded")
    page.get_by_role("link", name="The first attempt").click()
    expect(page).to_have_url(first)
    expect(page.locator("#event")).to_contain_text("a later attempt was accepted")


@pytest.mark.once
@pytest.mark.parametrize("has_js", [True, False])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_verdict_on_a_long_body_comes_into_sight(
    live_server: LiveServer,
    team: LiveTeam,
    page: Page,
    new_context: Callable[..., BrowserContext],
    width: int,
    has_js: bool,
) -> None:
    context = new_context(java_script_enabled=has_js, viewport={"width": width, "height": 800})
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(refuse(live_server, team, ended_at="yesterday") + "/resend")
    metadata = {f"key{number:03}": "x" * 40 for number in range(600)}
    body = {"workflow_slug": team.slug, "metadata": metadata}
    field = page.get_by_label("Body", exact=True)
    for ended_at, verdict in (("never", "It would be refused"), (RECENT, "It would be accepted")):
        field.fill(json.dumps({**body, "ended_at": ended_at}, indent=1))
        box = field.bounding_box()
        assert box and box["height"] <= 800 * 0.7 + 1
        page.get_by_role("button", name="Check").click()
        heading = page.locator("#verdict").get_by_role("heading", name=verdict)
        expect(heading).to_be_in_viewport(ratio=1)
        expect(heading).to_be_focused()
        place = heading.bounding_box()
        bar = page.locator(".topbar").bounding_box()
        assert place and bar and place["y"] >= bar["y"] + bar["height"]
    assert cut_off(page) == []
    context.close()


@pytest.mark.once
def test_the_log_names_who_sent_without_a_key_in_one_line(
    live_server: LiveServer, team: LiveTeam, page: Page
) -> None:
    page.goto(refuse(live_server, team, ended_at="yesterday") + "/resend")
    body = json.dumps({"workflow_slug": team.slug, "ended_at": RECENT})
    page.get_by_label("Body", exact=True).fill(body)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A run succeeded")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"{live_server.url}/events")
        sender = page.locator(".sent-by")
        expect(sender).to_have_text(f"no key · {team.email}")
        expect(sender).to_have_attribute("title", f"no key · {team.email}")
        line = sender.evaluate("(each) => parseFloat(getComputedStyle(each).lineHeight)")
        box = sender.bounding_box()
        assert box and box["height"] <= line + 1
        assert cut_off(page) == []
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator("[data-live-pill][data-state=live]")).to_be_visible()
    page.keyboard.press("j")
    assert sender.evaluate("(each) => each.scrollWidth <= each.clientWidth"), "it stays cut"


@pytest.mark.everywhere
def test_a_workflow_is_created_and_three_requests_run_again(
    live_server: LiveServer, team: LiveTeam, page: Page
) -> None:
    paths = [refuse(live_server, team, workflow_slug="new-flow") for _ in range(3)]
    page.goto(paths[0])
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("main")).to_contain_text("Workflow “New flow” was created")
    page.get_by_role("button", name="Reprocess all 3").click()
    dialog = page.locator("dialog#confirm")
    expect(dialog).to_contain_text("All 3 requests that are refused for this reason run again")
    dialog.get_by_role("button", name="Reprocess 3").click()
    expect(page.get_by_role("main")).to_contain_text("3 requests reprocessed and accepted")
    for path in paths:
        page.goto(path)
        expect(page.locator("#event")).to_contain_text("Solved")
    page.goto(refuse(live_server, team, workflow_slug="lead-enrichmnt"))
    page.get_by_role("button", name="It was lead-enrichment").click()
    expect(dialog).to_contain_text("It was Lead enrichment?")
    expect(dialog).to_contain_text("The request runs again")
    dialog.get_by_role("button", name="Reprocess the request").click()
    expect(page.get_by_role("main")).to_contain_text("reprocessed and accepted")


def test_an_edited_body_outlives_the_session_and_a_check_does_not_lose_it(
    live_server: LiveServer, team: LiveTeam, page: Page
) -> None:
    page.goto(refuse(live_server, team, ended_at="yesterday"))
    page.get_by_role("link", name="Edit and resend").click()
    typed = json.dumps({"workflow_slug": team.slug, "ended_at": RECENT}, indent=2)
    page.get_by_label("Body", exact=True).fill(typed)
    page.context.clear_cookies()
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    assert violations(page) == []
    page.get_by_label("E-mail").fill(team.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Body", exact=True)).to_have_value(typed)
    assert violations(page) == []
    page.get_by_role("button", name="Send it again").click()
    expect(page.locator("#verdict")).to_contain_text("It would be accepted")
    expect(page.get_by_label("Body", exact=True)).to_have_value(typed)
