"""Inserts and claims in turn over databases of several sizes, so that a slow minute of the machine
slows all of them down.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

from flask import Flask
from sqlalchemy import select, text

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.ingest.stores import open_store
from app.models import ApiKey, Workflow
from app.processing.batch import process_batch
from app.processing.inbox import claim
from app.processing.pace import ALONE
from bench.measured import Progress, Round
from bench.new_events import Batch, Sender, make_event

PART = "growth_inserts"
ROUNDS = 9
COMMITS = {1: 150, 16: 150}
"""How many commits of so many events a round has, of each database."""
CLAIMS = 20
CLAIM_OF_ONE, CLAIM_AN_EVENT = "look for and claim one", "a full claim, an event"
CLAIMED = (CLAIM_OF_ONE, CLAIM_AN_EVENT)


class Grown(NamedTuple):
    """A filled database, open in this process."""

    name: str
    app: Flask


def insert_of(size: int) -> str:
    return f"insert of {size}"


def measure(grown: Sequence[Grown], rounds: int, say: Progress) -> Iterator[dict[str, list[Round]]]:
    """What was measured so far, after each round: A B C D, A B C D …"""
    found: dict[str, list[Round]] = {each.name: [] for each in grown}
    senders = {each.name: _prepare(each) for each in grown}
    for number in range(rounds + 1):
        for each in grown:
            with each.app.app_context():
                figures = dict(_measure_once(senders[each.name]))
                db.session.remove()
            if number:  # The first round only warms up.
                found[each.name].append(figures)
                told = ", ".join(f"{name} {figure:.3f}" for name, figure in figures.items())
                say(f"{number} {each.name}: {told}")
        if number:
            yield found


def _prepare(grown: Grown) -> Sender:
    """Nothing waits any more, and nothing is left to be written by the database itself."""
    with grown.app.app_context():
        while process_batch(ALONE[db.engine.dialect.name]):
            pass
        db.session.rollback()
        statement = "PRAGMA wal_checkpoint(TRUNCATE)" if is_sqlite() else "CHECKPOINT"
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))
        workflow = db.session.execute(
            select(Workflow.workspace_id, Workflow.id).order_by(Workflow.id).limit(1)
        ).one()
        key_id = db.session.scalar(select(ApiKey.id).order_by(ApiKey.id).limit(1)) or 0
        db.session.remove()
    return Sender(*workflow, key_id)


def _measure_once(sender: Sender) -> Iterator[tuple[str, float]]:
    """Medians in ms; what is inserted waits, and is claimed, but never processed."""
    with closing(open_store(db.engine.url)) as store:
        for size, commits in COMMITS.items():
            batches = [Batch([make_event(sender) for _ in range(size)]) for _ in range(commits)]
            times = [_time(partial(store.append_events, each)) for each in batches]
            yield insert_of(size), statistics.median(times)
    size = ALONE[db.engine.dialect.name]
    for name, most in ((CLAIM_OF_ONE, 1), (CLAIM_AN_EVENT, size)):
        yield name, statistics.median(_claim(most) for _ in range(CLAIMS)) / most


def _claim(most: int) -> float:
    """In ms, without the commit; in a transaction of its own, as those that are locked already are
    found sooner."""
    with writing(sorts=False) as session:
        return _time(lambda: claim(session, now(), most))


def _time(task: Callable[[], object]) -> float:
    started = time.perf_counter()
    task()
    return (time.perf_counter() - started) * 1_000
