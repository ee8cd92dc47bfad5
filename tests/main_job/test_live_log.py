"""The live log in a real browser against the real server: follow, hold, resume, filter, read."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, Route, expect

from tests.axe import violations
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam, make_live_team

PILL = "[data-live-pill]"
LIVE = f"{PILL}[data-state=live]"
FLOOD = """(count) => {
  const list = document.getElementById("events");
  for (let number = 1; number <= count; number += 1) {
    const cursor = 1_000_000 + number;
    const row = `<tr id="event-${cursor}" data-cursor="${cursor}"><td><a class="row-link" href="#">
      <time datetime="2026-01-15T09:31:00.000Z" data-relative="precise"></time></a></td></tr>`;
    const message = { data: row, event: "", id: String(cursor) };
    htmx.trigger(list, "htmx:sse:before:message", { message });
  }
  return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
"""Sends the list so many rows in one go, as its stream does."""
WIDE = {"width": 1280, "height": 800}


class Log:
    """A team of this test's own, and its log open in a browser."""

    def __init__(self, server: LiveServer, team: LiveTeam, page: Page) -> None:
        self.server, self.team, self.page = server, team, page

    def open(self, query: str = "", live: bool = True) -> None:
        self.page.goto(f"{self.server.url}/events{query}")
        if live:
            expect(self.page.locator(LIVE)).to_be_visible(timeout=10_000)

    def send(self, kind: str = "success", status: int = 202, **fields: Any) -> str:
        """The row's id of an event that has just been sent."""
        body = {"workflow_slug": self.team.slug, "ended_at": "2026-01-15T09:31:00Z", **fields}
        if kind == "failure":
            body.setdefault("error_message", "boom")
        answer = self.server.post(
            f"/api/v1/ingest/run-{kind}",
            json={name: value for name, value in body.items() if value is not None},
            headers=self.team.headers,
        )
        assert answer.status_code == status, answer.text
        return f"event-{answer.json()['event_id']}"

    def has_noticed_after_a_while(self) -> bool:
        """Thirteen seconds on; what was on its way before that is news to the page nevertheless."""
        self.page.clock.fast_forward(13_000)
        return self.page.locator(PILL).inner_text() == "Reconnecting"

    def rows(self) -> list[str]:
        rows = self.page.locator("#log tbody > tr")
        return list(rows.evaluate_all("rows => rows.map(row => row.id)"))

    def expect_rows(self, expected: list[str], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while self.rows() != expected and time.monotonic() < deadline:
            self.page.wait_for_timeout(100)
        assert self.rows() == expected


@contextmanager
def open_log(server: LiveServer, team: LiveTeam, page: Page) -> Iterator[Log]:
    heard: list[str] = []
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    enter(page.context, server, team.email)
    yield Log(server, team, page)
    assert heard == []


@pytest.fixture
def log(live_server: LiveServer, own_team: LiveTeam, page: Page) -> Iterator[Log]:
    with open_log(live_server, own_team, page) as log:
        yield log


@pytest.fixture(scope="module")
def unsteady_server(share_server: Callable[..., LiveServer]) -> LiveServer:
    """Whose parts may be stopped and killed, as long as they are there again afterwards."""
    return share_server(WEB_CONCURRENCY="1")


@pytest.fixture
def unsteady(unsteady_server: LiveServer, page: Page) -> Iterator[Log]:
    with open_log(unsteady_server, make_live_team(unsteady_server), page) as log:
        yield log


@pytest.mark.everywhere
def test_a_filtered_log_follows_what_fits_and_nothing_else(log: Log) -> None:
    log.open("?outcome=failure")
    sent = []
    for _ in range(3):
        log.send()
        sent.append(log.send("failure"))
        log.send(ended_at=None, status=400)
    log.expect_rows(sent[::-1])
    expect(log.page.locator("#log tbody > tr").first).to_contain_text("Failed")


@pytest.mark.everywhere
def test_rows_enter_and_leave_a_list_of_one_state(unsteady: Log) -> None:
    log = unsteady
    log.server.kill_worker()
    log.open("?state=accepted")
    waiting = [log.send() for _ in range(3)]
    log.expect_rows(waiting[::-1])
    log.server.restart_worker()
    log.expect_rows([])
    log.open("?state=processed")
    log.expect_rows(waiting[::-1])
    log.expect_rows([*[log.send() for _ in range(2)][::-1], *waiting[::-1]])


@pytest.mark.everywhere
def test_nothing_is_lost_or_doubled_across_a_restart_of_the_server(unsteady: Log) -> None:
    all_rows = unsteady
    found = Log(all_rows.server, all_rows.team, all_rows.page.context.new_page())
    all_rows.open()
    found.open("?q=boom")
    before = [all_rows.send("failure") for _ in range(3)]
    for log in (all_rows, found):
        log.expect_rows(before[::-1])
    all_rows.server.kill_web()
    for log in (all_rows, found):
        expect(log.page.locator(PILL)).to_have_text("Reconnecting", timeout=10_000)
    all_rows.server.restart_web()
    after = [all_rows.send("failure") for _ in range(4)]
    for log in (all_rows, found):
        log.expect_rows([*after[::-1], *before[::-1]])
        expect(log.page.locator(LIVE)).to_be_visible(timeout=10_000)


@pytest.mark.everywhere
def test_nothing_is_lost_or_doubled_after_thirty_seconds_offline(
    log: Log, database_kind: str
) -> None:
    """Thirty real seconds on SQLite; on PostgreSQL the browser's clock jumps ahead by them."""
    is_real = database_kind == "sqlite"
    if not is_real:
        log.page.clock.install()
    log.open()
    before = [log.send("failure") for _ in range(2)]
    log.expect_rows(before[::-1])
    log.page.context.set_offline(True)
    started = time.monotonic()
    expect(log.page.locator(PILL)).to_have_text("Reconnecting")
    during = [log.send("failure") for _ in range(5)]
    if is_real:
        log.page.wait_for_timeout(max(0.0, 30 - (time.monotonic() - started)) * 1_000)
    else:
        log.page.clock.run_for(30_000)
    assert log.rows() == before[::-1]
    log.page.context.set_offline(False)
    after = [log.send("failure") for _ in range(2)]
    log.expect_rows([*after[::-1], *during[::-1], *before[::-1]])
    expect(log.page.locator(LIVE)).to_be_visible()


def test_a_stream_that_falls_silent_is_not_called_live(unsteady: Log) -> None:
    log = unsteady
    log.page.clock.install()
    log.open()
    web = log.server.processes["web"].pid
    os.killpg(web, signal.SIGSTOP)
    try:
        wait_for(log.has_noticed_after_a_while, seconds=20, pause=0.5)
    finally:
        os.killpg(web, signal.SIGCONT)
    sent = log.send()
    log.expect_rows([sent])
    expect(log.page.locator(LIVE)).to_be_visible(timeout=10_000)


@pytest.mark.once
def test_a_flood_of_rows_is_laid_out_once(log: Log) -> None:
    first = log.send()
    log.open()
    log.expect_rows([first])
    devtools = log.page.context.new_cdp_session(log.page)
    devtools.send("Performance.enable")
    before = count_layouts(devtools)
    log.page.evaluate(FLOOD, 600)
    assert count_layouts(devtools) - before <= 5
    assert log.rows() == [f"event-{1_000_000 + number}" for number in range(600, 100, -1)]
    older = log.page.get_by_role("link", name="Older")
    expect(older).to_have_attribute("href", re.compile(r"/events\?before=1000101$"))


def widths(log: Log) -> list[float]:
    cells = log.page.locator("#log thead th")
    return list(cells.evaluate_all("all => all.map(each => each.getBoundingClientRect().width)"))


def test_times_stay_true_in_a_page_that_stands_open_and_no_column_moves(log: Log) -> None:
    log.page.clock.install()
    log.open()
    first = log.send()
    log.expect_rows([first])
    when = log.page.locator(f"#{first} time")
    expect(when).to_have_text("just now")
    expect(when).to_have_attribute("title", re.compile(r"\d\d:\d\d:\d\d\.\d{3} "))
    expect(log.page.locator(f"#{first}")).to_contain_text("Succeeded")
    before = widths(log)
    log.page.keyboard.press("p")
    held = log.send()
    expect(log.page.locator("[data-live-held]")).to_have_text("1 new")
    log.page.clock.pause_at(time.time() + 59 * 60 + 30)
    expect(when).to_have_text("59 min ago")
    assert widths(log) == before
    log.page.keyboard.press("p")
    expect(log.page.locator(f"#{held} time")).to_have_text("59 min ago")
    assert log.page.locator("#announcer").inner_text() == ""


def test_the_exact_time_is_shown_to_whoever_comes_by_keyboard(log: Log) -> None:
    """And Escape takes away what it hides, without another move (WCAG 1.4.13)."""
    log.send()
    log.open()
    log.page.keyboard.press("j")
    when = log.page.locator("#log tbody time")
    shown = "time => getComputedStyle(time, '::after').content"
    assert when.get_attribute("title") in when.evaluate(shown)
    log.page.keyboard.press("Escape")
    assert when.evaluate(shown) == "none"
    log.page.locator("#filter-q").focus()
    log.page.locator("#filter-q").blur()
    log.page.keyboard.press("j")
    assert when.get_attribute("title") in when.evaluate(shown)


def count_layouts(devtools: CDPSession) -> int:
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return next(int(each["value"]) for each in metrics if each["name"] == "LayoutCount")


def test_the_newest_filter_wins_and_a_pause_outlives_it(log: Log) -> None:
    log.send()
    failed = log.send("failure")
    log.open()
    log.page.keyboard.press("p")
    expect(log.page.locator(PILL)).to_have_text("Paused")
    late: list[Route] = []
    log.page.route(re.compile("outcome=success"), lambda route: late.append(route))
    log.page.evaluate("document.querySelector('.log-more').open = true")
    log.page.get_by_label("Outcome").focus()
    log.page.get_by_label("Outcome").select_option("success")
    log.page.get_by_label("Outcome").select_option("failure")
    log.expect_rows([failed])
    for route in late:
        route.continue_()
    expect(log.page).to_have_url(re.compile(r"\?outcome=failure$"))
    expect(log.page.get_by_label("Outcome")).to_be_focused()
    expect(log.page.locator(PILL)).to_have_text("Paused")
    log.send("failure")
    expect(log.page.locator("[data-live-held]")).to_have_text("1 new")
    assert log.rows() == [failed]


def test_rows_are_held_while_the_reader_points_scrolls_or_pauses(log: Log) -> None:
    first = [log.send("failure", error_message="long " * 40) for _ in range(30)]
    log.open()
    held = log.page.locator("[data-live-held]")

    pause = log.page.locator("[data-live-toggle]")
    log.page.locator("#log tbody > tr").nth(2).hover()
    expect(log.page.locator(PILL)).to_have_text("Holding: mouse on the list")
    expect(pause).to_have_text("Pause")
    one = log.send()
    expect(held).to_have_text("1 new")
    assert log.rows() == first[::-1]
    log.page.mouse.move(5, 5)
    log.expect_rows([one, *first[::-1]], seconds=5)
    expect(held).to_be_hidden()
    expect(log.page.locator(PILL)).to_have_text("Live")

    log.page.evaluate("scrollTo(0, 900)")
    log.page.wait_for_timeout(100)
    two = [log.send() for _ in range(2)]
    expect(held).to_have_text("2 new")
    expect(log.page.locator(PILL)).to_have_text("Holding: scrolled down")
    expect(held).to_be_in_viewport()
    held.click()
    log.expect_rows([*two[::-1], one, *first[::-1]], seconds=5)
    expect(log.page.locator("#log tbody > tr").first).to_be_in_viewport()

    log.page.evaluate("scrollTo(0, 0)")
    log.page.keyboard.press("p")
    expect(log.page.locator(PILL)).to_have_text("Paused")
    expect(pause).to_have_text("Resume")
    three = log.send()
    expect(held).to_have_text("1 new")
    log.page.keyboard.press("p")
    log.expect_rows([three, *two[::-1], one, *first[::-1]], seconds=5)
    expect(log.page.locator(LIVE)).to_be_visible()


def test_the_keyboard_opens_reads_and_closes_an_event(log: Log) -> None:
    ids = [log.send() for _ in range(3)][::-1]
    log.open()
    keys = log.page.keyboard
    keys.press("j")
    keys.press("j")
    keys.press("k")
    keys.press("j")
    expect(log.page.locator(f"#{ids[1]} .row-link")).to_be_focused()
    keys.press("Enter")
    panel = log.page.locator("#event-panel")
    expect(panel.locator("#event")).to_have_attribute("data-event-id", ids[1][len("event-") :])
    expect(panel).to_be_focused()
    expect(log.page).to_have_url(re.compile(f"event={ids[1][len('event-') :]}$"))
    log.page.reload()
    expect(panel.locator("#event")).to_be_visible()
    expect(log.page.locator(f"#{ids[1]} .row-link")).to_have_attribute("aria-current", "true")
    keys.press("Escape")
    expect(panel).to_be_hidden()
    expect(log.page.locator(f"#{ids[1]} .row-link")).to_be_focused()
    assert "event=" not in log.page.url
    keys.press("/")
    expect(log.page.locator("#filter-q")).to_be_focused()
    keys.type("jp?")
    expect(log.page.locator("#filter-q")).to_have_value("jp?")
    keys.press("Escape")
    keys.press("?")
    expect(log.page.get_by_role("dialog", name="Shortcuts")).to_be_visible()
    log.page.get_by_label("Single keys do these things").uncheck()
    keys.press("Escape")
    expect(log.page.get_by_role("dialog", name="Shortcuts")).to_be_hidden()
    log.page.reload()
    expect(log.page.locator(LIVE)).to_be_visible()
    keys.press("p")
    keys.press("?")
    expect(log.page.get_by_role("dialog", name="Shortcuts")).to_be_hidden()
    expect(log.page.locator(LIVE)).to_be_visible()


def test_back_leads_to_what_was_open_and_to_what_was_searched_for(log: Log) -> None:
    first, second = [log.send() for _ in range(2)]
    boom = log.send("failure", error_message="boom")
    log.open()
    page, panel = log.page, log.page.locator("#event-panel")
    page.locator("#filter-q").fill("boom")
    page.keyboard.press("Enter")
    log.expect_rows([boom])
    page.go_back()
    log.expect_rows([boom, second, first])
    expect(page.locator("#filter-q")).to_have_value("")
    for opened in (first, second):
        page.locator(f"#{opened} .row-link").click()
        expect(panel.locator("#event")).to_have_attribute("data-event-id", opened[len("event-") :])
    for state in page.locator(".segments a").all():
        expect(state).to_be_in_viewport(ratio=1)
    page.go_back()
    expect(panel.locator("#event")).to_have_attribute("data-event-id", first[len("event-") :])
    page.go_back()
    expect(panel).to_be_hidden()
    log.expect_rows([boom, second, first])
    page.go_forward()
    expect(panel.locator("#event")).to_have_attribute("data-event-id", first[len("event-") :])


def test_the_keyboard_stays_where_it_was_when_the_list_changes(log: Log) -> None:
    opened = log.send("failure", error_message="boom")
    log.open()
    page = log.page
    search, keys = page.locator("#filter-q"), page.keyboard
    keys.press("/")
    keys.type("boo")
    with page.expect_response("**/events?q=boo*"):
        keys.press("Enter")
    expect(page.locator(".log-chips")).to_contain_text("boo")
    keys.type("m")
    expect(search).to_have_value("boom")
    page.locator(".chip").focus()
    keys.press("Enter")
    expect(page.locator(".chip")).to_have_count(0)
    state = page.locator(".segments a", has_text="Processed").first
    state.focus()
    keys.press("Enter")
    expect(page).to_have_url(re.compile("state=processed"))
    expect(state).to_be_focused()
    page.goto(f"{log.server.url}/events?event={opened[len('event-') :]}")
    copying = page.locator("#event-panel details[data-menu]")
    copying.locator("summary").click()
    keys.press("Escape")
    expect(copying).not_to_have_attribute("open", "")
    expect(page.locator("#event-panel")).to_be_visible()
    keys.press("Escape")
    expect(page.locator("#event-panel")).to_be_hidden()


def test_a_filter_acts_in_place_and_a_pasted_address_shows_the_same(log: Log) -> None:
    log.send()
    failed = log.send("failure", source_platform="make", error_message="The CRM is down")
    log.send("failure", source_platform="n8n", error_message="The CRM is down")
    log.open()
    was_opened = log.page.evaluate("performance.timeOrigin")
    log.page.locator("#filter-q").fill("crm IS down")
    log.page.keyboard.press("Enter")
    expect(log.page.locator("#log tbody > tr")).to_have_count(2)
    log.page.get_by_role("link", name="make", exact=True).click()
    expect(log.page).to_have_url(re.compile("platform=make"))
    log.expect_rows([failed])
    expect(log.page.locator(LIVE)).to_be_visible()
    again = log.send("failure", source_platform="make", error_message="The CRM is down")
    log.expect_rows([again, failed])
    assert log.page.evaluate("performance.timeOrigin") == was_opened
    log.page.goto(log.page.url)
    log.expect_rows([again, failed])
    log.page.get_by_role("link", name="Remove the filter From: make").click()
    expect(log.page.locator("#log tbody > tr")).to_have_count(3)
    log.page.go_back()
    expect(log.page.locator("#log tbody > tr")).to_have_count(2)


def test_a_time_is_that_of_the_reader_and_an_address_that_of_everybody(log: Log) -> None:
    sent = log.send()
    zone = log.page.context.new_cdp_session(log.page)
    zone.send("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})
    log.open()
    log.page.get_by_text("Filter", exact=True).click()
    log.page.get_by_label("Since (Europe/Berlin)").fill("2026-01-15T10:00")
    log.page.keyboard.press("Enter")
    expect(log.page).to_have_url(re.compile(r"since=2026-01-15T10%3A00%2B01%3A00$"))
    log.expect_rows([sent])
    log.page.locator(f"#{sent}").get_by_title("Only such ones").click()
    expect(log.page).to_have_url(re.compile("%2B01%3A00&state=.*&outcome=success$"))
    expect(log.page.get_by_label("Since (Europe/Berlin)")).to_have_value("2026-01-15T10:00")
    zone.send("Emulation.setTimezoneOverride", {"timezoneId": "America/New_York"})
    log.page.goto(log.page.url)
    log.expect_rows([sent])
    expect(log.page.get_by_label("Since (America/New_York)")).to_have_value("2026-01-15T04:00")


@pytest.mark.everywhere
def test_a_refused_request_is_mended_beside_the_log(log: Log) -> None:
    for _ in range(2):
        log.send(status=404, workflow_slug="crm-sync")
    log.open("?q=crm-sync")
    expect(log.page.locator("#events > tr")).to_have_count(2)
    refused = log.rows()  # In any order: each web process writes what it has refused by itself.
    was_opened = log.page.evaluate("performance.timeOrigin")
    log.page.locator(f"#{refused[0]} .row-link").click()
    panel = log.page.locator("#event-panel")
    panel.get_by_label("Slug").fill("no such slug!")
    panel.get_by_role("button", name="Create").click()
    expect(panel.get_by_label("Slug")).to_have_attribute("aria-invalid", "true")
    expect(panel.get_by_label("Slug")).to_be_focused()
    panel.get_by_label("Slug").fill("crm-sync")
    panel.get_by_role("button", name="Create").click()
    expect(log.page.locator("#toasts")).to_contain_text("was created")
    panel.get_by_role("button", name="Reprocess all 2").click()
    log.page.get_by_role("dialog").get_by_role("button", name="Reprocess").click()
    expect(log.page.locator("#toasts")).to_contain_text("2 requests reprocessed")
    expect(panel).to_contain_text("Solved")
    expect(log.page.locator("#events > tr")).to_have_count(4)
    panel.get_by_role("link", name="Open it").click()
    expect(panel.locator("#event")).not_to_contain_text("Why this request was refused")
    assert "event-" + str(panel.locator("#event").get_attribute("data-event-id")) in log.rows()
    assert log.page.evaluate("performance.timeOrigin") == was_opened
    expect(log.page).to_have_url(re.compile(r"\?q=crm-sync&event=[a-z0-9]{24}$"))


def test_who_is_signed_out_is_told_and_led_back(log: Log) -> None:
    log.open("?outcome=failure")
    log.page.context.clear_cookies()
    log.page.context.set_offline(True)  # So that the stream is begun anew.
    expect(log.page.locator(PILL)).to_have_text("Reconnecting")
    log.page.context.set_offline(False)
    link = log.page.get_by_role("link", name="Signed out: sign in again")
    expect(link).to_have_attribute(
        "href", "/sign-in?next=%2Fevents%3Foutcome%3Dfailure", timeout=15_000
    )


@pytest.mark.once
def test_on_a_phone_a_row_opens_the_page_of_its_event(log: Log) -> None:
    row = log.send()
    log.page.set_viewport_size({"width": 390, "height": 844})
    log.open()
    assert log.page.evaluate("document.documentElement.scrollWidth") == 390
    navigation, tabs = log.page.locator(".topnav"), log.page.locator(".segments")
    expect(navigation).to_have_class(re.compile("goes-on-after"))
    expect(navigation.locator("[aria-current]")).to_be_in_viewport(ratio=1)
    tabs.get_by_text("Rejected").click()
    expect(tabs).to_have_class(re.compile("goes-on-before"))
    expect(tabs.locator("[aria-current]")).to_be_in_viewport(ratio=1)
    log.open()
    log.page.locator(f"#{row} .row-link").click()
    expect(log.page).to_have_url(re.compile(f"/events/{row[len('event-') :]}$"))
    log.page.goto(f"{log.server.url}/events?event={row[len('event-') :]}")
    expect(log.page).to_have_url(re.compile(f"/events/{row[len('event-') :]}$"))


def test_back_leads_to_the_list_where_the_window_has_become_narrow(log: Log) -> None:
    first, second = log.send(), log.send()
    log.open()
    log.page.locator(f"#{first} .row-link").click()
    expect(log.page.locator("#event-panel #event")).to_be_visible()
    log.page.set_viewport_size({"width": 390, "height": 844})
    log.page.locator(f"#{second} .row-link").click()
    expect(log.page).to_have_url(re.compile(f"/events/{second[len('event-') :]}$"))
    log.page.go_back()
    expect(log.page.locator(f"#{second} .row-link")).to_be_visible()


@pytest.mark.once
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(log: Log, scheme: Any) -> None:
    row = log.send("failure", 400, ended_at=None)
    log.send(source_platform="n8n")
    log.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for query in ("", f"?event={row[len('event-') :]}", "?q=nothing", "?since=x&state=accepted"):
        log.open(query, live=False)
        log.page.evaluate("document.querySelector('.log-more').open = true")
        log.page.wait_for_timeout(500)
        assert violations(log.page) == [], query
