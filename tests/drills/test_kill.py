"""kill -9 at any moment: no event that was answered with 202 is lost, and none counts twice."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence

import pytest

from tests.drills.load import Load, reconcile
from tests.server import LiveServer, SupervisedServer, answers, wait_for
from tests.teams import make_live_team


def kill_and_reconcile(
    make_server: Callable[..., LiveServer], kills: Sequence[Callable[[SupervisedServer], None]]
) -> SupervisedServer:
    server = make_server(SupervisedServer)
    assert isinstance(server, SupervisedServer)
    team = make_live_team(server)
    with Load(server, team) as load:
        for number, kill in enumerate(kills):
            before = len(load.accepted)
            wait_for(lambda before=before: len(load.accepted) > before, seconds=20)
            time.sleep(random.Random(number).random() * 0.4)
            kill(server)
    assert len(load.accepted) > len(kills)
    reckoning = reconcile(server, team, load.accepted)
    assert (reckoning.lost, reckoning.doubled) == (0, 0)
    print(f"{len(kills)} kills, {len(load.accepted)} events answered with 202: all there, once")
    return server


def kill_web_process(server: SupervisedServer) -> None:
    wait_for(server.web_pids, seconds=20)
    victim = random.choice(server.web_pids())
    _kill(victim)


def kill_web_master(server: SupervisedServer) -> None:
    wait_for(lambda: server.child("gunicorn"), seconds=20)
    server.kill_web_master()


def kill_worker(server: SupervisedServer) -> None:
    wait_for(lambda: server.child("worker"), seconds=20)
    server.kill_worker()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


KILLS = {"web process": kill_web_process, "web master": kill_web_master, "worker": kill_worker}


def test_a_kill_of_each_loses_and_doubles_nothing(
    make_server: Callable[..., LiveServer],
) -> None:
    """The killed master's processes let go of the port; the next one has as many of its own."""
    server = kill_and_reconcile(make_server, list(KILLS.values()))
    wait_for(lambda: len(server.web_pids()) == 2 and answers(server.url), seconds=15)


@pytest.mark.drill
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("kill", KILLS.values(), ids=KILLS.keys())
def test_fifty_kills_lose_and_double_nothing(
    make_server: Callable[..., LiveServer], kill: Callable[[SupervisedServer], None]
) -> None:
    kill_and_reconcile(make_server, [kill] * 50)
