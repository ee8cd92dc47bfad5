"""What belongs to an event: of too many, the newest, and of attempts the first as well."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.clock import now
from app.console import related
from app.console.related import MOST, find_related
from app.extensions import db, writing
from app.models import Event, Run
from tests.console.pages import open_page
from tests.factories import Team, accepted_row, run_row

COUNT = MOST + 10


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer than there are, so that it matters which of them are looked at."""
    monkeypatch.setattr(related, "MOST_COMPARED", MOST + 3)


def store(team: Team, count: int = COUNT, **columns: Any) -> list[Event]:
    """Newest first."""
    row = {**accepted_row(now()), "workspace_id": team.workspace_id, **columns}
    with writing() as session:
        events = [Event(**row) for _ in range(count)]
        session.add_all(events)
        session.flush()
        ids = [event.id for event in events]
    query = db.select(Event).where(Event.id.in_(ids)).order_by(Event.id.desc())
    return list(db.session.scalars(query))


def store_run(team: Team, **columns: Any) -> int:
    run = Run(**run_row(team, now(), **columns))
    with writing() as session:
        session.add(run)
        session.flush()
        return run.id


def test_of_many_attempts_the_newest_are_shown_and_the_first(
    team: Team, owner: FlaskClient
) -> None:
    (first,) = store(team, 1)
    again = store(team, attempt_of_id=first.id, origin="resend")
    expected = [event.id for event in again[:MOST]]
    assert [each.id for each in find_related(first).attempts] == expected
    assert [each.id for each in find_related(again[-1]).attempts] == [*expected, first.id]
    text = open_page(owner, f"/events/{again[-1].public_id}").text
    assert f"The latest {MOST}, and the first." in text
    assert f"The latest {MOST}." in open_page(owner, f"/events/{first.public_id}").text


def test_of_many_events_of_an_execution_the_newest_are_shown(team: Team) -> None:
    run_id = store_run(team, external_execution_id="run_1")
    events = store(team, run_id=run_id)
    expected = [event.id for event in events[:MOST]]
    assert [each.id for each in find_related(events[-1]).execution] == expected


def test_of_many_refused_requests_of_an_execution_the_newest_are_shown(team: Team) -> None:
    events = store(team, state="rejected", execution_id="run_1")
    expected = [event.id for event in events[:MOST]]
    assert [each.id for each in find_related(events[-1]).execution] == expected
    events = store(team, state="rejected", correlation_id="order-1")
    expected = [event.id for event in events[:MOST]]
    assert [each.id for each in find_related(events[-1]).correlation] == expected
