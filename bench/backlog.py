"""Events that wait for the worker, and how many still do."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, text

from app.workspaces.workflows import create_workflow
from bench.rules import RULES, WORKFLOWS, set_rules, store_events
from bench.servers import NotReady
from bench.subjects import FlowPulse

CHUNK = 10_000
FAILING = 0.05
POLL_SECONDS = 0.05
_WAITING = "FROM events WHERE state = 'accepted'"


class Backlog:
    """What waits in one FlowPulse's database, looked at beside the server."""

    def __init__(self, flow: FlowPulse, engine: Engine) -> None:
        self.flow = flow
        self._engine = engine

    def fill_up(self, least: int) -> None:
        """Store events, a twentieth of them failures, until so many wait."""
        missing = least - self.count()
        with self.flow.app():
            while missing > 0:
                store_events(self.flow.team, min(CHUNK, missing), FAILING, missing)
                missing -= CHUNK

    def count(self) -> int:
        return int(self._ask(f"SELECT count(*) {_WAITING}"))

    def is_empty(self) -> bool:
        return not self._ask(f"SELECT EXISTS (SELECT 1 {_WAITING})")

    def wait_until_it_shrinks(self, seconds: float = 30) -> None:
        """Until the worker has finished its first batch."""
        before = self.count()
        self._wait(lambda: self.count() < before, seconds)

    def wait_until_empty(self, seconds: float) -> None:
        self._wait(self.is_empty, seconds)

    def _wait(self, is_done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            if time.monotonic() > deadline:
                raise NotReady(f"{self.count()} events still wait after {seconds:.0f} s")
            time.sleep(POLL_SECONDS)

    def _ask(self, statement: str) -> int:
        with self._engine.connect() as connection:
            return int(connection.scalar(text(statement)) or 0)


@contextmanager
def backlog_of(flow: FlowPulse) -> Iterator[Backlog]:
    """With workflows to report on, and all alert rules that bench.rules knows."""
    with flow.app():
        for number in range(WORKFLOWS):
            create_workflow(flow.team.workspace_id, f"Flow {number}")
        set_rules(flow.team, len(RULES))
    engine = create_engine(flow.database.url)
    yield Backlog(flow, engine)
    engine.dispose()
