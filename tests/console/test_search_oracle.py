"""Who may not see what is hidden finds nothing by it, so that nobody can read it by searching."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.clock import now
from app.console import event_search
from app.console.event_filter import EventFilter, read_filter
from app.console.event_search import search
from app.console.notices import Gap
from app.console.stream import Reader, find_missed
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import Event, Run
from app.processing.batch import process_batch
from tests.console.pages import open_page
from tests.console.test_flood import Log, OpenPage, close
from tests.factories import Team, accepted_row, failure
from tests.server import wait_for

SECRET = "hunter2-and-more"
FIELDS = {
    "error_message": f"sign-in failed, password={SECRET}",
    "metadata": {"client_secret": SECRET, "note": "a customer from Hamburg"},
}
INGEST = "/api/v1/ingest/run-failure"
HIDDEN = ("hunter2", "hunter2-and-more", "nter2", "r2-and", "password=h", '"client_secret": "h')
SHOWN = ("customer", "HAMBURG", "sign-in failed", "password=", "client_secret", "lead")


def send(client: FlaskClient, team: Team, body: str | None = None) -> str:
    body = json.dumps(failure(team, **FIELDS)) if body is None else body
    answer = client.post(INGEST, data=body, headers=team.headers)
    ingest_service().recorder.flush()
    return str(answer.json["event_id"])


def finds(client: FlaskClient, text: str, event_id: str, path: str = "/events") -> bool:
    page = client.get(path, query_string={"q": text})
    assert page.status_code == 200
    return f'id="event-{event_id}"' in page.text


@pytest.fixture
def viewer(colleague: Callable[[str], FlaskClient]) -> FlaskClient:
    return colleague("viewer")


@pytest.mark.parametrize("text", HIDDEN)
def test_a_viewer_finds_no_event_by_what_is_hidden(
    owner: FlaskClient, viewer: FlaskClient, team: Team, text: str
) -> None:
    event_id = send(owner, team)
    assert not finds(viewer, text, event_id)
    process_batch(100)
    assert not finds(viewer, text, event_id)
    assert finds(owner, text, event_id)


@pytest.mark.parametrize("text", SHOWN)
def test_a_viewer_finds_it_by_what_is_shown(
    owner: FlaskClient, viewer: FlaskClient, team: Team, text: str
) -> None:
    event_id = send(owner, team)
    assert finds(viewer, text, event_id)


@pytest.mark.parametrize(
    "body",
    [
        '{"password": "hunter2-and-more", "workflow_slug": "x"}',
        '{"password": hunter2-and-more, "workflow_slug": "x"}',
        "password=hunter2-and-more",
        '{"a": "4111 1111 1111 1111", "token": {"deep": ["hunter2-and-more"]}}',
    ],
)
def test_nor_a_refused_one(owner: FlaskClient, viewer: FlaskClient, team: Team, body: str) -> None:
    event_id = send(owner, team, body)
    assert not finds(viewer, "hunter2", event_id) and not finds(viewer, "r2-and", event_id)
    assert finds(owner, "hunter2", event_id)
    assert finds(viewer, event_id, event_id)


def test_an_id_that_is_hidden_is_no_way_to_it(
    owner: FlaskClient, viewer: FlaskClient, team: Team
) -> None:
    """Which an index finds, at once."""
    secret = "sk-abcdefghijklmnopqrst"
    event_id = send(owner, team, json.dumps(failure(team, external_execution_id=secret)))
    process_batch(100)
    assert not finds(viewer, secret, event_id) and finds(owner, secret, event_id)


@pytest.mark.parametrize("text", ["hunter2", "r2-and"])
def test_a_viewer_finds_no_run_by_what_is_hidden(
    owner: FlaskClient, viewer: FlaskClient, team: Team, text: str
) -> None:
    send(owner, team)
    process_batch(100)
    shown = "sign-in failed"
    assert shown in viewer.get("/runs?q=customer").text
    assert shown not in viewer.get(f"/runs?q={text}").text
    assert shown in owner.get(f"/runs?q={text}").text


FILES = [f"/{name}/export.{form}" for name in ("events", "runs") for form in ("csv", "jsonl")]


@pytest.mark.parametrize("path", FILES)
def test_no_file_of_a_member_tells_what_is_hidden(
    colleague: Callable[[str], FlaskClient], owner: FlaskClient, team: Team, path: str
) -> None:
    event_id, member = send(owner, team), colleague("member")
    process_batch(100)
    run_id = db.session.scalars(db.select(Run.public_id)).one()
    sought = event_id if "events" in path else run_id

    def holds(client: FlaskClient, text: str) -> bool:
        answer = client.get(path, query_string={"q": text}, buffered=True)
        assert answer.status_code == 200
        return sought in answer.text

    assert [text for text in HIDDEN if holds(member, text)] == []
    assert holds(member, "customer") and holds(member, "sign-in failed")
    assert holds(owner, "hunter2") and holds(owner, "r2-and")


def test_who_may_reveal_is_a_setting(
    app: Flask, viewer: FlaskClient, owner: FlaskClient, team: Team
) -> None:
    event_id = send(owner, team)
    app.config["FLOWPULSE_REVEAL_ROLE"] = "viewer"
    assert finds(viewer, "hunter2", event_id)
    app.config["FLOWPULSE_REVEAL_ROLE"] = "nobody"
    assert not finds(owner, "hunter2", event_id)


def sifted(team: Team) -> EventFilter:
    return replace(read_filter({"q": "boom"}, team.workspace_id), is_sifted=True)


@pytest.fixture
def many(team: Team) -> list[int]:
    """Every third shows the text, all others hide it."""
    row = {**accepted_row(now()), "workspace_id": team.workspace_id}
    hides, shows = b'{"password": "boom"}', b'{"note": "boom", "password": "boom"}'
    with writing() as session:
        session.add_all(Event(**row | {"body": hides if n % 3 else shows}) for n in range(240))
    return list(db.session.scalars(db.select(Event.id).order_by(Event.id.desc())))


def _shown(ids: list[int]) -> list[int]:
    return [each for place, each in enumerate(ids) if (len(ids) - 1 - place) % 3 == 0]


@pytest.mark.parametrize("seconds", [None, 0.0])
@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_page_by_page_each_that_shows_it_is_found_once(
    team: Team, many: list[int], limit: int, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little time there is for each page; in both directions."""
    monkeypatch.setattr(event_search, "FIRST_WINDOW", 50)
    monkeypatch.setattr(event_search, "SIFTING", 0.0)
    wanted = sifted(team)
    before, found = None, list[int]()
    for _ in range(1_000):
        part = search([team.workspace_id], wanted, limit, before, seconds=seconds)
        found += part.ids
        if not part.ids and part.stopped_at is None:
            break
        before = part.stopped_at or min(part.ids)
    assert found == _shown(many)
    after, upward = 0, list[int]()
    for _ in range(1_000):
        part = search([team.workspace_id], wanted, limit, after=after, seconds=seconds)
        upward += part.ids
        if not part.ids and part.stopped_at is None:
            break
        after = part.stopped_at - 1 if part.stopped_at else max(part.ids)
    assert upward == _shown(many)[::-1]


