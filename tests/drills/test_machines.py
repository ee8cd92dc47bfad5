"""Three machines on one PostgreSQL: one is killed, one is cut off; nothing is lost or doubled."""

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import requests
from sqlalchemy import func, make_url, select

from app.console.stream import MAX_BACKLOG
from app.extensions import db
from app.models import Event, Run, WorkerHeartbeat
from tests.apps import close_app, make_app
from tests.drills.marks import CUT_OFF_ANSWER_SECONDS
from tests.drills.record import Figure, record
from tests.drills.reliability import is_held
from tests.main_job.visitors import sign_in
from tests.networks import NETWORKS, NamespacesUnavailableError, Network, joined_hosts
from tests.processing.sums import sums_from_rollups, sums_from_runs
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team
from tests.together import Meanwhile

FIRST, KILLED, CUT_OFF = range(3)


class Try(NamedTuple):
    """One request: to which machine, when, how long it took, and what came of it (0: nothing)."""

    machine: int
    began: float
    seconds: float
    status: int
    retry_after: str | None = None


@dataclass
class Load(Meanwhile):
    """Senders of each machine; what that does not take, they send to the next until it is taken."""

    machines: list[LiveServer]
    team: LiveTeam
    senders: int = 3
    pause: float = 0.02
    accepted: dict[str, list[str]] = field(default_factory=dict)
    """Of each execution the ids that it was answered with."""
    sent: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Of each execution its outcome and duration."""
    tries: list[Try] = field(default_factory=list)

    def __post_init__(self) -> None:
        homes = [home for home in range(len(self.machines)) for _ in range(self.senders)]
        super().__init__(partial(self._send, home) for home in homes)
        self._numbers = itertools.count(1)

    def count(self, machine: int, status: int) -> int:
        return sum(each.machine == machine and each.status == status for each in self.tries)

    def wait_for(self, machine: int, status: int, more: int, seconds: float = 60) -> None:
        """Until the machine has given so many more answers of this kind."""
        wanted = self.count(machine, status) + more
        wait_for(lambda: self.count(machine, status) >= wanted, seconds, 0.05)

    def _send(self, home: int) -> None:
        with requests.Session() as session:
            session.headers.update(self.team.headers)
            while not self.is_over.is_set():
                self._send_one(session, home, next(self._numbers))
                self.is_over.wait(self.pause)

    def _send_one(self, session: requests.Session, home: int, number: int) -> None:
        execution, kind = f"run-{number}", "failure" if number % 5 == 0 else "success"
        self.sent[execution] = kind, number
        body = {
            "workflow_slug": self.team.slug,
            "ended_at": "2026-01-15T09:31:00Z",
            "external_execution_id": execution,
            "duration_ms": number,
            **({"error_message": "boom"} if kind == "failure" else {}),
        }
        machines = range(len(self.machines))
        for machine in itertools.cycle([*machines[home:], *machines[:home]]):
            answer = self._try(session, machine, kind, body)
            if answer:
                self.accepted.setdefault(execution, []).append(answer["event_id"])
                return
            time.sleep(0.05)

    def _try(self, session: requests.Session, machine: int, kind: str, body: Any) -> Any:
        began = time.monotonic()
        try:
            answer = session.post(
                f"{self.machines[machine].url}/api/v1/ingest/run-{kind}",
                json=body,
                headers={"Idempotency-Key": body["external_execution_id"]},
                timeout=(1, CUT_OFF_ANSWER_SECONDS),
            )
        except requests.RequestException:
            self.tries.append(Try(machine, began, time.monotonic() - began, 0))
            return None
        seconds, after = time.monotonic() - began, answer.headers.get("Retry-After")
        self.tries.append(Try(machine, began, seconds, answer.status_code, after))
        return answer.json() if answer.status_code == 202 else None


class LogReader:
    """A page that follows the live log of one machine, and comes back where it breaks off."""

    def __init__(self, server: LiveServer, team: LiveTeam) -> None:
        self._server = server
        self._session = sign_in(server, team)
        self._is_over = False
        self.ids: list[int] = []
        self.gaps: dict[int, tuple[int, int]] = {}
        """Of an id that stands for rows that were left out: the first of them, and how many."""
        self.returns: set[int] = set()
        """How many rows it had been told of each time that it came back."""
        self.is_following = threading.Event()
        threading.Thread(target=self._follow, daemon=True).start()

    def stop(self) -> None:
        self._is_over = True
        self._session.close()

    def _follow(self) -> None:
        while not self._is_over:
            last = {"Last-Event-ID": str(self.ids[-1])} if self.ids else {}
            try:
                self._read(last)
            except requests.RequestException:
                time.sleep(0.1)

    def _read(self, headers: dict[str, str]) -> None:
        address = f"{self._server.url}/events/stream"
        with self._session.get(address, headers=headers, stream=True, timeout=30) as answer:
            answer.raise_for_status()  # A machine that is cut off may say 503.
            self.returns.add(len(self.ids))
            for line in answer.iter_lines():
                self.is_following.set()
                cursor = re.fullmatch(rb"id: (\d+)", line)
                if cursor:
                    self.ids.append(int(cursor[1]))
                gap = re.search(rb'id="gap-(\d+)-(\d+)".* data-gap="(\d+)"', line)
                if gap:
                    self.gaps[int(gap[2])] = (int(gap[1]), int(gap[3]))
                if self._is_over:
                    return

    def seen(self, ids: list[int]) -> Iterator[int]:
        """What it was told, and what of all these ids it was told to have been left out.

        A page shows MAX_BACKLOG rows: one that comes back is told of the newest of what it missed,
        and of no more than that, as its old rows are gone then.
        """
        for place, cursor in enumerate(self.ids):
            first, count = self.gaps.get(cursor, (cursor, 1))
            if place in self.returns and place:
                off_the_page = [each for each in ids if self.ids[place - 1] < each < first]
                if off_the_page:
                    assert len(self.ids) - place >= MAX_BACKLOG
                yield from off_the_page
            span = [each for each in ids if first <= each <= cursor]
            assert len(span) == count
            yield from span


@contextmanager
def started(network: Network, folder: Path, **settings: str) -> Iterator[list[LiveServer]]:
    """Machines that start at once on an empty database: one of them migrates it."""
    with ExitStack() as ends:
        machines = []
        for number, host in enumerate(network.hosts("machines")):
            own = {"HOST": host.address, "FLOWPULSE_RATE_LIMIT": "100000", **settings}
            place = folder / f"machine-{number}"
            machines.append(LiveServer(place, host.database_url, through=host.through, **own))
            ends.callback(machines[-1].kill)
        with ThreadPoolExecutor(len(machines)) as starters:
            list(starters.map(LiveServer.start, machines))
        yield machines


def drill(kind: str | None, folder: Path, each: int, **settings: str) -> dict[str, Figure]:
    """What was found when in mid-load a machine loses its power, and another its way to the
    database, for a while. With a kind of network PostgreSQL is on the disk."""
    with (
        joined_hosts(3, kind, durable=kind is not None) as network,
        started(network, folder, **settings) as machines,
    ):
        team = make_live_team(machines[FIRST])
        readers = [LogReader(machines[number], team) for number in (FIRST, CUT_OFF)]
        assert all(reader.is_following.wait(30) for reader in readers)
        with Load(machines, team) as load:
            for number in range(3):
                load.wait_for(number, 202, each)
            held = count_connections(machines[FIRST].database_url)
            network.unplug(KILLED)
            machines[KILLED].kill()
            load.wait_for(FIRST, 202, each)
            load.wait_for(CUT_OFF, 202, each)
            network.cut(CUT_OFF)
            cut_at = time.monotonic()
            load.wait_for(CUT_OFF, 503, 4)
            load.wait_for(FIRST, 202, each)
            network.mend(CUT_OFF)
            mended_at = time.monotonic()
            load.wait_for(CUT_OFF, 202, each)
            back_after = time.monotonic() - mended_at
        app = make_app(machines[FIRST].database_url, folder / "app")
        with app.app_context():
            report = reconcile(load, readers)
        close_app(app)
        for reader in readers:
            reader.stop()
    refused = [each for each in load.tries if each.machine == CUT_OFF and each.status == 503]
    assert all(each.retry_after and each.seconds < CUT_OFF_ANSWER_SECONDS for each in refused)
    longest = max(each.seconds for each in refused)
    first = min(each.began + each.seconds for each in refused) - cut_at
    return {
        **report,
        "refused": len(refused),
        "first_refused_s": round(first, 1),
        "longest_s": round(longest, 1),
        "back_s": round(back_after, 1),
        "pause_s": round(longest_pause(load), 1),
        "connections": held,
    }


def count_connections(url: str) -> int:
    """How many the machines hold together."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    query = "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
    with psycopg.connect(plain) as connection:
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def longest_pause(load: Load) -> float:
    ends = sorted(
        each.began + each.seconds
        for each in load.tries
        if each.machine == FIRST and each.status == 202
    )
    return max(later - earlier for earlier, later in itertools.pairwise(ends))


