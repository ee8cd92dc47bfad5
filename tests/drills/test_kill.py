"""kill -9 at any moment: no event that was answered with 202 is lost, and none counts twice."""

import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import psutil
import pytest

from tests.drills.load import RATE, Load
from tests.drills.marks import AMOUNTS, AT_WORK, FEWEST_BETWEEN, NONE_LOST, both
from tests.drills.reckoning import fetch, reconcile
from tests.drills.record import record
from tests.drills.reliability import is_held
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
        "kills": len(recoveries),
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
    """One that is there: who has just gone by itself, or is no more than its exit code, was not
    killed."""

    def has_hit() -> bool:
        pid = random.choice(server.web_pids() or [0])
        try:
            process = psutil.Process(pid) if pid else None
            if process is None or process.status() == psutil.STATUS_ZOMBIE:
                return False
            process.kill()
        except psutil.NoSuchProcess:
            return False
        return True

    wait_for(has_hit, seconds=PATIENCE_SECONDS)


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


KILLS: dict[str, Kill] = {
    "kill_web": kill_web_process,
    "kill_master": kill_web_master,
    "kill_everything": kill_everything,
    "kill_worker": kill_worker,
}
"""By the drill's name: what is killed."""


@pytest.mark.timeout(300)
def test_a_kill_of_each_loses_and_doubles_nothing(
    make_server: Callable[..., LiveServer],
) -> None:
    """The killed master's processes let go of the port; the next one has as many of its own."""
    server, found = kill_one_by_one(make_server, list(KILLS.values()), 0.4)
    assert both(NONE_LOST, AT_WORK)(found), found
    wait_for(lambda: len(server.web_pids()) == 2 and answers(server.url), seconds=15)


class Passing(SupervisedServer):
    """Whose process has just ended when it is looked for, is then not yet reaped, and lives."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids

    def web_pids(self) -> list[int]:
        return [self._pids.pop()]


def test_who_was_gone_already_does_not_count_as_killed() -> None:
    living = subprocess.Popen(["sleep", "60"])
    gone, unreaped = subprocess.Popen(["true"]), subprocess.Popen(["true"])
    gone.wait()
    wait_for(lambda: psutil.Process(unreaped.pid).status() == psutil.STATUS_ZOMBIE)
    left = [living.pid, unreaped.pid, gone.pid]
    kill_web_process(Passing(left))
    assert left == [] and living.wait(10) == -signal.SIGKILL
    unreaped.wait()


@pytest.mark.drill("{name}")
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", KILLS)
def test_kill_after_kill_loses_and_doubles_nothing(
    make_server: Callable[..., LiveServer], database_kind: str, name: str
) -> None:
    kills = [KILLS[name]] * AMOUNTS[name]["kills"]
    _, found = kill_one_by_one(make_server, kills, LONGEST_SECONDS)
    record(name, database_kind, **found)
    assert is_held(name, found), found
