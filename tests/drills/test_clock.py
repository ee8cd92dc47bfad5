"""The clock jumps by an hour or a day, ahead and back, under load, and is set right again.

Nights in which a zone's clocks change are tested over simulated time, by tests/test_timetable.py
and tests/processing/test_schedules.py: the server itself goes by UTC, which has none.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import psutil
import pytest
from sqlalchemy import func, insert, select

from app.clock import now
from app.extensions import db, writing
from app.models import Event, Instance, Silence, Workflow
from app.workspaces.schedules import Wish, set_schedule
from tests.alerting.stories import store_rule
from tests.apps import close_app, make_app
from tests.channels.conftest import make_channel
from tests.channels.receivers import Receiver
from tests.drills.clocks import MachineClock, PostgresWithClock
from tests.drills.load import RATE, Load
from tests.drills.marks import NOTHING_REPEATED
from tests.drills.reckoning import read_all, reconcile
from tests.drills.record import Figure, record
from tests.drills.reliability import is_held
from tests.factories import Team, accepted_row, make_team
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

HOUR, DAY = 3_600, 86_400
JUMPS = (HOUR, 0, -HOUR, 0, DAY, 0, -DAY, 0)
OLD_EVENTS = 500
NEARLY_PAST = timedelta(days=89, hours=12)
"""Half a day more, and what is as old as that goes."""
LOOKED_SECONDS = 4


class Clock(Protocol):
    def set(self, seconds: float) -> None: ...


@contextmanager
def on(server: LiveServer) -> Iterator[None]:
    """An app on the server's database, in its context."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        yield
        db.session.remove()
    close_app(app)


def prepare(receiver: Receiver) -> Team:
    """A team with old events, rules about failures and silence, and a schedule that is kept."""
    team = make_team("Night shift", first=False)
    at, own = now() - NEARLY_PAST, {"workspace_id": team.workspace_id, "state": "processed"}
    rows = [
        accepted_row(at, **own, workflow_id=team.workflow_id, public_id=f"old{number:021d}")
        for number in range(OLD_EVENTS)
    ]
    with writing() as session:
        session.execute(insert(Event.__table__), rows)  # type: ignore[arg-type]
    workflow = db.session.scalars(select(Workflow).where(Workflow.id == team.workflow_id)).one()
    set_schedule(workflow, Wish("interval", HOUR, None, "Europe/Berlin", 60))
    channel = make_channel(team, url=receiver.url)
    store_rule(team, id=None, name="Failures", channels=[channel.id])
    silent = {"kind": "silent", "numbers": {"minutes": 0}}
    store_rule(team, id=None, name="Silence", channels=[channel.id], **silent)
    return team


def is_under_way() -> bool:
    """Whether both have been seen: of a server that has just been set up, nobody knows since when
    it was there."""
    db.session.rollback()
    seen = db.session.execute(select(Instance.worker_seen_at, Instance.web_seen_at)).one()
    return None not in seen


def report(server: LiveServer, team: Team, kind: str) -> None:
    fields = {"workflow_slug": team.slug, "ended_at": now().isoformat()}
    if kind == "failure":
        fields["error_message"] = "boom"
    url = f"/api/v1/ingest/run-{kind}"
    assert server.post(url, json=fields, headers=team.headers).status_code == 202


def count_disordered(server: LiveServer, live: LiveTeam, accepted: dict[str, str]) -> int:
    """Each client sends one after the other, and its execution ids say in which order."""
    rows = reversed(read_all(server, live, "events"))
    sent: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row["event_id"] in accepted:
            client, _, number = accepted[row["event_id"]].partition("-")
            sent[client].append(int(number))
    pairs = (pair for each in sent.values() for pair in pairwise(each))
    return sum(former > later for former, later in pairs)


def measure_cpu(server: LiveServer) -> float:
    """Processors that the worker takes while it has nothing to do."""
    worker = psutil.Process(server.processes["worker"].pid)
    before = sum(worker.cpu_times()[:2])
    time.sleep(LOOKED_SECONDS)
    return float(sum(worker.cpu_times()[:2]) - before) / LOOKED_SECONDS


