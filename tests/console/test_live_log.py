"""The list of events: pages, filters, rows, and what was only counted."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.clock import now
from app.console.event_pages import PAGE_SIZE
from app.console.formatting import iso, precise
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import Event, UnstoredCount, User
from app.processing.batch import process_batch
from app.workspaces.profile import choose_time_zone
from tests.console.pages import Page, open_page
from tests.factories import Team, make_team, report

OUTCOMES = ("&outcome=success", "&outcome=failure")
HOSTILE = "<img src=x onerror=alert(1)>" + "A" * 3000


def flush() -> None:
    """Refused requests are written by themselves, within moments; a test does not wait."""
    ingest_service().recorder.flush()


def rows(page: Page) -> list[str]:
    return [values["id"] or "" for tag, values in page.tags if tag == "tr" and "id" in values]


def test_an_empty_log_shows_the_command_to_begin_with(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, "/events")
    assert "No events yet" in page.text
    assert f'"workflow_slug": "{team.slug}"' in page.text


def test_the_newest_event_is_on_top_and_the_page_follows_from_there(
    owner: FlaskClient, team: Team
) -> None:
    ids = [report(owner, team).json["event_id"] for _ in range(3)]
    page = open_page(owner, "/events")
    assert rows(page) == [f"event-{each}" for each in reversed(ids)]
    body = next(values for tag, values in page.tags if tag == "tbody")
    assert body["hx-sse:connect"] == f"/events/stream?after={newest_id()}"
    first = next(values for tag, values in page.tags if tag == "tr" and "id" in values)
    assert "data-pending" in first


def test_a_row_says_how_long_ago_it_came_and_on_hover_when_to_the_millisecond(
    owner: FlaskClient, team: Team
) -> None:
    report(owner, team)
    moment = now() - timedelta(minutes=7)
    with writing() as session:
        session.execute(update(Event).values(received_at=moment))
    page = open_page(owner, "/events")
    told = next(values for tag, values in page.tags if tag == "time" and "data-relative" in values)
    assert told["title"] == precise(moment) and told["datetime"] == iso(moment)
    assert "7 min ago" in page.text


def newest_id() -> int:
    return db.session.scalar(select(func.max(Event.id))) or 0


def test_older_and_newer_pages_show_each_event_once(owner: FlaskClient, team: Team) -> None:
    for _ in range(2 * PAGE_SIZE + 10):
        report(owner, team)
    pages = [open_page(owner, "/events")]
    while older := [link for link in pages[-1].links if "before=" in link]:
        pages.append(open_page(owner, older[0]))
    seen = [row for page in pages for row in rows(page)]
    assert [len(rows(page)) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 10]
    assert len(set(seen)) == len(seen) == 2 * PAGE_SIZE + 10
    newer = next(link for link in pages[2].links if "after=" in link)
    assert rows(open_page(owner, newer)) == rows(pages[1])
    newest = next(link for link in pages[1].links if "after=" in link)
    assert rows(open_page(owner, newest)) == rows(pages[0])
    assert not [1 for _, values in pages[1].tags if "data-live-list" in values]


def test_the_log_can_be_narrowed_to_a_state(owner: FlaskClient, team: Team) -> None:
    report(owner, team)
    process_batch(10)
    report(owner, team)
    report(owner, team, ended_at=None)
    flush()
    for state in ("accepted", "processed", "rejected"):
        page = open_page(owner, f"/events?state={state}")
        assert len(rows(page)) == 1, state
    assert len(rows(open_page(owner, "/events?state=failed"))) == 0
    page = open_page(owner, "/events?state=nonsense", 422)
    assert rows(page) == []
    assert "Choose one of: accepted" in page.text


def test_no_cursor_breaks_the_page(owner: FlaskClient) -> None:
    for name in ("before", "after"):
        for cursor in ("-1", "x", "9" * 400, "1e3", "٣", "%00"):
            open_page(owner, f"/events?{name}={cursor}", 422)
        for cursor in ("0", "9223372036854775807"):
            open_page(owner, f"/events?{name}={cursor}")


def test_a_cursor_that_can_not_be_read_is_told(owner: FlaskClient, team: Team) -> None:
    report(owner, team)
    for query in ("before=xyz", "after=-1", "before=1%3Cb%3E"):
        page = open_page(owner, f"/events?{query}", 422)
        assert "This page can't be found" in page.text and query[:5] in page.text
        assert "/events" in page.links


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/events?state=rejected&state=processed", "state"),
        ("/events?outcome=success&q=x&outcome=failure", "outcome"),
        ("/runs?outcome=success&outcome=stuck", "outcome"),
        ("/runs/errors?period=7d&period=90d", "period"),
        ("/runs/errors?workflow=a&workflow=b", "workflow"),
    ],
)
def test_what_is_given_more_than_once_is_told(owner: FlaskClient, address: str, name: str) -> None:
    page = open_page(owner, address, 422)
    assert "This is given more than once. Choose one." in page.text
    assert page.has_id(f"filter-{name}-error")
    assert owner.get("/events?state=rejected&state=rejected").status_code == 200


RUN_PLACE = "1767225600000000-12"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("/events?before=7&before=9", "before is given more than once. Choose one."),
        ("/events?after=7&after=9", "after is given more than once."),
        ("/events?before=9&shown=1&shown=2", "shown is given more than once."),
        ("/events?event=a&event=b", "event is given more than once."),
        ("/events?since=2026-11-24&before=7&before=9", "before is given more than once."),
        ("/events?before=9&shown=1,x", "shown has to be numbers of events"),
        ("/events?before=9&shown=" + "1," * 20 + "1", "shown has to be numbers of events"),
        ("/events?before=%1B<b>", "before has to be the number of an event, and is “␛<b>”."),
        (f"/runs?before={RUN_PLACE}&before=1-1", "before is given more than once."),
        ("/runs?after=soon", "after has to be the place of a run, such as 17"),
    ],
)
def test_where_a_page_begins_is_told_too_if_it_can_t_be_read(
    owner: FlaskClient, team: Team, query: str, told: str
) -> None:
    report(owner, team)
    answer = owner.get(query, follow_redirects=True)
    page = Page(answer.text)
    assert answer.status_code == 422 and told in page.text
    assert "This page can't be found" in page.text
    assert not any("hx-sse:connect" in values for _, values in page.tags)
    assert answer.request.path in page.links


def test_the_same_place_twice_is_one_place(owner: FlaskClient, team: Team) -> None:
    report(owner, team)
    open_page(owner, "/events?before=9&before=9&shown=1,2&shown=1,2&event=a&event=a")
    open_page(owner, f"/runs?before={RUN_PLACE}&before={RUN_PLACE}")


@pytest.mark.parametrize("path", ["/events", "/runs", "/runs/errors", "/problems"])
def test_what_a_form_sends_along_empty_is_not_kept_in_the_address(
    owner: FlaskClient, path: str
) -> None:
    """A browser without scripts sends each field of the filter."""
    answer = owner.get(f"{path}?q=e2+%26&outcome=&code=&since=&_external=1&_scheme=x&code=+")
    assert (answer.status_code, answer.location) == (302, f"{path}?q=e2+%26&_external=1&_scheme=x")
    assert owner.get(f"{path}?q=&code=").location == path
    assert owner.get(answer.location).status_code == 200


def test_the_keyboard_can_skip_the_list(owner: FlaskClient, team: Team) -> None:
    report(owner, team)
    page = open_page(owner, "/events")
    tags = [values.get("href") or values.get("id") for _, values in page.tags]
    row = next(index for index, each in enumerate(tags) if str(each).startswith("event-"))
    assert "#after-list" in tags[:row] and "after-list" in tags[row:]
    assert ("span", {"id": "after-list", "tabindex": "-1"}) in page.tags


@pytest.mark.parametrize("public_id", ["zzz", "a" * 24, "<b>", "\0"])
def test_an_event_that_is_not_there_is_told_above_the_log(
    owner: FlaskClient, team: Team, public_id: str
) -> None:
    report(owner, team)
    page = open_page(owner, f"/events?event={quote(public_id)}")
    assert "This event can't be found" in page.text and page.has_id("events")
    assert "This event can't be found" not in open_page(owner, "/events").text


def test_an_event_of_another_team_is_not_told_from_one_that_is_not_there(
    owner: FlaskClient, team: Team
) -> None:
    other = make_team("Foreign", first=False)
    public_id = report(owner, other).json["event_id"]
    assert "This event can't be found" in open_page(owner, f"/events?event={public_id}").text


def test_a_row_says_what_was_wrong_in_plain_text(owner: FlaskClient, team: Team) -> None:
    report(owner, team, ended_at=None, endedAt="2026-01-15T09:31:00Z")
    report(owner, team, "failure", error_message=HOSTILE, ended_at="2026-11-24T03:00:00Z")
    flush()
    process_batch(10)
    page = open_page(owner, "/events")
    assert "Validation failed" in page.text
    assert "ended_at is missing" in page.text
    assert "<img src=x onerror=alert(1)>" in page.text
    assert not [1 for tag, _ in page.tags if tag == "img"]
    assert len(page.text) < 4000


def test_unknown_keys_are_shown_to_the_owner_of_the_server_only(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    owner.post("/api/v1/ingest/run-success", json={})
    flush()
    assert "No API key" in open_page(owner, "/events").text
    assert rows(open_page(colleague("member"), "/events")) == []


def test_what_was_counted_and_not_stored_is_told(owner: FlaskClient, team: Team) -> None:
    with writing() as session:
        for age, count in ((1, 1200), (2, 34), (30, 999)):
            at = now() - timedelta(hours=age)
            session.add(
                UnstoredCount(
                    minute_at=at, workspace_id=team.workspace_id, code="rate_limited", count=count
                )
            )
    assert "1,234 more refused requests were counted" in open_page(owner, "/events").text


def test_a_moment_without_an_offset_is_the_readers_and_the_address_says_so(
    owner: FlaskClient, team: Team
) -> None:
    user = db.session.scalars(select(User)).one()
    choose_time_zone(user, "Europe/Berlin")
    answer = owner.get("/events?since=2026-01-15T10:00&outcome=failure&event=x")
    assert answer.status_code == 302
    address = "/events?outcome=failure&since=2026-01-15T10:00%2B01:00&event=x"
    assert answer.headers["Location"] == address
    page = open_page(owner, address)
    field = next(values for _, values in page.tags if values.get("id") == "filter-since")
    assert field["value"] == "2026-01-15T10:00"
    assert "Since ( Europe/Berlin )" in page.text
    links = [link for link in page.links if "state=rejected" in link]
    assert links == ["/events?outcome=failure&since=2026-01-15T10:00%2B01:00&state=rejected"]


def test_the_same_as_a_row_is_a_click_away(owner: FlaskClient, team: Team) -> None:
    report(owner, team, "failure")
    process_batch(10)
    report(owner, team, ended_at=None)
    flush()
    links = open_page(owner, "/events").links
    assert {"/events?state=processed&outcome=failure", "/events?state=rejected"} <= set(links)


def test_each_kind_of_event_leads_to_a_list_that_holds_it(owner: FlaskClient, team: Team) -> None:
    for kind in ("success", "failure"):
        report(owner, team, kind)
    for end in ("", "/start", "/fail"):
        owner.post(f"/api/v1/ping/{team.slug}{end}", headers=team.headers)
    process_batch(10)
    page = open_page(owner, "/events")
    lists = {link for link in page.links if link.startswith("/events?state=processed")}
    assert lists == {f"/events?state=processed{end}" for end in ("", *OUTCOMES)}
    assert {row for link in lists for row in rows(open_page(owner, link))} == set(rows(page))


def test_an_open_event_is_fetched_beside_the_log(owner: FlaskClient, team: Team) -> None:
    event_id = report(owner, team).json["event_id"]
    page = open_page(owner, f"/events?event={event_id}")
    assert page.links.count(f"/events/{event_id}") == 2 and not page.has_id("event")
    for wrong in ("x", "A" * 24, "<script>"):
        panel = next(v for t, v in open_page(owner, f"/events?event={wrong}").tags if t == "aside")
        assert "hidden" in panel
