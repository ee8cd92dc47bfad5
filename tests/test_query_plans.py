"""No page, list or round of the worker reads a growing table from end to end.

With 40,000 events and 20,000 of what else grows, each statement is run once more, and the rows that
it looks at are counted. On PostgreSQL that is the plan that its planner has chosen by what ANALYZE
told it; of a table that is too short for an index to pay, it is shown that an index could be used.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.datastructures import ImmutableMultiDict

from app import windows
from app.alerting import past_failures, past_runs
from app.alerting.kinds import KINDS
from app.alerting.ticking import tick
from app.channels import claims
from app.clock import now
from app.console import event_bounds, outliers
from app.console.event_filter import read_filter
from app.console.metric_families import FAMILIES
from app.console.news import News, fitting
from app.extensions import Model, db, is_sqlite, writing
from app.ingest import statements
from app.ingest.batch_lookups import find_first_answers
from app.ingest.stores import open_store
from app.models import Workflow
from app.processing import inbox
from app.processing.batch import process_batch
from app.processing.schedules import judge_schedules
from app.processing.stuck_runs import mark_stuck_runs
from app.processing.sweeping import prune
from app.processing.tallying import tally
from app.processing.weekly_digests import send_weekly_digests
from app.workspaces.badges import renew_badge
from bench import events, multiply
from bench.events import list_filters
from bench.multiply import fill_many
from bench.pages import find_ids
from tests.apps import close_app, make_app
from tests.channels.deliveries import store_channels
from tests.console.pages import open_page, sign_in
from tests.databases import Databases
from tests.factories import Team, make_alert, make_team, report
from tests.many_rows import fill_the_rest
from tests.pages_map import addresses
from tests.plan_addresses import LISTS, MORE_PAGES
from tests.query_plans import GROWING, STAYING, Asked, Listener, find_faults

EVENTS, STRETCH, OTHERS, SHARE = 40_000, 1_000, 20_000, 0.2
MOST_ROWS = 2_500
"""Less than half of the failures or of the refused requests, and a sixteenth of the log."""


class Exceptional(NamedTuple):
    """So many rows a statement may look at, and why."""

    most: int
    why: str
    also: str = ""
    """Another part of the statement."""
    is_walk: bool = False
    """Whether it may walk along a table until its LIMIT has what it asks for."""

    def names(self, part: str, words: str) -> bool:
        return part in words and self.also in words


BOUNDED = "retention keeps 50,000 refused requests of a workspace at most."
EXCEPTIONS = {
    "count(DISTINCT runs.workflow_id)": Exceptional(
        25_000, "Failures by error: those of the chosen time are counted, from an index alone."
    ),
    "SELECT events.fingerprint, count(*)": Exceptional(
        35_000, f"Problems: all that are open are counted, from an index alone; {BOUNDED}"
    ),
    "SELECT anon_1.fingerprint, anon_1.step, count(*)": Exceptional(
        12_000, f"The bars of problems: those of a page's time, from an index alone; {BOUNDED}"
    ),
    "events.state = 'rejected' ORDER BY events.received_at": Exceptional(
        25_000,
        f"The newest refused requests of all, or the oldest of no workspace; {BOUNDED}",
        is_walk=True,
    ),
    "WHERE events.state = 'rejected' LIMIT": Exceptional(
        16_000,
        "A search asks once whether few were refused at all, and takes these if they are.",
        is_walk=True,
    ),
    "SELECT (events.state ||": Exceptional(
        21_000, "The worker's tally: 5,000 ids at once, each of them once and for all."
    ),
    "WHERE events.id IN (": Exceptional(
        8_000, "A search among the few that were refused: by their ids, 1,000 at once."
    ),
    "sum(rollups.success_count)": Exceptional(
        6_000, "Sums of each workflow: as many as hours in the time that is shown."
    ),
    "AS is_ahead FROM runs": Exceptional(
        5_000, "The last 60 runs of each of the workflows of a page, which are 25 at most."
    ),
    "FROM alerts": Exceptional(
        12_000,
        "Open alerts of a kind or a workflow: a walk by id, where half are over here.",
        also="alerts.ended_at IS NULL",
    ),
    "SELECT anon_1.at, anon_1.id FROM (SELECT audit_entries.at": Exceptional(
        4_000, "An export of the audit log: 500 entries at once of each branch."
    ),
    "runs.ended_at IS NOT NULL AND runs.workspace_id": Exceptional(
        8_000, "A search among runs: a window of time, whose ends are 1,000 runs apart."
    ),
    "AS gap": Exceptional(
        8_000, "The preview of a rule: the successes in as many gaps as failures are looked at."
    ),
}
"""By a part of the statement: those that may look at more rows."""
BOUNDS = (
    (windows, "LARGEST_WINDOW", 1_000),
    (event_bounds, "OUT_OF_ORDER", 500),
    (outliers, "MOST_SEEN", 500),
    (past_runs, "MOST", 500),
    (past_failures, "MOST", 500),
)
"""How far a statement may go by the code's own rule: less here, where all there is is little."""