def drill(
    server: LiveServer,
    clock: Clock,
    receiver: Receiver,
    stay: float,
    rate: float,
    jumps: Sequence[int] = JUMPS,
    idle: Sequence[int] = (DAY, 0),
) -> dict[str, Figure]:
    """`stay`: seconds between two jumps; a worker looks at the database's clock every five. After
    the `idle` ones, without load, it is seen what the worker computes.

    `disordered`: events that a client has sent later, and that come before in the log. `messages`:
    one of a failure before the jumps, which is `early`, and one that it is over, of a success after
    them. `silences`: that no downtime excuses.
    """
    live = make_live_team(server)
    with on(server):
        team = prepare(receiver)
        wait_for(is_under_way, seconds=30)
    report(server, team, "failure")
    wait_for(lambda: receiver.received, seconds=60)
    done = 0
    with Load(server, live, rate=rate) as load:
        for seconds in jumps:
            clock.set(seconds)
            done += 1
            time.sleep(stay)
    statuses = load.statuses()
    cpu = 0.0
    for seconds in idle:
        clock.set(seconds)
        done += 1
        time.sleep(stay)
        cpu = max(cpu, measure_cpu(server))
    early = len(receiver.received)
    report(server, team, "success")
    wait_for(lambda: len(receiver.received) > 1, seconds=60)
    time.sleep(1)
    with on(server):
        kept = Event.public_id.like("old%")
        left = db.session.scalar(select(func.count()).select_from(Event).where(kept)) or 0
        counted = select(func.count(Silence.id)).where(Silence.during_downtime.is_(False))
        silences = db.session.scalar(counted) or 0
    reckoning = reconcile(server, live, load)
    disordered = count_disordered(server, live, load.accepted)
    purged, messages = OLD_EVENTS - left, len(receiver.received)
    others = statuses.total() - statuses[202]
    return {
        **reckoning.figures,
        "jumps": done,
        "others": others,
        "disordered": disordered,
        "purged": purged,
        "early": early,
        "messages": messages,
        "silences": silences,
        "cpu_percent": cpu * 100,
        "rate": round(load.rate, 1),
    }


@contextmanager
def server_with_clock(
    kind: str, folder: Path, durable: bool = False
) -> Iterator[tuple[LiveServer, Clock]]:
    """SQLite goes by the machine's clock, PostgreSQL by its own; `durable` is about that one."""
    may = {"FLOWPULSE_ALLOW_PRIVATE_ADDRESSES": "1"}
    with ExitStack() as ends:
        machine = MachineClock(folder)
        if kind == "sqlite":
            url, clock, settings = f"sqlite:///{folder}/flowpulse.db", machine, machine.settings
            yield ends.enter_context(LiveServer(folder / "data", url, **may, **settings)), clock
            return
        cluster = PostgresWithClock(durable)
        ends.callback(cluster.stop)
        url = cluster.create_database("shifted")
        yield ends.enter_context(LiveServer(folder / "data", url, **may)), cluster


def test_a_clock_that_jumps_purges_repeats_and_holds_up_nothing(
    database_kind: str, tmp_path: Path
) -> None:
    with Receiver() as receiver, server_with_clock(database_kind, tmp_path) as (server, clock):
        found = drill(server, clock, receiver, stay=6, rate=10, jumps=(-HOUR, DAY), idle=(0,))
    assert NOTHING_REPEATED(found), found


@pytest.mark.drill("clock")
@pytest.mark.timeout(900)
def test_the_clock_jumps_under_load(database_kind: str, tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        server_with_clock(database_kind, tmp_path, durable=True) as (server, clock),
    ):
        found = drill(server, clock, receiver, stay=15, rate=RATE)
    record("clock", database_kind, **found)
    assert is_held("clock", found), found
