"""Pages of the log: all of them together hold what one long search finds, each event once."""

from random import Random
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.event import listen

from app import windows
from app.clock import now
from app.console import event_pages, event_search
from app.console.event_filter import EventFilter, read_filter
from app.console.event_pages import PAGE_SIZE, Page, Place, find_page
from app.console.event_search import search
from app.extensions import db, writing
from app.models import Event, Run
from bench.events import fill, list_filters
from tests.console.pages import open_page
from tests.factories import Team, accepted_row, run_row

SOUGHT = "boom-7"


class Clock:
    """Time that passes only while it is looked at, by so many seconds at random."""

    def __init__(self, random: Random, most: float) -> None:
        self._random, self._most, self._now = random, most, 0.0

    def monotonic(self) -> float:
        self._now += self._random.random() * self._most
        return self._now

    def sleep(self, seconds: float) -> None:
        pass


def store(random: Random, team: Team, count: int) -> None:
    """Events with the text in the body, or as the id of their execution, or of many, or nowhere."""
    runs = [
        Run(**run_row(team, now(), external_execution_id=execution, correlation_id=correlation))
        for execution, correlation in [(SOUGHT, None), *[(None, SOUGHT)] * 30]
    ]
    with writing() as session:
        session.add_all(runs)
        session.flush()
        session.add_all(make(random, team, [run.id for run in runs]) for _ in range(count))


def make(random: Random, team: Team, runs: list[int]) -> Event:
    place = random.choices(["nowhere", "body", "run", "refused"], [20, 4, 2, 1])[0]
    is_refused = place == "refused"
    return Event(
        **accepted_row(now())
        | {
            "workspace_id": random.choice([team.workspace_id] * 6 + [None]),
            "state": "rejected" if is_refused else "processed",
            "code": "invalid_json" if is_refused else None,
            "kind": random.choice(["run-success", "run-failure"]),
            "body": f"<{SOUGHT}>".encode() if place in ("body", "run") else b"{}",
            "execution_id": SOUGHT if is_refused else None,
            "run_id": random.choice(runs) if place == "run" else None,
        }
    )


def read(team: Team, **given: str) -> EventFilter:
    return read_filter({"q": SOUGHT, **given}, team.workspace_id)


def ids_of(page: Page) -> list[int]:
    return [event.id for event in page.events]


def walk_down(scope: list[int | None], wanted: EventFilter) -> list[Page]:
    pages = [find_page(scope, wanted)]
    while pages[-1].older:
        pages.append(find_page(scope, wanted, Place(before=pages[-1].older, shown=pages[-1].shown)))
    return pages


def walk_up(scope: list[int | None], wanted: EventFilter, last: Page) -> list[Page]:
    pages = [last]
    while pages[-1].newer:
        pages.append(find_page(scope, wanted, Place(after=pages[-1].newer)))
    return pages


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of a few events each, so that a few hundred take as long as many thousands."""
    monkeypatch.setattr(event_search, "FIRST_WINDOW", 20)
    monkeypatch.setattr(windows, "LARGEST_WINDOW", 60)
    monkeypatch.setattr(event_search, "CHUNK", 7)


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("seed", range(2))
def test_all_pages_hold_what_one_long_search_finds_and_each_event_once(
    team: Team, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    store(random, team, 500)
    scope = [team.workspace_id, None]
    for most in (0.0, 0.01, 0.06):
        monkeypatch.setattr(event_search, "time", Clock(random, most))
        for given in ({}, {"outcome": "failure"}, {"state": "rejected"}):
            wanted = read(team, **given)
            everything = search(scope, wanted, 10_000, seconds=None).ids
            pages = walk_down(scope, wanted)
            listed = [event_id for page in pages for event_id in ids_of(page)]
            beside = [event.id for event in pages[0].exact]
            assert listed == sorted(listed, reverse=True)
            assert sorted([*listed, *beside], reverse=True) == everything, (most, given)
            upwards = walk_up(scope, wanted, pages[-1])
            seen = {event_id for page in upwards for event_id in ids_of(page)}
            assert seen | set(beside) == set(everything), (most, given)


@pytest.mark.usefixtures("small_windows")
def test_what_has_exactly_the_id_is_shown_at_once_however_old(
    team: Team, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_pages, "SECONDS", -1)
    with writing() as session:
        row: dict[str, Any] = {**accepted_row(now()), "workspace_id": team.workspace_id}
        session.add(old := Event(**row))
        session.flush()
        session.add_all(Event(**row) for _ in range(200))
    page = open_page(owner, f"/events?q={old.public_id}")
    assert f"/events/{old.public_id}" in page.links
    assert "Older, with exactly this id" in page.text
    assert "found nothing else" in page.text
    go_on = next(link for link in page.links if "before=" in link)
    assert f"shown={old.id}" in go_on
    while go_on:
        page = open_page(owner, go_on)
        assert f"/events/{old.public_id}" not in page.links
        go_on = next((link for link in page.links if "before=" in link), "")
    assert "No older event fits" in page.text


@pytest.mark.usefixtures("small_windows")
def test_a_search_towards_newer_events_says_where_it_stopped_too(
    team: Team, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_pages, "SECONDS", -1)
    with writing() as session:
        row = {**accepted_row(now()), "workspace_id": team.workspace_id}
        session.add_all(Event(**row) for _ in range(200))
    first = db.session.scalar(db.select(Event.id).order_by(Event.id).limit(1))
    page = open_page(owner, f"/events?q={SOUGHT}&after={first}")
    assert "Searched up to" in page.text
    assert "No event fits" not in page.text
    assert any("after=" in link and f"q={SOUGHT}" in link for link in page.links)


def test_a_page_holds_no_more_than_its_size(team: Team) -> None:
    store(Random(1), team, 900)
    page = find_page([team.workspace_id, None], read(team))
    assert len(page.events) == PAGE_SIZE


@pytest.mark.parametrize("text", ["x", "1,,2", "-1", "9" * 30, "1," * 500, "\0"])
def test_a_list_of_shown_events_that_is_none_is_told(owner: FlaskClient, text: str) -> None:
    answer = owner.get("/events", query_string={"q": "a", "before": "5", "shown": text})
    assert answer.status_code == 422
    assert "shown has to be numbers of events with commas between them" in answer.text


def test_each_address_that_is_measured_answers_at_once(team: Team, owner: FlaskClient) -> None:
    fill(team, 60)
    for name, query in list_filters(team).items():
        assert owner.get(f"/events?{query}").status_code == 200, name


def test_no_filter_sorts_all_events_of_a_kind(
    team: Team, owner: FlaskClient, database_kind: str
) -> None:
    """As SQLite tells it, whose plans do not depend on how many events there are."""
    if database_kind != "sqlite":
        return
    fill(team, 60)
    sorts, asked = [], []

    def explain(conn: Any, cursor: Any, statement: str, values: Any, *rest: Any) -> None:
        if statement.startswith("SELECT"):
            plan = conn.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            steps = " ".join(step for *_, step in plan)
            if "SCAN events" in steps and "TEMP B-TREE FOR ORDER BY" in steps:
                sorts.append((steps, statement))
            asked.append(statement)

    filters = list_filters(team).values()
    listen(db.engine, "before_cursor_execute", explain)
    for query in filters:
        owner.get(f"/events?{query}")
    assert len(asked) > len(filters)
    assert sorts == []
