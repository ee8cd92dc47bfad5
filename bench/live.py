"""Ingest while the worker drains and people look at the live log, beside the same server alone."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil

from app.console.session_cookie import NAME
from bench.backlog import Backlog, backlog_of
from bench.ingest import LOOK_SECONDS, count_database_syncs
from bench.live_logs import open_logs
from bench.load import Load, run_round
from bench.measured import Measured, Progress, Round
from bench.servers import Web, can_trace, count_syncs
from bench.subjects import POSTGRESQL, SQLITE, FlowPulse, databases, flowpulse
from tests.sessions import make_cookie

WARM_UP_SECONDS = 1
BACKLOG = 30_000
CLOSE_SECONDS = 20


class Scene(NamedTuple):
    """What goes on beside the load."""

    title: str
    logs: int = 0
    backlog: int = 0
    """What the worker is given to drain; 0 where it doesn't run."""

    def on(self, kind: str) -> str:
        return f"{kind}, {self.title}"


ALONE = Scene("alone")
BUSY = Scene("the worker drains, 50 live logs", 50, BACKLOG)
WATCHED = Scene("200 live logs", 200)
SCENES = (ALONE, BUSY, WATCHED)


class Stage(NamedTuple):
    """A running server with its backlog, and a signed-in browser's cookie."""

    kind: str
    web: Web
    backlog: Backlog
    cookie: str


def measure(
    folder: Path, rounds: int, seconds: int, with_postgresql: bool, say: Progress
) -> Measured:
    kinds = [SQLITE, POSTGRESQL] if with_postgresql else [SQLITE]
    results: dict[str, list[Round]] = {scene.on(kind): [] for kind in kinds for scene in SCENES}
    with ExitStack() as stack:
        flows = [flowpulse(each) for each in databases(folder, stack, with_postgresql)]
        with ExitStack() as serving:
            stages = [set_up(flow, stack, serving) for flow in flows]
            for number in range(1, rounds + 1):
                for scene in SCENES:
                    for stage in stages:
                        measured = play(scene, stage, seconds)
                        results[scene.on(stage.kind)].append(measured)
                        say(f"{number} {scene.on(stage.kind)}: {measured['rate']:.0f}/s")
        for stage in stages:
            results[BUSY.on(stage.kind)].append(look_closely(BUSY, stage, folder))
            say(f"{BUSY.on(stage.kind)}: fsyncs")
    return Measured(rounds, seconds, results)


def set_up(flow: FlowPulse, stack: ExitStack, serving: ExitStack | None = None) -> Stage:
    """`serving`: ends the web processes before the rest, where it is given."""
    backlog = stack.enter_context(backlog_of(flow))
    with flow.app() as app:
        cookie = f"{NAME}={make_cookie(app, flow.team.email)}"
    web = (serving or stack).enter_context(flow.server.running())
    return Stage(flow.database.kind, web, backlog, cookie)


def look_closely(scene: Scene, stage: Stage, folder: Path, seconds: int = LOOK_SECONDS) -> Round:
    """How often a request waits for the disk meanwhile, by a server of its own whose calls are
    watched, which costs time. PostgreSQL tells its own, the worker's included, as of a second ago:
    so it is asked over some seconds."""
    flow = stage.backlog.flow
    trace = folder / "live-syncs" if flow.database.cluster is None else None
    if trace and not can_trace():
        return {}
    count = partial(count_syncs, trace) if trace else partial(count_database_syncs, flow.database)
    with flow.server.running(trace) as web:
        measured = play(scene, stage._replace(web=web), seconds, count)
    return {name: measured[name] for name in ("syncs", "errors")}


def play(scene: Scene, stage: Stage, seconds: int, syncs: Callable[[], int] | None = None) -> Round:
    """One round: everything is in full swing before the load begins that is measured."""
    flow = stage.backlog.flow
    request, database = flow.success(), flow.database
    wait_until_closed(stage.web)
    stage.backlog.fill_up(scene.backlog)
    with ExitStack() as stack:
        run_round(stage.web, request, Load(WARM_UP_SECONDS), database)
        reading = (
            stack.enter_context(open_logs(stage.web.url, stage.cookie, scene.logs))
            if scene.logs
            else None
        )
        if scene.backlog:
            stack.enter_context(flow.server.worker())
            stage.backlog.wait_until_it_shrinks()
        synced = syncs() if syncs else 0
        began, before = time.monotonic(), stage.backlog.count()
        measured = run_round(stage.web, request, Load(seconds), database)
        took, after = time.monotonic() - began, stage.backlog.count()
        if syncs:
            measured["syncs"] = (syncs() - synced) / max(measured["requests"], 1)
        measured["web_mb"] = stage.web.web_mb()
        if scene.backlog:
            measured["drained"] = (before + measured["requests"] - after) / took
    if reading:
        counts = reading.counts
        measured |= {
            "rows": counts.rows / took,
            "reconnects": counts.reconnects,
            "refusals": counts.refusals,
            "readers_cpu": counts.cpu_seconds / took,
        }
    return measured


def wait_until_closed(web: Web) -> None:
    """Until the server has noticed that the last round's live logs have left it."""
    deadline = time.monotonic() + CLOSE_SECONDS
    while any(_left_behind(web)) and time.monotonic() < deadline:
        time.sleep(0.2)
    web.wait_until_idle()


def _left_behind(web: Web) -> Iterator[bool]:
    for process in web.master.children():
        for connection in process.net_connections("tcp"):
            yield connection.status == psutil.CONN_CLOSE_WAIT
