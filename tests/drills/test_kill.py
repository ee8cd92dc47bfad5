"""kill -9 at any moment: no event that was answered with 202 is lost, and none counts twice."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from tests.drills.load import RATE, Load
from tests.drills.marks import (
    AT_WORK,
    FEWEST_BETWEEN,
    NONE_LOST,
    RECOVERED,
    WORKER_RECOVERED,
    Held,
    both,
)
from tests.drills.reckoning import fetch, reconcile
from tests.drills.record import record
from tests.server import LiveServer, SupervisedServer, answers, wait_for
from tests.teams import LiveTeam, make_live_team

PATIENCE_SECONDS = 180
"""A busy machine may miss a mark; how long it took is recorded all the same."""

LONGEST_SECONDS = 5.0

Kill = Callable[[SupervisedServer], None]


class Recovery(NamedTuple):
    """Seconds from a kill to the first 202 of what was sent after it, and until the worker had
    processed something that it began with after it."""

    accepting: float
    processing: float


def kill_one_by_one(
    make_server: Callable[..., LiveServer], kills: Sequence[Kill], longest_s: float
) -> tuple[SupervisedServer, dict[str, int | float]]:
    """The server as it is then, and what was found. Before each kill up to so many seconds of
    accepted load pass since all had recovered: what is at work is killed, and what comes back."""
    server = make_server(SupervisedServer)
    assert isinstance(server, SupervisedServer)
    team, recoveries, counts = make_live_team(server), [], []
    chance = random.Random(len(kills))
    with Load(server, team) as load:
        for kill in kills:
            before = len(load.accepted)
            wanted = max(FEWEST_BETWEEN, int(chance.random() * longest_s * RATE))
            load.wait_for_accepted(wanted, PATIENCE_SECONDS)
            counts.append(len(load.accepted) - before)
            recoveries.append(kill_and_recover(server, team, load, kill))
    reckoning = reconcile(server, team, load)
    return server, {
        "kills": len(kills),
        "between": min(counts),
        **reckoning.figures,
        "accepting_s": round(max(each.accepting for each in recoveries), 2),
        "processing_s": round(max(each.processing for each in recoveries), 2),
        "rate": round(load.rate, 1),
    }


def kill_and_recover(server: SupervisedServer, team: LiveTeam, load: Load, kill: Kill) -> Recovery:
    killed_at, moment, before = time.monotonic(), datetime.now(UTC), len(load.answers)
    kill(server)

    def is_accepted() -> float:
        news = [each for each in load.answers[before:] if each.status == 202]
        ends = [each.sent_at + each.seconds for each in news if each.sent_at > killed_at]
        return min(ends, default=0.0)

    accepting = wait_for(is_accepted, seconds=PATIENCE_SECONDS) - killed_at

    def is_processing() -> bool:
        newest = fetch(server, team, "events", status="processed", limit=1)["data"]
        return any(datetime.fromisoformat(each["processed_at"]) > moment for each in newest)

    wait_for(is_processing, seconds=PATIENCE_SECONDS, pause=0.05)
    return Recovery(accepting, time.monotonic() - killed_at)


def kill_web_process(server: SupervisedServer) -> None:
    wait_for(server.web_pids, seconds=PATIENCE_SECONDS)
    try:
        os.kill(random.choice(server.web_pids()), signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_web_master(server: SupervisedServer) -> None:
    wait_for(lambda: server.child("gunicorn"), seconds=PATIENCE_SECONDS)
    server.kill_web_master()


def kill_worker(server: SupervisedServer) -> None:
    wait_for(lambda: server.child("worker"), seconds=PATIENCE_SECONDS)
    server.kill_worker()


def kill_everything(server: SupervisedServer) -> None:
    """supervisord too, which is started again at once, as an init system or a container does."""
    server.kill()
    server.start_web()


KILLS: dict[str, tuple[Kill, int, Held]] = {
    "kill_web": (kill_web_process, 20, RECOVERED),
    "kill_master": (kill_web_master, 20, RECOVERED),
    "kill_everything": (kill_everything, 10, RECOVERED),
    "kill_worker": (kill_worker, 50, WORKER_RECOVERED),
}
"""By the drill's name: what is killed, how often, and the mark."""


@pytest.mark.timeout(300)
def test_a_kill_of_each_loses_and_doubles_nothing(
    make_server: Callable[..., LiveServer],
) -> None:
    """The killed master's processes let go of the port; the next one has as many of its own."""
    server, found = kill_one_by_one(make_server, [kill for kill, _, _ in KILLS.values()], 0.4)
    assert both(NONE_LOST, AT_WORK)(found), found
    wait_for(lambda: len(server.web_pids()) == 2 and answers(server.url), seconds=15)


@pytest.mark.drill("{name}")
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", KILLS)
def test_kill_after_kill_loses_and_doubles_nothing(
    make_server: Callable[..., LiveServer], database_kind: str, name: str
) -> None:
    kill, times, held = KILLS[name]
    _, found = kill_one_by_one(make_server, [kill] * times, LONGEST_SECONDS)
    record(name, database_kind, **found)
    assert held(found), found
