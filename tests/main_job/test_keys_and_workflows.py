"""A real browser walks through limited keys, rotation and test events, on each database."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from requests import Response

from tests.axe import violations
from tests.main_job.visitors import send_form, sign_in
from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam

HOSTILE = "<img src=x onerror=alert(1)> {{7*7}} hx-get=//evil.example"


@pytest.fixture
def server(live_server: LiveServer) -> LiveServer:
    return live_server


@pytest.fixture
def team(own_team: LiveTeam) -> LiveTeam:
    return own_team


@pytest.fixture(params=["light", "dark"])
def themed(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in the light or the dark theme."""
    context = browser.new_context(color_scheme=request.param, reduced_motion="reduce")
    yield context.new_page()
    context.close()


@pytest.mark.everywhere
def test_a_limited_key_is_made_rotated_and_its_old_use_is_seen(
    server: LiveServer, team: LiveTeam, page: Page
) -> None:
    enter(page.context, server, team.email)
    page.goto(server.url + "/keys")
    expect(page.get_by_label("ingest")).to_be_checked()
    expect(page.get_by_label("read")).to_be_checked()
    page.get_by_label("Name").fill("Plant 17")
    page.get_by_text("Limit it to some workflows").click()
    page.get_by_label("Lead enrichment").check()
    page.get_by_role("button", name="Create key").click()
    first = read_key(page)
    assert send(server, first, team.slug) == 202
    assert send(server, first, team.other_slug) == 403
    page.get_by_role("link", name="I have copied the key").click()
    page.get_by_role("link", name="Plant 17").click()
    expect(page.get_by_role("definition").filter(has_text="Lead enrichment")).to_be_visible()
    second = rotate(page, "7 days")
    assert (send(server, second, team.slug), send(server, second, team.other_slug)) == (202, 403)
    assert send(server, first, team.slug, agent="plant-cron/1.0") == 202
    page.get_by_role("link", name="I have copied the key").click()
    page.get_by_role("link", name="Plant 17 (old)").click()
    meter = page.get_by_label("Use since the rotation")
    reload_until(page, "1 sender still uses the old key.")
    expect(meter).to_contain_text("plant-cron/1.0")
    expect(meter).to_contain_text("Used 1 time since then")
    expect(meter).to_contain_text("One that was seen on a single day counts as a monthly job.")
    page.get_by_role("button", name="Revoke Plant 17 (old)").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Revoke Plant 17 (old)?")
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status").filter(has_text="is revoked")).to_be_visible()
    assert (send(server, first, team.slug), send(server, second, team.slug)) == (401, 202)
    page.get_by_text("Revoked and expired keys").click()
    page.get_by_role("link", name="Plant 17 (old)").click()
    told = page.get_by_role("region", name="Revoked")
    expect(told.get_by_role("heading")).to_have_text(re.compile(f"Revoked .* by {team.email}"))


def test_a_second_press_does_not_hide_the_key(
    server: LiveServer, team: LiveTeam, page: Page
) -> None:
    enter(page.context, server, team.email)
    page.goto(server.url + "/keys")
    page.get_by_label("Name").fill("Twice")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.get_by_role("button", name="Create key").evaluate(
        "({ form }) => { form.requestSubmit(); setTimeout(() => form.requestSubmit(), 5); }"
    )
    assert send(server, read_key(page), team.slug) == 202
    assert sent.count("POST") == 1


@pytest.mark.everywhere
def test_a_workflow_is_renamed_archived_and_restored(
    server: LiveServer, team: LiveTeam, page: Page
) -> None:
    enter(page.context, server, team.email)
    page.goto(server.url + "/workflows")
    page.get_by_role("link", name=team.name).click()
    rename(page, "Invoice sync", "No Slug")
    expect(page.locator("#field-name-error")).to_have_text(
        "Another workflow has the name Invoice sync."
    )
    expect(page.locator("#field-slug-error")).to_contain_text("such as no-slug")
    rename(page, "Enrich leads", "enrich")
    expect(page.get_by_role("heading", name="Enrich leads")).to_be_visible()
    expect(page.locator("#toasts")).to_contain_text("lead-enrichment works for 30 more days.")
    for slug, codes in ((team.slug, ["former_slug"]), ("enrich", [])):
        answer = report(server, team.key, slug)
        assert answer.status_code == 202
        assert [each["code"] for each in answer.json().get("warnings", [])] == codes
    reload_until(page, "Still used:")
    page.get_by_role("link", name=re.compile("^last ")).click()
    expect(page.get_by_role("main")).to_contain_text("former_slug")
    page.goto(f"{server.url}/workflows/{team.workflow_id}")
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Archive").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Archive Enrich leads?")
    dialog.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("None has come since then.")).to_be_visible()
    answer = report(server, team.key, team.slug)
    assert (answer.status_code // 100, answer.json()["code"]) == (4, "workflow_archived")
    reload_until(page, "1 request came since then")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("main")).not_to_contain_text("came since then")
    assert report(server, team.key, team.slug).status_code == 202