@pytest.fixture(scope="module")
def grown(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Flask, Team]]:
    """An app on a log that is long enough to tell a walk through it from a look at some rows."""
    url = databases.create()
    app = make_app(url, tmp_path_factory.mktemp("grown"))
    with app.app_context():
        team = make_team()
        fill_with_failures(team)
        store_channels(team.workspace_id, ["On call"])
        make_alert(team.workspace_id, team.workflow_id)
        fill_the_rest(team, OTHERS)
        with db.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("ANALYZE"))
                connection.commit()
        yield app, team
        db.session.remove()
    close_app(app)
    databases.drop(url)


def fill_with_failures(team: Team) -> None:
    """A fifth of the events refused, and a fifth of the others failures: thousands of each, so that
    a walk through all of either is told from a look at some, too."""
    with (
        patch.multiple(events, REJECTED_SHARE=SHARE, FAILURE_SHARE=SHARE),
        patch.object(multiply, "REJECTED_KEPT", timedelta(days=events.DAYS)),
    ):
        fill_many(team, EVENTS, now(), STRETCH)


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a quick machine a search's windows grow until one holds all that is here."""
    for module, name, most in BOUNDS:
        monkeypatch.setattr(module, name, most)


def check(listener: Listener) -> None:
    faults = {}
    for asked in listener:
        words = " ".join(asked.statement.split())
        named = [each for part, each in EXCEPTIONS.items() if each.names(part, words)]
        most = max((each.most for each in named), default=MOST_ROWS)
        if found := find_faults(asked, most, is_walk=any(each.is_walk for each in named)):
            faults[asked.statement] = f"{asked.place}: {'; '.join(found)}\n    {asked.statement}"
    assert not faults, "\n".join(["", *faults.values()])


def test_each_table_either_grows_or_stays_small(app: Flask) -> None:
    assert Model.metadata.tables.keys() <= GROWING | STAYING
    assert not GROWING & STAYING


@pytest.mark.timeout(300)  # Some 130 pages, on a busy machine.
def test_no_page_of_the_console_walks_through_a_table(grown: tuple[Flask, Team]) -> None:
    app, team = grown
    client, ids, listener = app.test_client(), find_ids(), Listener()
    sign_in(client, team.email)
    badge = show_badge(app, team)
    own = [
        each.format(**{name: each[0] for name, each in ids.items()}, badge=badge, me=team.email)
        for each in MORE_PAGES
    ]
    filters = [f"/events?{query}" for query in list_filters(team).values()]
    with listener.on(db.engine):
        for path in dict.fromkeys([*addresses(ids), *own, *filters]):
            listener.place = path
            answer = client.get(path, follow_redirects=True, buffered=True)
            assert answer.status_code == 200, path
    check(listener)


def show_badge(app: Flask, team: Team) -> str:
    with app.app_context():
        workflow = db.session.get_one(Workflow, team.workflow_id)
        renew_badge(workflow)
        return str(workflow.badge_token)