def reconcile(load: Load, readers: list[LogReader]) -> dict[str, Figure]:
    """What was taken is there once, each execution is one run, and each log told or counted all."""
    wait_for(is_drained, 60, 0.2)
    shown = db.session.execute(select(Event.id, Event.public_id, Event.state)).all()
    events = [event for event in shown if event.state != "rejected"]  # What was told 503.
    answered = [event_id for ids in load.accepted.values() for event_id in ids]
    assert set(answered) - {event.public_id for event in events} == set()
    assert len(events) == len(answered) == len(set(answered)) == len(load.accepted)
    assert {event.state for event in events} == {"processed"}
    runs = db.session.execute(select(Run.external_execution_id, Run.outcome, Run.duration_ms)).all()
    assert Counter(run[0] for run in runs) == Counter(load.accepted.keys())
    altered = sum((outcome, took) != load.sent[name] for name, outcome, took in runs)
    assert altered == 0
    assert db.session.scalar(select(func.sum(Run.event_count))) == len(events)
    assert sums_from_rollups() == sums_from_runs()
    ids = sorted(event.id for event in shown)
    for reader in readers:
        wait_for(lambda ids_read=reader.ids: ids_read and ids_read[-1] >= ids[-1], 20)
        assert list(reader.seen(ids)) == ids
    assert db.session.scalar(select(func.count()).select_from(WorkerHeartbeat)) == 3
    lag = max(
        (done - came).total_seconds()
        for came, done in db.session.execute(
            select(Event.received_at, Event.processed_at).where(Event.state == "processed")
        )
    )
    return {
        "accepted": len(answered),
        "lost": 0,
        "doubled": 0,
        "altered": altered,
        "lag_s": round(lag, 1),
    }


def is_drained() -> bool:
    db.session.rollback()
    return not db.session.scalar(select(Event.id).where(Event.state == "accepted").limit(1))


@pytest.mark.timeout(240)
def test_a_machine_that_dies_and_one_that_is_cut_off_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    drill(None, tmp_path, 15, WEB_CONCURRENCY="1")


@pytest.mark.drill("machines_{kind}")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", NETWORKS)
def test_machines_that_die_and_are_cut_off_in_mid_load_lose_and_double_nothing(
    kind: str, tmp_path: Path
) -> None:
    try:
        found = drill(kind, tmp_path, 500)
    except NamespacesUnavailableError as reason:
        pytest.skip(str(reason))
    record(f"machines_{kind}", "postgresql", **found)
    assert is_held(f"machines_{kind}", found), found
