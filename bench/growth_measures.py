"""What `python -m bench.growth` measures in a filled database: figures by name."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

from flask import Flask
from sqlalchemy import func, select

from app.clock import now
from app.console.event_filter import read_filter
from app.console.event_pages import Place, find_page
from app.console.places import Place as RunPlace
from app.console.run_filter import RunFilter
from app.console.run_search import find_page as find_run_page
from app.console.tail import Tail
from app.extensions import db
from app.ingest.stores import open_store
from app.models import Event, Run
from app.processing.batch import process_batch
from app.processing.inbox import has_due
from app.processing.pace import ALONE
from bench.events import list_filters
from bench.growth_report import HIGH, LONGEST, search_page
from bench.new_events import Batch, make_event
from bench.pages import find_ids
from bench.senders import percentile
from tests.console.pages import sign_in
from tests.factories import Team
from tests.pages_map import addresses

COMMITS, EVENTS_A_COMMIT = 320, 16
ROUNDS = 15
LOOKS = 200
SEARCHED_SECONDS = 30.0
PAGES = (
    "/",
    "/events",
    "/events?state=rejected",
    "/events/{event}",
    "/workflows",
    "/workflows/{workflow}",
    "/runs",
    "/runs?outcome=failure",
    "/runs/errors",
    "/runs/{run}",
    "/problems",
    "/problems/{problem}",
    "/insights",
    "/insights?range=90d",
    "/keys",
    "/keys/{key}",
    "/alerts",
    "/alerts?view=all",
    "/alerts/mails",
    "/connect",
    "/settings",
    "/settings/audit",
    "/settings/doctor",
    "/troubleshooting",
)
API = (
    "/api/v1/events",
    "/api/v1/events?status=failed",
    "/api/v1/events?status=rejected",
    "/api/v1/events?workflow={workflow}&since=2026-01-01T00:00:00Z",
    "/api/v1/runs",
    "/api/v1/runs?outcome=failure",
    "/api/v1/runs?platform=nobody",
    "/api/v1/runs?external_execution_id=nobody",
)


class Clock:
    """What times are taken by: seconds that pass or, on a busy machine, those that this process and
    the kernel work for it, which tells all of SQLite and nothing of PostgreSQL's server."""

    now = staticmethod(time.perf_counter)


clock = Clock()


class Subject(NamedTuple):
    """What is measured: an app on a filled database, and whose events they are."""

    app: Flask
    team: Team


Figures = Iterator[tuple[str, float]]


def backlog(subject: Subject) -> Figures:
    """Events on the ingest service's own road, for the looks and the worker that follow."""
    with closing(open_store(db.engine.url)) as store:
        for _ in range(COMMITS):
            store.append_events(Batch([make_event(subject.team) for _ in range(EVENTS_A_COMMIT)]))
    looks = [_time(lambda: has_due(db.session(), now())) for _ in range(LOOKS)]
    yield "has_due", statistics.median(looks)


def worker(subject: Subject) -> Figures:
    """The backlog is worked through, so that the pages that follow have none."""
    process_batch(ALONE[db.engine.dialect.name])
    started, total = clock.now(), 0
    while done := process_batch(ALONE[db.engine.dialect.name]):
        total += done
    yield "worker, events/s", total / (clock.now() - started)


def tail(subject: Subject) -> Figures:
    """A look for news of the live logs of a process, when there is none."""
    follower = Tail(subject.app)
    follower._thread = threading.current_thread()  # It looks when it is told to.
    follower.subscribe(scope=[subject.team.workspace_id])
    yield "live log looks for news", statistics.median(_time(follower._look) for _ in range(LOOKS))
    db.session.remove()


def pages(subject: Subject) -> Figures:
    """Each page's address, round by round; then the log with each kind of filter, the slowest."""
    ids, client = find_ids(), subject.app.test_client()
    sign_in(client, subject.team.email)
    ids = {name: each[:1] for name, each in ids.items()}
    own = list(addresses(ids, {"": PAGES}))
    filters = {f"/events?{query}": name for name, query in list_filters(subject.team).items()}
    db.session.remove()
    times: dict[str, list[float]] = {path: [] for path in (*own, *filters)}
    for number in range(ROUNDS + 1):
        for path, found in times.items():
            started = clock.now()
            answer = client.get(path, follow_redirects=True)
            assert answer.status_code == 200, path
            if number:
                found.append((clock.now() - started) * 1_000)
    for path, template in zip(own, PAGES, strict=True):
        yield f"`{template}`", statistics.median(times[path])
        yield f"`{template}`{HIGH}", statistics.quantiles(times[path], n=20, method="inclusive")[-1]
    for path, name in filters.items():
        yield f"`/events`, {name}", statistics.median(times[path])


def api(subject: Subject) -> Figures:
    """The reading API's lists; what would take too long is opened once alone."""
    client, ids = subject.app.test_client(), find_ids()
    for template in API:
        path = template.format(workflow=ids["workflow"][0])
        times = []
        for _ in range(ROUNDS):
            started = clock.now()
            answer = client.get(path, headers=subject.team.headers)
            times.append((clock.now() - started) * 1_000)
            assert answer.status_code == 200, answer.text
            if times[-1] > 1_000:
                break
        yield f"`{template}`", statistics.median(times)


def searches(subject: Subject) -> Figures:
    """Searches for a text that is nowhere, page by page, of the events and of the runs."""
    workspace_id = subject.team.workspace_id
    wanted = read_filter({"q": "no-such-text"}, workspace_id)
    runs = RunFilter.read({"q": "no-such-text"}, workspace_id)
    scope = [workspace_id, None]

    def look_at_events(before: int | None) -> int | None:
        return find_page(scope, wanted, Place(before=before)).older

    def look_at_runs(before: RunPlace | None) -> RunPlace | None:
        return find_run_page(workspace_id, runs, before).older

    yield from _search("events", Event, look_at_events)
    yield from _search("runs", Run, look_at_runs)
    db.session.remove()


def _search(what: str, table: Any, look: Callable[[Any], Any]) -> Figures:
    """To the end, or for so long that the rest can be reckoned."""
    place, times = look(None), []
    while place is not None and sum(times) < SEARCHED_SECONDS:
        started = clock.now()
        place = look(place)
        times.append(clock.now() - started)
    count, rest = _count(table), _count(table, table.id < _id_of(place)) if place else 0
    rate = (count - rest) / sum(times) if times else 0.0
    if not times:
        return
    page = search_page(what)
    yield page, statistics.median(times) * 1_000
    yield f"{page}{HIGH}", percentile(times, 95) * 1_000
    yield f"{page}{LONGEST}", max(times) * 1_000
    yield f"search of {what}: {what} a second", rate
    yield f"search of {what}: {what} a page", rate * statistics.median(times)
    yield f"search of {what}: to the end, s", count / rate


def _id_of(place: int | RunPlace) -> int:
    return place.id if isinstance(place, RunPlace) else place


def _count(table: Any, *conditions: Any) -> int:
    return db.session.scalar(select(func.count(table.id)).where(*conditions)) or 0


MEASURES: tuple[Callable[[Subject], Figures], ...] = (
    backlog,
    worker,
    tail,
    pages,
    api,
    searches,
)


def _time(function: Callable[[], object]) -> float:
    started = clock.now()
    function()
    return (clock.now() - started) * 1_000
