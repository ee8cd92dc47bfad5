"""The live log in a real browser while more comes than it is told: it says what it left out."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import insert

from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Event
from tests.apps import close_app, make_app
from tests.axe import violations
from tests.factories import accepted_row
from tests.main_job.test_live_log import FLOOD, PILL, Log, log, widths
from tests.teams import find_workspace

__all__ = ["log"]

GAP = "#events > tr.gap"
HELD = "[data-live-held]"
ANNOUNCED_MS = 5_100


def hear(page: Page, *htmls: str) -> None:
    """As the stream sends it; the page lays it out with the next frame."""
    page.evaluate(
        """(htmls) => {
          const list = document.getElementById("events");
          for (const data of htmls) {
            const id = /data-cursor="(\\d+)"/.exec(data)?.[1] ?? "";
            htmx.trigger(list, "htmx:sse:before:message", { message: { data, event: "", id } });
          }
          return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        }""",
        list(htmls),
    )


def row(cursor: int) -> str:
    return f"""<tr id="event-{cursor}" data-cursor="{cursor}"><td><a class="row-link" href="#">
        <time datetime="2026-01-15T09:31:00.000Z" data-relative="precise"></time></a></td></tr>"""


def gap(first: int, last: int, more: str = "") -> str:
    count = last - first + 1
    told = f"{count:,} more came at the same time"
    return f"""<tr id="gap-{first}-{last}" class="gap" data-cursor="{last}" data-gap="{count}"
        {more}><td class="full" colspan="8"><span data-gap-text>{told}</span> ·
        <a class="link" data-go href="/events?before={last + 1}">Show them</a></td></tr>"""


def send_at_once(log: Log, count: int, **columns: Any) -> None:
    """So many refused requests in one commit, as if sent."""
    app = make_app(log.server.database_url, log.server.data_dir)
    with app.app_context():
        refused = {"state": "rejected", "status": 400, "next_attempt_at": None, **columns}
        like = {**accepted_row(now()), **refused, "workspace_id": find_workspace(log.team).id}
        db.session.rollback()
        with writing() as session:
            session.execute(insert(Event), [like | {"public_id": new_id()} for _ in range(count)])
    close_app(app)


@pytest.mark.everywhere
def test_a_flood_leaves_a_row_that_leads_to_what_was_left_out(log: Log) -> None:
    log.open("?platform=n8n")
    send_at_once(log, 1, platform="n8n")  # Once it is told of one, it is told of all.
    expect(log.page.locator("#log tbody > tr")).to_have_count(1)
    rows = log.page.locator("#log tbody > tr")
    send_at_once(log, 700, platform="n8n")  # A burst is told: as many rows as a page keeps.
    expect(rows).to_have_count(500, timeout=30_000)
    for _ in range(2):
        send_at_once(log, 700, platform="n8n")
        send_at_once(log, 5, platform="make")
    left_out = log.page.locator(GAP).first
    expect(left_out).to_contain_text("more came at the same time · Show them", timeout=30_000)
    last = int(str(left_out.get_attribute("data-cursor")))
    left_out.get_by_role("link", name="Show them").click()
    expect(log.page).to_have_url(re.compile(rf"/events\?platform=n8n&before={last + 1}$"))
    expect(log.page.locator("#log tbody > tr").first).to_have_attribute("data-cursor", str(last))
    expect(log.page.locator(GAP)).to_have_count(0)


@pytest.mark.once
def test_what_was_left_out_counts_as_new_and_neighbours_become_one(log: Log) -> None:
    log.page.clock.install()
    log.open()
    log.page.keyboard.press("p")
    hear(log.page, gap(1_001, 2_480), row(2_481), row(2_482))
    expect(log.page.locator(HELD)).to_have_text("1,482 new")
    log.page.clock.fast_forward(ANNOUNCED_MS)
    news = log.page.locator("[data-live-news]")
    told = "1,482 new events, 1,480 of them left out of the list, held back"
    expect(news).to_have_text(told)
    log.page.keyboard.press("p")
    expect(log.page.locator(PILL)).to_have_text("Live")
    log.expect_rows(["event-2482", "event-2481", "gap-1001-2480"])
    hear(log.page, gap(2_483, 2_500), row(2_501))
    for each in (2_481, 2_482):
        hear(log.page, f'<tr id="event-{each}" hx-swap-oob="delete"></tr>')
    log.expect_rows(["event-2501", "gap-2483-2500"])
    expect(log.page.locator(GAP)).to_have_text(
        re.compile(r"^\s*1,498 more came at the same time ·\s+Show them\s*$")
    )
    link = log.page.get_by_role("link", name="Show them")
    expect(link).to_have_attribute("href", "/events?before=2501")
    hear(log.page, gap(2_502, 2_503, "data-least"), gap(2_504, 2_505))
    expect(log.page.locator(GAP).first).to_contain_text("At least 4 more came")


@pytest.mark.once
def test_a_row_for_what_was_left_out_counts_by_the_lists_limit(log: Log) -> None:
    log.open()
    hear(log.page, gap(1, 1_000_000))
    log.page.evaluate(FLOOD, 499)
    assert len(log.rows()) == 500 and log.rows()[-1] == "gap-1-1000000"
    hear(log.page, row(1_000_500))
    assert len(log.rows()) == 500 and log.rows()[-1] == "event-1000001"
    expect(log.page.get_by_role("link", name="Older")).to_have_attribute(
        "href", re.compile(r"/events\?before=1000001$")
    )
    hear(log.page, gap(1_000_501, 1_000_600))
    rows = log.rows()
    assert (len(rows), rows[0], rows[-1]) == (500, "gap-1000501-1000600", "event-1000002")


@pytest.mark.once
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_row_is_readable_on_each_screen(log: Log, scheme: Any) -> None:
    sent = log.send(source_platform="n8n")
    log.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for width in (1_280, 390):
        log.page.set_viewport_size({"width": width, "height": 800})
        log.open()
        log.expect_rows([sent])
        before = widths(log)
        cursor = int(str(log.page.locator(f"#{sent}").get_attribute("data-cursor")))
        hear(log.page, gap(cursor + 1, cursor + 1_480))
        log.page.mouse.move(5, 5)
        assert widths(log) == before
        assert log.page.evaluate("document.documentElement.scrollWidth") == width
        assert violations(log.page) == [], width
        link = log.page.get_by_role("link", name="Show them")
        link.focus()
        expect(link).to_be_in_viewport(ratio=1)
