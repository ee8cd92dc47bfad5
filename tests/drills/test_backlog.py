"""A worker that was away for an hour, and an event that it can't process: all others flow."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from flask import Flask
from sqlalchemy import Table, bindparam, select, update

from app.clock import now
from app.extensions import db, writing
from app.models import Event, Instance, Schedule, Silence, WorkerHeartbeat, Workflow
from app.workspaces.schedules import Wish, set_schedule
from app.workspaces.workflows import create_workflow
from tests.alerting.stories import store_rule
from tests.channels.conftest import make_channel
from tests.channels.receivers import Receiver
from tests.console.pages import Page
from tests.drills.load import RATE, Load
from tests.drills.marks import AMOUNTS, ATTEMPTS, NO_STORM, POISON_GIVEN_UP
from tests.drills.reckoning import fetch, wait_until_drained
from tests.drills.record import Figure, record
from tests.drills.reliability import is_held
from tests.factories import make_team
from tests.main_job.visitors import sign_in
from tests.server import LiveServer, wait_for

HOUR = timedelta(hours=1)
AT_ONCE = 500
"""Events in a batch."""
PATIENCE_SECONDS = 600
SETTLE_SECONDS = 3.0
"""A storm would show in it: messages are sent within a second or two."""
EVENTS: Table = Event.__table__  # type: ignore[assignment]
EVERY_TEN_MINUTES = Wish("interval", 600, None, "UTC", 60)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


class Hour:
    """A team with three jobs: one fails all along, one fails and then works again, one reports as
    its schedule expects. A rule tells of failures, another one of silences."""

    def __init__(self, server: LiveServer, receiver: Receiver, count: int) -> None:
        self.server, self.receiver, self.count = server, receiver, count
        self.team = make_team()
        self.slugs = {
            name: create_workflow(self.team.workspace_id, name.title()).slug
            for name in ("failing", "mended", "expected")
        }
        channel = make_channel(self.team, url=receiver.url)
        for kind in ("failed", "silent"):
            store_rule(self.team, id=None, kind=kind, name=kind, channels=[channel.id])
        expected = db.session.scalars(select(Workflow).filter_by(slug=self.slugs["expected"])).one()
        set_schedule(expected, EVERY_TEN_MINUTES)
        self.began_at = now() - HOUR
        self.event_ids: list[str] = []

    def moment(self, number: int) -> datetime:
        return self.began_at + HOUR * (number / self.count)

    def report(self) -> None:
        """All events of the hour, in batches; they are taken as ever."""
        for start in range(0, self.count, AT_ONCE):
            events = [self._event(n) for n in range(start, min(start + AT_ONCE, self.count))]
            answer = self.server.post(
                "/api/v1/ingest/batch", json={"events": events}, headers=self.team.headers
            )
            assert answer.status_code == 202, answer.text
            self.event_ids += [event["event_id"] for event in answer.json()["events"]]

    def _event(self, number: int) -> dict[str, Any]:
        job = list(self.slugs)[number % 3]
        has_failed = job == "failing" or (job == "mended" and number < self.count / 2)
        return {
            "kind": "run-failure" if has_failed else "run-success",
            "workflow_slug": self.slugs[job],
            "ended_at": self.moment(number).isoformat(),
            "external_execution_id": f"hour-{number}",
            **({"error_message": "no credit"} if has_failed else {}),
        }

    def pass_by(self) -> None:
        """Put back by an hour, in the database, what tells since when events wait, the worker is
        gone and a run is expected: as if the worker had gone before they came."""
        by_id = EVENTS.c.public_id == bindparam("its_id")
        moved = update(EVENTS).where(by_id).values(received_at=bindparam("at"))
        rows = [{"its_id": id_, "at": self.moment(n)} for n, id_ in enumerate(self.event_ids)]
        with writing() as session:
            connection = session.connection()
            connection.execute(moved.values(next_attempt_at=bindparam("at")), rows)
            session.execute(update(WorkerHeartbeat).values(seen_at=self.began_at))
            session.execute(update(Instance).values(worker_seen_at=self.began_at))
            due = {"next_expected_at": self.began_at, "overdue_at": self.began_at}
            session.execute(update(Schedule).values(**due))

    def spoil(self, number: int) -> str:
        """Make an event that can't be processed, as a bug or a broken disk would; its id."""
        event_id = self.event_ids[number]
        self._write(event_id, payload={"ended_at": "never"})
        return event_id

    def mend(self, number: int) -> None:
        fields = {"ended_at": self.moment(number).isoformat(), "external_execution_id": "mended"}
        self._write(self.event_ids[number], payload=fields)

    def hurry(self, event_id: str) -> None:
        """What was put off is due now: the pauses of 11 minutes in all are tested elsewhere."""
        self._write(event_id, next_attempt_at=now())

    def _write(self, event_id: str, **columns: Any) -> None:
        with writing() as session:
            session.execute(update(EVENTS).where(EVENTS.c.public_id == event_id).values(**columns))

    def read(self, event_id: str) -> dict[str, Any]:
        event: dict[str, Any] = fetch(self.server, self.team, f"events/{event_id}")
        return event

    def page(self, path: str) -> str:
        return Page(sign_in(self.server, self.team).get(self.server.url + path).text).text


