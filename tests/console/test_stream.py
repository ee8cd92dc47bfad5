"""A page that comes back is told all that it missed, and is not left in silence meanwhile."""

import time
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.clock import now
from app.console import event_search, stream
from app.console.event_filter import read_filter
from app.console.session_cookie import NAME
from app.console.stream import MAX_BACKLOG, EndedError, Reader, find_missed
from app.extensions import db, writing
from app.models import Event, User
from app.workspaces.sessions import end_all_in
from tests.factories import Team, accepted_row
from tests.sessions import BROWSER, make_cookie


@pytest.fixture
def ids(team: Team) -> list[int]:
    row = {**accepted_row(now()), "workspace_id": team.workspace_id}
    with writing() as session:
        session.add_all(
            Event(**row | {"body": b"boom" if number % 5 else b""}) for number in range(300)
        )
    return list(db.session.scalars(db.select(Event.id).order_by(Event.id.desc())))


def look(team: Team, ids: list[int]) -> tuple[list[str], list[int]]:
    """What is sent while the log is searched, and what is found."""

    def follow() -> Iterator[str]:
        found.extend((yield from find_missed(ids[0], reader)))

    wanted = read_filter({"q": "boom"}, team.workspace_id)
    reader, found = Reader([team.workspace_id], wanted, ids[-1] - 1, None), list[int]()
    return list(follow()), found


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look takes longer than the page should wait to hear something."""
    monkeypatch.setattr(event_search, "FIRST_WINDOW", 50)
    monkeypatch.setattr(stream, "WAKE_SECONDS", -1)
    monkeypatch.setattr(stream, "BEAT_SECONDS", -1)


def expected(ids: list[int]) -> list[int]:
    query = db.select(Event.id).where(Event.body == b"boom").order_by(Event.id.desc())
    return list(db.session.scalars(query))[:MAX_BACKLOG]


def test_a_short_search_is_not_interrupted(team: Team, ids: list[int]) -> None:
    assert look(team, ids) == ([], expected(ids))


@pytest.mark.usefixtures("slow")
def test_a_long_search_says_that_it_is_alive_and_misses_nothing(team: Team, ids: list[int]) -> None:
    sent, found = look(team, ids)
    assert len(sent) >= 2
    assert all(each.startswith("event: beat\n") for each in sent)
    assert found == expected(ids)


@pytest.mark.usefixtures("slow")
def test_a_search_that_ends_with_the_server_tells_nothing_by_halves(
    app: Flask, team: Team, ids: list[int]
) -> None:
    """The rest would be lost: a page goes on behind the newest row that it was told of."""
    app.extensions["flowpulse_stopping"] = lambda: True
    with pytest.raises(EndedError):
        look(team, ids)


def open_stream(app: Flask, team: Team, query: str) -> Iterator[bytes]:
    """As the server reads it: in one thread, while other things happen."""
    cookie = f"{NAME}={make_cookie(app, team.email, BROWSER)}"
    headers = {"Cookie": cookie, "User-Agent": BROWSER}
    builder = EnvironBuilder(path=f"/events/stream?{query}", headers=headers)
    chunks, status, _ = run_wsgi_app(app.wsgi_app, builder.get_environ(), buffered=False)
    assert status.startswith("200")
    return iter(chunks)


def sign_out(team: Team) -> None:
    """As from another browser."""
    with writing() as session:
        user_id = session.scalars(db.select(User.id).where(User.email == team.email)).one()
        end_all_in(session, user_id, "ended")


@pytest.mark.usefixtures("slow")
def test_a_search_ends_with_the_session_and_tells_nothing(
    app: Flask, team: Team, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CHECK_SECONDS", 0)
    chunks = open_stream(app, team, f"after={ids[-1] - 1}&q=boom")
    assert next(chunks).startswith(b"event: beat")
    sign_out(team)
    assert list(chunks) == []


def test_what_came_after_the_session_s_end_is_not_told_when_the_search_is_over(
    app: Flask, team: Team, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However lately it was looked up: the search may have taken longer than a look lasts."""
    monkeypatch.setattr(stream, "CHECK_SECONDS", 2)
    chunks = open_stream(app, team, f"after={ids[0]}&q=boom")
    assert next(chunks).startswith(b"event: beat")
    sign_out(team)
    with writing() as session:
        row = {**accepted_row(now()), "workspace_id": team.workspace_id}
        session.add(Event(**row | {"body": b"boom", "detail": "told too late"}))
    time.sleep(0.5)  # It has its place in the queue by now.
    assert list(chunks) == []


def test_a_page_whose_session_lasts_is_told_all_of_it(
    app: Flask, team: Team, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CHECK_SECONDS", 0)
    chunks = open_stream(app, team, f"after={ids[0] - 20}&q=boom")
    assert next(chunks).startswith(b"event: beat")
    told = next(chunks)
    assert [f'data-cursor="{each}"'.encode() in told for each in expected(ids)[:16]] == [True] * 16
    sign_out(team)
    assert list(chunks) == []