@pytest.mark.everywhere
def test_test_events_are_sent_in_place_and_without_javascript(
    server: LiveServer, team: LiveTeam, page: Page, browser: Browser
) -> None:
    enter(page.context, server, team.email)
    address = f"{server.url}/workflows/{team.workflow_id}"
    page.goto(address)
    page.get_by_role("button", name="Success").click()
    outcome = page.locator("#test-outcome")
    expect(outcome).to_contain_text("Success: accepted with 202")
    latest = page.locator("#latest")
    expect(latest.locator(".runs tbody tr")).to_have_count(1)
    expect(latest.locator("table.events:not(.runs) tbody tr")).to_have_count(1)
    expect(latest).not_to_have_attribute("hx-trigger", re.compile("every"))
    kinds = page.get_by_label("Or a request that is broken")
    kinds.select_option("A value is empty")
    page.get_by_role("button", name="Send it").click()
    expect(outcome).to_contain_text("refused with 400 invalid_json")
    kinds.select_option("revoked_api_key")
    page.get_by_role("button", name="Send it").click()
    expect(outcome).to_contain_text("refused with 401 revoked_api_key")
    expect(outcome).to_contain_text('"code": "unauthorized"')
    kinds.select_option("json_empty_value")
    page.get_by_role("button", name="Send it").click()
    expect(outcome).to_contain_text("refused with 400 invalid_json")
    assert page.url == address
    outcome.get_by_role("link", name="Open the event").click()
    expect(page).to_have_url(re.compile("/events/"))
    expect(page.get_by_text("A value is empty").first).to_be_visible()
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    enter(plain.context, server, team.email)
    plain.goto(address)
    plain.get_by_role("button", name="Failure").click()
    expect(plain).to_have_url(re.compile("/events/"))
    expect(plain.get_by_text("Test", exact=True).first).to_be_visible()
    context.close()


def test_search_in_the_ticks_hides_what_does_not_fit(
    server: LiveServer, team: LiveTeam, page: Page
) -> None:
    enter(page.context, server, team.email)
    person = sign_in(server, team)
    for number in range(9):
        answer = send_form(person, server, "/workflows", name=f"Nightly {number}")
        assert answer.status_code == 303
    page.goto(server.url + "/keys")
    page.get_by_text("Limit it to some workflows").click()
    page.get_by_label("Nightly 3").check()
    search = page.get_by_role("searchbox", name="Search the workflows")
    search.fill("LEAD")
    expect(page.get_by_label("Lead enrichment")).to_be_visible()
    expect(page.get_by_label("Nightly 3")).to_be_hidden()
    search.press("Enter")
    expect(page).to_have_url(server.url + "/keys")
    page.get_by_label("Name").fill("Two")
    page.get_by_label("Lead enrichment").check()
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("definition").filter(has_text="Nightly 3")).to_contain_text("Lead")


def test_a_hostile_name_runs_nowhere(server: LiveServer, team: LiveTeam, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    enter(page.context, server, team.email)
    page.goto(server.url + "/workflows")
    page.get_by_label("Name").fill(HOSTILE)
    page.get_by_role("button", name="Create workflow").click()
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    page.get_by_role("button", name="Success").click()
    expect(page.locator("#test-outcome")).to_contain_text("accepted")
    page.goto(server.url + "/keys")
    page.get_by_label("Name").fill(HOSTILE)
    page.get_by_text("Limit it to some workflows").click()
    page.get_by_label(HOSTILE).check()
    page.get_by_role("button", name="Create key").click()
    read_key(page)
    page.goto(server.url + "/keys")
    page.get_by_role("link", name=HOSTILE).click()
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    assert not [url for url in asked if not url.startswith(server.url)]


@pytest.mark.once
def test_axe_finds_nothing(server: LiveServer, team: LiveTeam, themed: Page) -> None:
    page = themed
    enter(page.context, server, team.email)
    workflow = f"/workflows/{team.workflow_id}"
    page.goto(server.url + workflow)
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Slug").fill("enrich")
    page.get_by_role("button", name="Save", exact=True).click()
    send(server, team.key, team.slug)
    page.get_by_label("Or a request that is broken").select_option("json_trailing_comma")
    page.get_by_role("button", name="Send it").click()
    expect(page.locator("#test-outcome")).to_contain_text("refused")
    assert violations(page) == []
    page.goto(server.url + "/keys")
    page.get_by_role("link", name="n8n-prod").click()
    page.wait_for_url("**/keys/*")
    assert violations(page) == []
    rotate(page, "24 hours")
    assert violations(page) == []
    send(server, team.key, "enrich")
    for path in ("/workflows", "/keys"):
        page.goto(server.url + path)
        assert violations(page) == [], path
    page.get_by_role("link", name="n8n-prod (old)").click()
    reload_until(page, "still uses the old key")
    page.get_by_text("As a table").click()
    assert violations(page) == []
    page.goto(server.url + workflow)
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("dialog").get_by_role("button", name="Archive").click()
    expect(page.get_by_text("None has come since then.")).to_be_visible()
    assert violations(page) == []
    page.goto(server.url + "/workflows")
    page.get_by_text("Archived workflows").click()
    assert violations(page) == []


def rotate(page: Page, keep: str) -> str:
    page.get_by_label("This key ends after").select_option(keep)
    page.get_by_role("button", name="Rotate key").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    return read_key(page)


def rename(page: Page, name: str, slug: str) -> None:
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="Slug").fill(slug)
    page.get_by_role("button", name="Save", exact=True).click()


def read_key(page: Page) -> str:
    expect(page.locator("#new-key")).to_be_visible()
    expect(page.locator("#new-key")).to_have_text(re.compile("fp_[0-9A-Za-z]{36}"))
    return page.locator("#new-key").inner_text()


def reload_until(page: Page, text: str) -> None:
    """What a key is used for is written every two seconds."""
    for _ in range(20):
        if page.get_by_text(text).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    pytest.fail(f"Never showed {text!r}: {page.get_by_role('main').inner_text()}")


def send(server: LiveServer, key: str, slug: str, agent: str = "n8n") -> int:
    return report(server, key, slug, agent).status_code


def report(server: LiveServer, key: str, slug: str, agent: str = "n8n") -> Response:
    body = {"workflow_slug": slug, "ended_at": "2026-01-15T09:31:00Z"}
    headers = {"X-API-Key": key, "User-Agent": agent}
    return server.post("/api/v1/ingest/run-success", json=body, headers=headers)
