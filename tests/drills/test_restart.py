"""The documented restart and a stop, under load and with live logs open: nobody is cut off."""

import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import psutil
import pytest
import requests

from tests.drills.load import CUT_OFF, Load
from tests.drills.marks import AMOUNTS, NOBODY_CUT_OFF
from tests.drills.reckoning import reconcile
from tests.drills.record import record
from tests.drills.reliability import is_held
from tests.main_job.visitors import sign_in
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team
from tests.together import Meanwhile

PATIENCE_SECONDS = 300
"""A restart loads the program twice, which takes a busy machine its time."""
LOGS = 4


class LiveLogs(Meanwhile):
    """Open pages that follow the log, and come back where their stream ends."""

    def __init__(self, server: LiveServer, team: LiveTeam, count: int = LOGS) -> None:
        super().__init__(partial(self._follow, sign_in(server, team)) for _ in range(count))
        self._address = f"{server.url}/events/stream"
        self._count = count
        self._lock = threading.Lock()
        self.open = 0

    def wait_until_open(self) -> None:
        wait_for(lambda: self.open == self._count, seconds=PATIENCE_SECONDS)

    def _follow(self, session: requests.Session) -> None:
        while not self.is_over.is_set():
            try:
                with session.get(self._address, stream=True, timeout=10) as stream:
                    self._read(stream)
            except requests.RequestException:
                self.is_over.wait(0.1)

    def _read(self, stream: requests.Response) -> None:
        is_counted = False
        try:
            for _ in stream.iter_content(1024):
                if not is_counted:
                    self._add(1)
                    is_counted = True
                if self.is_over.is_set():
                    return
        finally:
            self._add(-is_counted)

    def _add(self, number: int) -> None:
        with self._lock:
            self.open += number


def restart(server: LiveServer) -> None:
    """As documented: HUP to gunicorn's main process; returns once only new ones are there."""
    before = set(server.web_pids())
    server.reload_web()

    def is_done() -> bool:
        pids = set(server.web_pids())
        return bool(pids) and not before & pids

    wait_for(is_done, seconds=PATIENCE_SECONDS, pause=0.1)


def stop(server: LiveServer) -> float:
    """SIGTERM to web and worker; the seconds until both have ended by themselves."""
    family = {
        name: [psutil.Process(each.pid), *psutil.Process(each.pid).children()]
        for name, each in server.processes.items()
    }
    began = time.monotonic()
    for process in server.processes.values():
        process.send_signal(signal.SIGTERM)
    for process in server.processes.values():
        process.wait(60)
    _, alive = psutil.wait_procs([each for part in family.values() for each in part], 60)
    assert not alive
    server.processes.clear()
    return time.monotonic() - began


def restart_and_stop(
    make_server: Callable[..., LiveServer], requests_each: int, restarts: int
) -> dict[str, int | float]:
    """So many requests from one restart to the next; then a stop, and a new start."""
    server = make_server()
    team = make_live_team(server)
    with LiveLogs(server, team) as logs, Load(server, team) as load:
        logs.wait_until_open()
        done = 0
        for number in range(1, restarts + 1):
            restart(server)
            done += 1
            wanted = number * requests_each
            wait_for(
                lambda wanted=wanted: len(load.answers) >= wanted, seconds=2 * PATIENCE_SECONDS
            )
        logs.wait_until_open()
        before_stop, rate = len(load.answers), load.rate
        seconds = stop(server)
        server.start_web()
        server.start_worker()
        server.wait_until_ready()
        load.seconds_to_202(time.monotonic(), 60)
    reckoning = reconcile(server, team, load)
    during, after = load.answers[:before_stop], load.answers[before_stop:]
    return {
        "restarts": done,
        "requests": len(during),
        "failed": sum(each.status != 202 for each in during),
        "stop_cut_off": sum(each.code == CUT_OFF for each in after),
        "stop_errors": sum(each.status not in (0, 202) for each in after),
        "stop_s": round(seconds, 2),
        "longest_s": round(max(each.seconds for each in during), 2),
        **reckoning.figures,
        "rate": round(rate, 1),
    }


@pytest.mark.once
@pytest.mark.timeout(600)
def test_a_restart_and_a_stop_under_load_fail_no_request(
    make_server: Callable[..., LiveServer],
) -> None:
    found = restart_and_stop(make_server, 500, 1)
    assert NOBODY_CUT_OFF(found), found


@pytest.mark.drill("restart")
@pytest.mark.timeout(1_800)
def test_ten_thousand_requests_and_ten_restarts_fail_no_request(
    make_server: Callable[..., LiveServer], database_kind: str
) -> None:
    least = AMOUNTS["restart"]
    each = least["requests"] // least["restarts"]
    found = restart_and_stop(make_server, each, least["restarts"])
    record("restart", database_kind, **found)
    assert is_held("restart", found), found