def let_fail(hour: Hour, event_id: str) -> None:
    """Until it is given up: each attempt is waited for, the pause after it is not."""
    for attempt in range(1, ATTEMPTS):
        wait_for(lambda attempt=attempt: hour.read(event_id)["attempts"] >= attempt, 60, 0.1)
        hour.hurry(event_id)
    wait_for(lambda: hour.read(event_id)["status"] == "failed", 60, 0.1)


def said(is_so: bool) -> str:
    return "yes" if is_so else "no"


class Story(NamedTuple):
    """What happened: moments are monotonic. `waits_at`: what the drill itself does to the database
    is over. `is_told`: the console said how long events waited."""

    stopped_at: float
    waits_at: float
    started_at: float
    drained_s: float
    is_told: bool
    poison: str


def live_through(hour: Hour, seconds: float) -> Story:
    """So many seconds with a worker; the hour without one, that many of it under load; and until
    the last of its events is processed."""
    time.sleep(seconds)
    stopped_at = time.monotonic()
    hour.server.kill_worker()
    hour.report()
    hour.pass_by()
    poison = hour.spoil(hour.count // 2)
    waits_at = time.monotonic()
    time.sleep(seconds)
    is_told = "waited for 1 h" in hour.page("/") and "1 h" in hour.page("/settings")
    started_at, last = time.monotonic(), hour.event_ids[-1]
    hour.server.restart_worker()
    wait_for(lambda: hour.read(last)["status"] == "processed", PATIENCE_SECONDS, 0.2)
    return Story(stopped_at, waits_at, started_at, time.monotonic() - started_at, is_told, poison)


def work_off_an_hour(
    make_server: Callable[..., LiveServer],
    receiver: Receiver,
    count: int,
    seconds: float,
    rate: float = RATE,
) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """What was found of the hour, and of the poisoned event."""
    hour = Hour(make_server(FLOWPULSE_ALLOW_PRIVATE_ADDRESSES="1"), receiver, count)
    with Load(hour.server, hour.team, rate=rate) as load:
        story = live_through(hour, seconds)
    let_fail(hour, story.poison)
    wait_until_drained(hour.server, hour.team, PATIENCE_SECONDS)
    states = {hour.read(id_)["status"] for id_ in hour.event_ids[:: max(count // 50, 1)]}
    wait_for(lambda: receiver.received, 30, 0.1)
    time.sleep(SETTLE_SECONDS)
    db.session.rollback()
    statuses, started_at = load.statuses(), story.started_at
    found = {
        "events": len(set(hour.event_ids)),
        "accepted": statuses[202],
        "rate": round(load.rate, 1),
        "others": statuses.total() - statuses[202],
        "p99_before_ms": round(load.percentile(0.99, until=story.stopped_at) * 1_000, 1),
        "p99_down_ms": round(load.percentile(0.99, story.waits_at, started_at) * 1_000, 1),
        "p99_drain_ms": round(load.percentile(0.99, started_at) * 1_000, 1),
        "drained_s": round(story.drained_s, 1),
        "is_told": said(story.is_told),
        "unprocessed": len(states - {"processed", "failed"}),
        "messages": len(receiver.received),
        "silences": len(db.session.scalars(select(Silence)).all()),
    }
    return found, retry(hour, story.poison, count // 2)


def retry(hour: Hour, poison: str, number: int) -> dict[str, Figure]:
    """What is seen of the dead letter, and what becomes of it once its cause is mended."""
    overview = hour.page("/")
    event = hour.read(poison)
    hour.mend(number)
    answer = send_form_of_overview(hour)
    wait_for(lambda: hour.read(poison)["status"] == "processed", 60, 0.1)
    return {
        "is_told": said("1 event could not become a run" in overview),
        "attempts": event["attempts"],
        "says_why": said(bool(event["failure"])),
        "retried": said(answer == 303 and hour.read(poison)["run_id"] is not None),
    }


def send_form_of_overview(hour: Hour) -> int:
    person = sign_in(hour.server, hour.team)
    page = Page(person.get(hour.server.url + "/").text)
    form = next(form for form in page.forms if "retry" in form.action)
    return person.post(
        hour.server.url + form.action, data=form.fields, allow_redirects=False
    ).status_code


@pytest.mark.once
@pytest.mark.timeout(240)
def test_an_hour_of_events_and_one_that_is_broken_hold_up_nobody(
    make_server: Callable[..., LiveServer], app: Flask, receiver: Receiver
) -> None:
    found, poison = work_off_an_hour(make_server, receiver, 200, 0.5, rate=30)
    assert NO_STORM(found), found
    assert POISON_GIVEN_UP(poison), poison


@pytest.mark.drill("worker_down", "poison")
@pytest.mark.timeout(1_800)
def test_ten_thousand_events_of_an_hour_are_worked_off_without_a_storm(
    make_server: Callable[..., LiveServer], app: Flask, receiver: Receiver, database_kind: str
) -> None:
    found, poison = work_off_an_hour(make_server, receiver, AMOUNTS["worker_down"]["events"], 30)
    record("worker_down", database_kind, **found)
    record("poison", database_kind, **poison)
    assert is_held("worker_down", found), found
    assert is_held("poison", poison), poison
