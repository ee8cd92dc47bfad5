"""The connect page and the documents in a real browser, against the real server."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.server import LiveServer
from tests.sessions import enter
from tests.teams import LiveTeam

GOOD = {"ended_at": "2026-01-15T09:31:00Z"}
UNSENDABLE = {
    "fp_your_key": "fp_your_key only stands for a key",
    "fp_Ab12Cd34•••": "the sign “•” (U+2022)",
    "fp_Ab12\u200bCd34": "U+200B, which can't be seen",
    "fp_Ab12\nCd34": "What you pasted has a line break in it",
}
"""Keys that no header can carry, with what is said at the field."""
PASTE = """(field, text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text", text);
  field.focus();
  field.value = "";
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  if (!field.dispatchEvent(event)) return;
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}"""
"""As a browser pastes: the page may refuse what comes, and hears of what was taken."""


@pytest.fixture
def open_signed_in(
    browser: Browser, live_server: LiveServer, live_team: LiveTeam
) -> Iterator[Callable[..., Page]]:
    """Opens a page in a browser of the owner: `open_signed_in("/docs", color_scheme="dark")`."""
    contexts = []
    complaints: list[str] = []

    def open_page(path: str, **options: object) -> Page:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda line: complaints.append(line.text) if "Security Policy" in line.text else None,
        )
        enter(context, live_server, live_team.email)
        page.goto(live_server.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.everywhere
def test_from_the_choice_of_a_tool_to_two_green_ticks(
    open_signed_in: Callable[..., Page], live_server: LiveServer, live_team: LiveTeam
) -> None:
    page = open_signed_in("/connect")
    page.get_by_role("link", name="Python").click()
    page.get_by_label("A new one").fill("Nightly walk")
    page.get_by_role("button", name="Create workflow").dblclick()
    page.get_by_role("button", name="Create key").dblclick()
    listening = page.locator("#listen")
    expect(listening.locator("[data-listen-pill]")).to_have_text("Listening")
    key = page.locator("#new-key").inner_text()
    assert key in page.locator("#code-module").inner_text()
    opened = page.evaluate("performance.timeOrigin")
    page.locator("#part-use").scroll_into_view_if_needed()
    expect(listening.get_by_text("First success")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Copy key")).to_be_focused()
    page.locator("#tool-make").click()
    expect(page.locator("dd", has_text=key).first).to_be_visible()
    expect(page).to_have_url(re.compile(r"/connect\?.*tool=make"))
    page.locator("#tool-node").press("Enter")
    expect(page.locator("#code-module")).to_contain_text(key)
    expect(page.locator("#tool-node")).to_be_focused()
    expect(page.locator("#new-key")).to_have_text(key)

    def send(kind: str, status: int, key: str = key, **fields: str) -> str:
        body = {"workflow_slug": "nightly-walk", **GOOD, **fields}
        sent = live_server.post(f"/api/v1/ingest/{kind}", json=body, headers={"X-API-Key": key})
        assert sent.status_code == status, sent.text
        return str(sent.json()["event_id"])

    send("run-success", 400, live_team.key, ended_at="soon")
    other = send("run-success", 202, live_team.key)
    expect(listening.locator(f"article a[href='/events/{other}']")).to_be_visible(timeout=6_000)
    expect(listening.locator("article")).to_have_count(1)
    expect(listening.locator(".tick[data-tone=green]")).to_have_count(0)
    refused = send("run-success", 400, ended_at="15.01.2026 09:31")
    explained = listening.locator("article[data-tone=amber]")
    expect(explained).to_contain_text("Validation failed", timeout=6_000)
    expect(explained).to_contain_text("2026-01-15T09:31:00Z")
    expect(explained.get_by_role("link", name="Open the request")).to_have_attribute(
        "href", f"/events/{refused}"
    )
    success = send("run-success", 202)
    expect(listening.locator(f"a[href='/events/{success}']")).to_be_visible(timeout=6_000)
    expect(listening.locator(".tick[data-tone=green]")).to_have_count(1)
    expect(page.locator("#announcer")).to_have_text("The first success has come.")
    failure = send("run-failure", 202, error_message="429 from the CRM")
    expect(listening.locator(f"a[href='/events/{failure}']")).to_be_visible(timeout=6_000)
    expect(listening.get_by_role("heading", name="Connected")).to_be_visible()
    expect(page.locator(".step-mark").get_by_role("img", name="Done")).to_have_count(4)
    expect(page.locator(".step-mark").last).not_to_contain_text("4", use_inner_text=True)
    assert page.evaluate("performance.timeOrigin") == opened, "The page was loaded anew"
    expect(page.locator("#new-key")).to_have_text(key)

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2_500)
    assert asked == [], "It goes on asking"
    assert key not in page.url
    page.reload()
    expect(page.locator("#connect")).to_contain_text("It was shown once, when it was made")
    assert key not in page.content()


def test_a_session_that_ended_leaves_the_page_as_it_is_and_ends_the_asking(
    open_signed_in: Callable[..., Page], live_team: LiveTeam
) -> None:
    page = open_signed_in(f"/connect?tool=http&workflow={live_team.workflow_id}&key=own")
    page.context.clear_cookies()
    pill = page.locator("[data-listen-pill]")
    expect(pill).to_have_text("Signed out", timeout=6_000)
    expect(page.get_by_role("heading", name="First success")).to_have_count(0)
    expect(page.locator(".tick-title").first).to_have_text("First success")


@pytest.mark.everywhere
def test_the_reference_really_calls_the_endpoint(
    open_signed_in: Callable[..., Page], live_team: LiveTeam
) -> None:
    page = open_signed_in("/docs")
    form = page.locator("#run_success details.try")
    form.locator("summary").click()
    form.get_by_role("button", name="Send with the key").click()
    expect(form.locator(".tried")).to_contain_text("missing_api_key")
    field, why = form.get_by_label("API key"), form.get_by_role("alert")
    for pasted, said in UNSENDABLE.items():
        field.evaluate(PASTE, pasted)
        form.get_by_role("button", name="Send with the key").click()
        expect(why).to_contain_text(said)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_be_focused()
        expect(form.locator(".tried")).to_contain_text("missing_api_key")
    form.get_by_label("API key").fill(live_team.key)
    form.get_by_role("button", name="Send with the key").click()
    expect(form.locator(".tried")).to_contain_text("202")
    expect(form.locator(".tried")).to_contain_text('"status": "accepted"')
    expect(form.locator(".tried")).to_contain_text("location: /api/v1/events/")
    form.get_by_role("textbox", name="Body").fill(
        '{"workflow_slug": "<img src=x onerror=alert(1)>"}'
    )
    form.get_by_role("button", name="Send as a test").click()
    expect(form.locator(".tried")).to_contain_text("Rejected")
    assert re.search(r"/docs$", page.url)
    form.get_by_role("link", name="Open the event").click()
    expect(page).to_have_url(re.compile("/events/"))


def test_a_run_is_read_with_its_parameters(
    open_signed_in: Callable[..., Page], live_team: LiveTeam
) -> None:
    page = open_signed_in("/docs")
    form = page.locator("#show_workflow details.try")
    form.locator("summary").click()
    form.get_by_label("API key").fill(live_team.key)
    form.get_by_label("id", exact=True).fill(live_team.other_slug)
    form.get_by_label("id", exact=True).press("Enter")
    expect(form.locator(".tried")).to_contain_text("Invoice sync")


def test_the_table_is_searched_in_place(open_signed_in: Callable[..., Page]) -> None:
    page = open_signed_in("/troubleshooting")
    opened = page.evaluate("performance.timeOrigin")
    page.get_by_label("Search the table").press_sequentially("line break")
    expect(page.locator("#json_line_break_in_string")).to_be_visible()
    expect(page.locator("#missing_api_key")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"q=line\+break|q=line%20break"))
    expect(page.get_by_label("Search the table")).to_be_focused()
    assert page.evaluate("performance.timeOrigin") == opened
