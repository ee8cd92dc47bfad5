"""A group of refused requests in a real browser: ignored until it happens again, and of many."""

from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect
from sqlalchemy import insert, select

from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Event
from tests.apps import close_app, make_app
from tests.server import LiveServer, wait_for
from tests.sessions import enter
from tests.teams import LiveTeam

MANY = 205
"""More than one step takes."""


def refuse(server: LiveServer, team: LiveTeam) -> str:
    """The id of the refused request, once it is stored."""
    body = {"workflow_slug": "lead-enrichmnt", "ended_at": "2026-01-15T09:31:00Z"}
    answer = server.post("/api/v1/ingest/run-success", json=body, headers=team.headers).json()
    assert answer["code"] == "workflow_not_found"
    path = f"/api/v1/events/{answer['event_id']}"
    assert wait_for(lambda: server.get(path, headers=team.headers).ok)
    return str(answer["event_id"])


def multiply(server: LiveServer, event_id: str, count: int) -> None:
    """So many more of the refused request, straight into the log: a sender's would be counted
    from the tenth in a second on, and not stored."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        table = Event.__table__
        columns = [column for column in table.c if column.name != "id"]
        query = select(*columns).where(table.c.public_id == event_id)
        row = db.session.execute(query).mappings().one()
        rows: list[dict[str, Any]] = [
            {**row, "public_id": new_id(), "received_at": now()} for _ in range(count)
        ]
        with writing() as session:
            session.execute(insert(table), rows)
    close_app(app)


def is_step(answer: Response) -> bool:
    return answer.request.method == "POST" and "/reprocess" in answer.url


@pytest.mark.once
def test_on_a_phone_each_group_is_told_without_a_cut_and_the_present_page_is_marked_in_sight(
    live_server: LiveServer, own_team: LiveTeam, page: Page
) -> None:
    enter(page.context, live_server, own_team.email)
    refuse(live_server, own_team)
    page.goto(f"{live_server.url}/problems")
    page.set_viewport_size({"width": 390, "height": 844})
    row = page.get_by_role("row", name="Workflow not found")
    expect(row.locator(".spark")).to_be_hidden()
    clipped = row.locator(".clip").evaluate_all(
        "all => all.filter((each) => each.scrollWidth > each.clientWidth).length"
    )
    assert clipped == 0
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{live_server.url}/docs")
    page.set_viewport_size({"width": 390, "height": 844})
    current = page.locator(".topnav [aria-current]")
    expect(current).to_have_text("Docs")
    expect(current).to_be_in_viewport(ratio=1)
    page.goto(f"{live_server.url}/events")
    expect(page.get_by_role("button", name="Shortcuts")).to_be_hidden()


@pytest.mark.everywhere
def test_a_group_is_ignored_until_it_happens_again_and_one_of_many_is_reprocessed_as_a_whole(
    live_server: LiveServer, own_team: LiveTeam, page: Page
) -> None:
    enter(page.context, live_server, own_team.email)
    event_id = refuse(live_server, own_team)
    row = page.get_by_role("row", name="Workflow not found")
    page.goto(f"{live_server.url}/problems")
    row.get_by_role("button", name="Ignore").click()
    expect(page.get_by_text("ignored until it happens again").first).to_be_visible()
    expect(row).to_have_count(0)
    multiply(live_server, event_id, MANY - 1)
    page.reload()
    expect(row).to_contain_text(str(MANY))
    row.get_by_role("link").click()
    page.get_by_role("button", name="It was lead-enrichment").click()
    dialog = page.locator("dialog#confirm")
    expect(dialog).to_contain_text("It was Lead enrichment?")
    expect(dialog).to_contain_text(f"{MANY} requests run again")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_label("Another workflow").fill("Invoice sync")
    page.get_by_role("button", name="Use it").click()
    expect(dialog).to_contain_text("It was Invoice sync?")
    steps: list[int] = []
    page.on("response", lambda answer: steps.append(answer.status) if is_step(answer) else None)
    dialog.get_by_role("button", name=f"Reprocess {MANY} requests").click()
    said = f"{MANY} requests reprocessed and accepted."
    expect(page.get_by_role("main")).to_contain_text(said, timeout=30_000)
    assert steps == [200, 303]  # The page between two steps goes on by itself.
    page.goto(f"{live_server.url}/problems")
    expect(row).to_have_count(0)
    wait_for(lambda: count_runs(live_server, own_team) == MANY, 20, 0.2)


def count_runs(server: LiveServer, team: LiveTeam) -> int:
    """Of the workflow that it was."""
    path, count, cursor = f"/api/v1/runs?workflow={team.other_slug}&limit=200", 0, None
    while True:
        given = {"cursor": cursor} if cursor else {}
        answer = server.get(path, params=given, headers=team.headers).json()
        count, cursor = count + len(answer["data"]), answer["next_cursor"]
        if cursor is None:
            return count
