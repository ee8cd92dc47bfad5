"""What a request costs: rounds in turn over all subjects, then a close look at each alone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from sqlalchemy import create_engine, text

from app.keys import make_key
from bench.load import Load, run_round
from bench.measured import Measured, Progress, Round
from bench.servers import Database, can_trace, count_syncs
from bench.subjects import (
    POSTGRESQL,
    SQLITE,
    FlowPulse,
    Subject,
    bare_view,
    databases,
    flowpulse,
)

SUCCESS = {SQLITE: "run-success, SQLite", POSTGRESQL: "run-success, PostgreSQL"}
WITH_KEY = {kind: f"with Idempotency-Key, {kind}" for kind in SUCCESS}
WITH_WARNING = {kind: f"with a warning, {kind}" for kind in SUCCESS}
STATUSES = (401, 400)
REJECTED = {
    (kind, status): f"rejected with {status}, {kind}" for status in STATUSES for kind in SUCCESS
}
SLIP = {"duration_ms": "60000"}
"""A number as text: accepted, with a warning."""
MISTAKE = {"ended_at": "yesterday at noon"}
"""Refused, for this field alone."""
WARM_UP_SECONDS = 1
LOOK_SECONDS = 3
_SYNCS = {
    False: "SELECT wal_sync FROM pg_stat_wal",
    True: "SELECT coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io WHERE object = 'wal'",
}
"""By whether the server is PostgreSQL 18 or newer."""


def measure(
    folder: Path, rounds: int, seconds: int, with_postgresql: bool, say: Progress
) -> Measured:
    with ExitStack() as stack:
        subjects = list(make_subjects(folder, stack, with_postgresql))
        results = take_turns(subjects, rounds, seconds, say)
        for subject in subjects:
            results[subject.name].append(look_closely(subject, folder))
            say(f"{subject.name}: memory and fsyncs")
    return Measured(rounds, seconds, results)


def make_subjects(folder: Path, stack: ExitStack, with_postgresql: bool) -> Iterator[Subject]:
    yield bare_view(folder)
    found = [flowpulse(each) for each in databases(folder, stack, with_postgresql)]
    yield from (run_success(each) for each in found)
    makers: list[Callable[[FlowPulse], Subject]] = [with_key, with_warning]
    makers += [partial(rejected, status=status) for status in STATUSES]
    for make in makers:
        yield from (make(each) for each in found)


def run_success(flow: FlowPulse) -> Subject:
    return Subject(SUCCESS[flow.database.kind], flow.server, flow.success(), flow.database)


def with_key(flow: FlowPulse) -> Subject:
    """Each request with an Idempotency-Key of its own."""
    subject = run_success(flow)
    request = replace(subject.request, with_idempotency_key=True)
    return subject._replace(name=WITH_KEY[flow.database.kind], request=request)


def with_warning(flow: FlowPulse) -> Subject:
    """Each request with a slip that is tolerated, of which the answer and the log tell."""
    request = flow.report(**SLIP)
    return run_success(flow)._replace(name=WITH_WARNING[flow.database.kind], request=request)


def rejected(flow: FlowPulse, status: int) -> Subject:
    """With 401 for a key that is as it should be and that nobody has, so that it is looked up; with
    400 for one field of an event that is good otherwise."""
    requests = {
        401: replace(flow.success(), headers={"X-API-Key": make_key()}),
        400: flow.report(**MISTAKE),
    }
    request = replace(requests[status], expected=status)
    return run_success(flow)._replace(name=REJECTED[flow.database.kind, status], request=request)


def take_turns(
    subjects: list[Subject], rounds: int, seconds: int, say: Progress
) -> dict[str, list[Round]]:
    """A B C A B C …: the servers stay up, and one at a time is asked."""
    results: dict[str, list[Round]] = {subject.name: [] for subject in subjects}
    with ExitStack() as stack:
        webs = {
            subject.server.url: stack.enter_context(subject.server.running())
            for subject in {each.server.url: each for each in subjects}.values()
        }
        for number in range(rounds + 1):
            for name, server, request, database in subjects:
                # The first round only warms up.
                load = Load(seconds if number else WARM_UP_SECONDS)
                measured = run_round(webs[server.url], request, load, database)
                webs[server.url].wait_until_idle()
                if number:
                    results[name].append(measured)
                    say(f"{number} {name}: {measured['rate']:.0f}/s")
    return results


def look_closely(subject: Subject, folder: Path, seconds: int = LOOK_SECONDS) -> Round:
    """The memory of a server that runs alone, and how often a request waits for the disk.

    Its calls are watched by strace, those of PostgreSQL are told by its own statistics; they are
    complete once all connections are closed. Watching costs time, so no time is taken here.
    """
    is_watched = subject.database.cluster is None and can_trace()
    trace = folder / "syncs" if is_watched else None
    syncs = count_database_syncs(subject.database)
    with subject.server.running(trace) as web:
        start_mb = web.web_mb()
        before = count_syncs(trace) if trace else 0
        measured = run_round(web, subject.request, Load(seconds), subject.database)
        web.wait_until_idle()
        after = count_syncs(trace) if trace else 0
        database_mb = subject.database.mb()
        found = {"start_mb": start_mb, "web_mb": web.web_mb(), "master_mb": web.master_mb()}
    if subject.database.cluster:
        found["database_mb"] = database_mb
        before, after = syncs, count_database_syncs(subject.database)
    if trace or subject.database.cluster:
        found["syncs"] = (after - before) / max(measured["requests"], 1)
    return found | {"errors": measured["errors"]}


def count_database_syncs(database: Database) -> int:
    """How often PostgreSQL has written its log to the disk so far."""
    if database.cluster is None:
        return 0
    engine = create_engine(database.url)
    with engine.connect() as connection:
        version = connection.connection.driver_connection.info.server_version  # type: ignore[union-attr]
        count = connection.scalar(text(_SYNCS[version >= 180_000]))
    engine.dispose()
    return int(count)