def test_no_look_of_the_live_log_walks_through_a_table(grown: tuple[Flask, Team]) -> None:
    """What is new, what fits the filters of the open pages, and what the worker has seen to."""
    (app, team), listener = grown, Listener()
    with app.app_context(), listener.on(db.engine):
        for position in (0, EVENTS // 2, EVENTS - 200):
            listener.place = f"a look from {position} on"
            news = News(position, range(position + 1, position + 200))
            for seen in (
                None,
                frozenset({team.workspace_id}),
                frozenset({team.workspace_id, None}),
            ):
                assert news.ids(seen)
            news.accepted()
            for query in list_filters(team).values():
                wanted = read_filter(ImmutableMultiDict(parse_qsl(query)), team.workspace_id)
                fitting(wanted, news.ids(None)[:200])
            assert news.notices(news.ids(None)[:50])
    check(listener)


def test_no_preview_of_a_rule_walks_through_a_table(grown: tuple[Flask, Team]) -> None:
    app, team = grown
    client, listener = app.test_client(), Listener()
    sign_in(client, team.email)
    for kind in KINDS:
        new = f"/alerts/rules/new?kind={kind}"
        fields = {"scope": "all", **open_page(client, new).form("/alerts/rules/new").fields}
        listener.place = f"the preview of {kind}"
        with listener.on(db.engine):
            assert client.post("/alerts/rules/preview", data=fields).status_code == 200
    check(listener)


def test_no_metric_walks_through_a_table(grown: tuple[Flask, Team]) -> None:
    app, _ = grown
    listener = Listener()
    with app.app_context(), listener.on(db.engine):
        for read in FAMILIES:
            listener.place = read.__name__
            list(read())
    check(listener)


def test_no_list_of_the_api_walks_through_a_table(grown: tuple[Flask, Team]) -> None:
    app, team = grown
    client, ids, listener = app.test_client(), find_ids(), Listener()
    with listener.on(db.engine):
        for template in LISTS:
            listener.place = template.format(**{name: each[0] for name, each in ids.items()})
            answer = client.get(listener.place, headers=team.headers)
            assert answer.status_code == 200, answer.text
    check(listener)


def test_the_workers_rounds_walk_through_no_table(grown: tuple[Flask, Team]) -> None:
    (app, team), listener, moment = grown, Listener(), now()
    with app.app_context(), listener.on(db.engine):
        for number in range(3):
            assert report(app.test_client(), team, "failure", external_execution_id=f"{number}")
        for listener.place, look in {
            "has_due": lambda: inbox.has_due(db.session(), moment),
            "oldest_accepted": lambda: inbox.oldest_accepted(db.session()),
            "waiting_since": lambda: inbox.waiting_since(db.session()),
            "process_batch": lambda: process_batch(200),
            "judge_schedules": judge_schedules,
            "mark_stuck_runs": mark_stuck_runs,
            "tick": lambda: tick(moment),
            "courier": claim_deliveries,
            "digests": send_weekly_digests,
            "prune": prune,
            "tally": tally,
        }.items():
            look()
            db.session.rollback()
    check(listener)


def claim_deliveries() -> None:
    with writing() as session:
        claims.claim(session, now(), 8, 2)


FOUND_TOGETHER = {
    statements.FIND_KEYS: (["nobody"],),
    **dict.fromkeys(statements.FIND_WORKFLOWS.values(), ([1], ["nobody"])),
}
"""What PostgreSQL is asked in place of one statement for each request."""


def test_the_ingest_service_walks_through_no_table(grown: tuple[Flask, Team]) -> None:
    app, team = grown
    listener, mine = Listener(), team.workspace_id
    values = {
        statements.FIND_EVENT: ("nobody",),
        statements.FIND_KEY: ("nobody",),
        statements.FIND_FORMER_SLUG: (mine, "nobody", now()),
        statements.FIND_LAST_EVENT: (team.workflow_id,),
        statements.FIND_ANSWER: (mine, "nobody", now()),
        statements.LIST_REFERENCES: (mine,),
        **dict.fromkeys(statements.FIND_WORKFLOW.values(), (mine, "nobody")),
        **({} if is_sqlite() else FOUND_TOGETHER),
    }
    with app.app_context():
        with closing(open_store(db.engine.url)) as store:
            for listener.place, given in values.items():
                listener.add(store.sql(listener.place), given)

            def note(statement: str, *given: Any) -> list[Any]:
                listener.add(store.sql(statement), given)
                return []

            listener.place = "the keys of a batch"
            with patch.object(type(store), "fetch_all", side_effect=note):
                find_first_answers(store, mine, [f"key-{each}" for each in range(500)], now())
        check(listener)


def test_the_checker_sees_a_bad_query(grown: tuple[Flask, Team]) -> None:
    mine, (old, late) = grown[1].workspace_id, ("'2000-01-01'", "'2100-01-01'")
    for statement, is_bad in {
        "SELECT id FROM events WHERE platform = 'nobody'": True,
        "SELECT id FROM events WHERE platform = 'nobody' ORDER BY id LIMIT 1": True,
        "SELECT count(*) FROM runs": True,
        "SELECT count(*) FROM events WHERE workspace_id = 1": True,
        "SELECT max(duration_ms) FROM runs WHERE workspace_id = 1": True,
        "SELECT count(error_message) FROM runs WHERE outcome = 'failure'": True,
        f"SELECT max(duration_ms) FROM runs WHERE workspace_id = {mine} AND ended_at > {old} "
        f"AND ended_at < {late}": True,
        f"SELECT max(took_ms) FROM events WHERE id > 0 AND id < {EVENTS}": True,
        "SELECT (SELECT max(took_ms) FROM events WHERE id > 5 AND id < 9) + "
        f"(SELECT max(duration_ms) FROM runs WHERE workspace_id = {mine})": True,
        "SELECT max(took_ms) FROM events WHERE id > 5000 AND id < 5900": False,
        "SELECT id FROM deliveries WHERE attempts = 7": True,
        "UPDATE runs SET is_test = is_test WHERE source_platform = 'nobody'": True,
        "SELECT id FROM events ORDER BY id DESC LIMIT 50": False,
        "SELECT max(id) FROM events": False,
        "SELECT id FROM events WHERE public_id = 'nobody'": False,
        "SELECT name FROM workflows": False,
    }.items():
        assert bool(find_faults(Asked(statement, (), ""), MOST_ROWS)) == is_bad, statement


def test_a_limit_excuses_no_walk_through_thousands_of_rows(grown: tuple[Flask, Team]) -> None:
    late = Asked("SELECT id FROM events WHERE id - id / 1900 * 1900 = 0 LIMIT 1", (), "")
    if is_sqlite():  # On PostgreSQL a walk along an index is judged by its rows alone.
        assert find_faults(late, EVENTS)
    assert not find_faults(late, EVENTS, is_walk=True)
    assert not find_faults(Asked("SELECT id FROM events ORDER BY id DESC LIMIT 50", (), ""), 500)