def test_a_page_of_the_log_shows_those_alone_and_leads_on(
    viewer: FlaskClient, team: Team, many: list[int]
) -> None:
    found, path = list[int](), "/events?q=boom"
    for _ in range(100):
        page = open_page(viewer, path)
        found += [int(each["data-cursor"]) for _, each in page.tags if "data-cursor" in each]
        older = [link for link in page.links if "before=" in link]
        if not older:
            break
        path = older[-1]
    assert found == _shown(many)


def test_a_page_of_fifty_events_takes_less_than_a_tenth_of_a_second(
    viewer: FlaskClient, team: Team
) -> None:
    """50 bodies of 400 bytes that hide something and show what is looked for."""
    row = {**accepted_row(now()), "workspace_id": team.workspace_id}
    text = "x" * 330
    with writing() as session:
        for number in range(50):
            body = {"password": f"p{number}", "note": f"boom {text}"}
            session.add(Event(**row | {"body": json.dumps(body).encode(), "payload": body}))
    viewer.get("/events?q=boom")
    times = []
    for _ in range(5):
        began = time.thread_time()
        assert "data-cursor" in viewer.get("/events?q=boom").text
        times.append(time.thread_time() - began)
    assert min(times) < 0.1


@pytest.fixture
def log(app: Flask, team: Team) -> Iterator[Log]:
    log = Log(app, team)
    yield log
    close(log)


def open_sifted(log: Log, team: Team) -> OpenPage:
    wanted = sifted(team)
    return OpenPage(log.tail.subscribe(wanted, [team.workspace_id]), wanted)


def test_the_live_log_tells_a_viewer_of_those_alone_that_show_it(log: Log, team: Team) -> None:
    viewers, owners = open_sifted(log, team), log.open(q="boom")
    ids = [*log.send(1, body=b'{"password": "boom"}'), *log.send(1, body=b'{"note": "boom"}')]
    owners.hears_of(2)
    viewers.hears_of(1)
    assert (owners.told(), viewers.told(), viewers.gaps) == (ids, ids[1:], [])
    with writing() as session:
        session.execute(update(Event).values(state="processed"))
    wait_for(lambda: viewers.read() and viewers.told("changed"))
    assert (viewers.told(), viewers.told("changed"), viewers.told("gone")) == (ids[1:], ids[1:], [])


def test_where_there_is_no_time_to_look_a_page_is_told_that_more_may_have_come(
    log: Log, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_search, "MATCH_SECONDS", -1)
    page = open_sifted(log, team)
    ids = log.send(3, body=b'{"note": "boom"}')
    page.hears_of(1)
    assert page.told() == ids[2:]
    assert page.gaps == [Gap(ids[0], ids[1], 0, is_least=True)]


def test_a_page_that_comes_back_is_told_of_those_alone(team: Team, many: list[int]) -> None:
    reader, found = Reader([team.workspace_id], sifted(team), many[-1] - 1, None), list[int]()

    def follow() -> Iterator[str]:
        found.extend((yield from find_missed(many[0], reader)))

    list(follow())
    assert found == _shown(many)
