"""kill -9 in the middle of batches: none that was answered is lost, and none is there by halves."""

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest
import requests

from app.extensions import db
from app.models import Event
from tests.apps import close_app, make_app
from tests.drills.marks import AMOUNTS
from tests.drills.record import record
from tests.drills.reliability import is_held
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team
from tests.together import Meanwhile

PATH = "/api/v1/ingest/batch"
SIZES = (1, 7, 100, 500)


class Senders(Meanwhile):
    """Clients that send batches of several sizes, one after the other, and note what is answered.

    Each event says in its correlation_id which batch it belongs to; every other batch has a key of
    its own, and so has each of its events.
    """

    def __init__(self, server: LiveServer, team: LiveTeam, clients: int = 4) -> None:
        super().__init__(partial(self._send, number) for number in range(clients))
        self._server, self._team = server, team
        self.sizes: dict[str, int] = {}
        self.answered: dict[str, list[str]] = {}

    def _send(self, client: int) -> None:
        for number in count():
            if self.is_over.is_set():
                return
            name, size = f"{client}-{number}", SIZES[(client + number) % len(SIZES)]
            self.sizes[name] = size
            try:
                answer = send(self._server, self._team, name, size, with_key=number % 2 == 0)
            except requests.RequestException:
                self.is_over.wait(0.05)
                continue
            if answer.status_code == 202:
                self.answered[name] = ids_of(answer)


def send(
    server: LiveServer, team: LiveTeam, name: str, size: int, *, with_key: bool
) -> requests.Response:
    event = {
        "kind": "run-success",
        "workflow_slug": team.slug,
        "ended_at": "2026-01-15T09:31:00Z",
        "correlation_id": name,
    }
    events = [{**event, "external_execution_id": f"{name}-{n}"} for n in range(size)]
    headers = {**team.headers, **({"Idempotency-Key": name} if with_key else {})}
    return server.post(PATH, json={"events": events}, headers=headers, timeout=30)


def ids_of(answer: requests.Response) -> list[str]:
    return [event["event_id"] for event in answer.json()["events"]]


def read_stored(server: LiveServer) -> tuple[set[str], Counter[str]]:
    """The ids of all events on disk, and how many there are of each batch."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        rows = db.session.query(Event.public_id, Event.payload).filter(Event.state == "accepted")
        stored = [(event_id, payload["correlation_id"]) for event_id, payload in rows]
        db.session.rollback()
    close_app(app)
    return {event_id for event_id, _ in stored}, Counter(name for _, name in stored)


def kill_in_mid_batch(make_server: Callable[..., LiveServer], kills: int) -> dict[str, int]:
    """What was found; see also the assertions."""
    server = make_server(worker=False, FLOWPULSE_RATE_LIMIT="0")
    team = make_live_team(server)
    with Senders(server, team) as senders:
        done = 0
        for _ in range(kills):
            before = len(senders.answered)
            wait_for(lambda before=before: len(senders.answered) > before + 4, seconds=60)
            server.kill_web()  # The other clients are in the midst of their batches.
            done += 1
            server.restart_web()
    ids, by_batch = read_stored(server)
    lost = [name for name, answered in senders.answered.items() if not set(answered) <= ids]
    assert lost == []
    halves = {name: n for name, n in by_batch.items() if n != senders.sizes[name]}
    assert halves == {}
    retry_what_was_lost(server, team, senders, by_batch)
    return {"kills": done, "batches": len(senders.answered), "lost": len(lost), "halves": 0}


def retry_what_was_lost(
    server: LiveServer, team: LiveTeam, senders: Senders, by_batch: Counter[str]
) -> None:
    """A batch with a key whose answer did not come is sent again: it is there once."""
    unanswered = [name for name in senders.sizes if name not in senders.answered]
    with_keys = [name for name in unanswered if int(name.split("-")[1]) % 2 == 0]
    for name in with_keys:
        answer = send(server, team, name, senders.sizes[name], with_key=True)
        assert answer.status_code == 202
        replayed = {event.get("idempotent_replayed", False) for event in answer.json()["events"]}
        assert replayed == {name in by_batch}
    _, again = read_stored(server)
    assert {name: again[name] for name in with_keys} == {n: senders.sizes[n] for n in with_keys}


@pytest.mark.timeout(300)
def test_a_kill_in_mid_batch_loses_nothing_and_leaves_no_half(
    make_server: Callable[..., LiveServer],
) -> None:
    kill_in_mid_batch(make_server, 2)


@pytest.mark.drill("kill_mid_batch")
@pytest.mark.timeout(1_800)
def test_thirty_kills_in_mid_batch_lose_nothing_and_leave_no_half(
    make_server: Callable[..., LiveServer], database_kind: str
) -> None:
    found = kill_in_mid_batch(make_server, AMOUNTS["kill_mid_batch"]["kills"])
    record("kill_mid_batch", database_kind, **found)
    assert is_held("kill_mid_batch", found), found


def test_twins_on_several_processes_make_each_event_once(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(worker=False, FLOWPULSE_RATE_LIMIT="0")
    team = make_live_team(server)
    answers: list[Any] = []
    start = threading.Barrier(12)

    def twin() -> None:
        start.wait()
        answers.append(send(server, team, "twins", 100, with_key=True))

    threads = [threading.Thread(target=twin) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({tuple(ids_of(answer)) for answer in answers}) == 1
    ids, by_batch = read_stored(server)
    assert ids == set(ids_of(answers[0])) and by_batch == {"twins": 100}


@pytest.mark.once
def test_single_events_are_answered_while_large_batches_come_in(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(worker=False, FLOWPULSE_RATE_LIMIT="0", WEB_CONCURRENCY="1")
    team = make_live_team(server)
    event = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    with Senders(server, team) as senders:
        wait_for(lambda: len(senders.answered) > 4, seconds=60)
        for _ in range(20):
            answer = server.post("/api/v1/ingest/run-success", json=event, headers=team.headers)
            assert answer.status_code == 202
