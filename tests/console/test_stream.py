"""A page that comes back is told all that it missed, and is not left in silence meanwhile."""

from collections.abc import Iterator

import pytest
from flask import Flask

from app.clock import now
from app.console import event_search, stream
from app.console.event_filter import read_filter
from app.console.stream import MAX_BACKLOG, Reader, find_missed
from app.extensions import db, writing
from app.models import Event
from tests.factories import Team, accepted_row


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
    assert look(team, ids) == ([], [])
