"""What a statement does to find its rows: asked of the database, of each statement that was run."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine, event

from app.extensions import db, is_sqlite

GROWING = frozenset(
    {
        "alert_messages",
        "alerts",
        "audit_entries",
        "deliveries",
        "delivery_attempts",
        "downtimes",
        "events",
        "idempotency_keys",
        "key_usage",
        "messages",
        "rollups",
        "runs",
        "silences",
        "unstored_counts",
        "workspace_rollups",
    }
)
"""Tables that have more rows each day."""
STAYING = frozenset(
    {
        "alembic_version",
        "alert_rule_channels",
        "alert_rules",
        "api_keys",
        "backup_turns",
        "channels",
        "former_slugs",
        "identities",
        "ignored_problems",
        "instance",
        "invitations",
        "maintenance_windows",
        "memberships",
        "purges",
        "rate_buckets",
        "recovery_codes",
        "schedules",
        "tallies",
        "tally_marks",
        "user_sessions",
        "users",
        "weekly_digests",
        "worker_heartbeats",
        "workflow_labels",
        "workflows",
        "workspaces",
    }
)
"""Those that have as many as there are people, workflows and senders."""
SMALL_INDEXES = (
    "ix_alerts_due_at",
    "ix_alerts_open",
    "ix_deliveries_leased",
    "ix_deliveries_waiting",
    "ix_events_accepted",
    "ix_runs_running",
    "uq_alerts_open",
    "uq_alerts_open_workspace",
    "uq_silences_open",
)
"""Partial indexes over what is open or waits, which may be read from end to end."""
PARTITION = re.compile(r"events_(other|(until_)?\d{4}_\d\d)")
"""What the events may be kept in on PostgreSQL."""
MOST_BEHIND_A_LIMIT = 1_500
"""Rows that a walk along a whole table may look at before it has what its LIMIT asks for."""
MOST_IN_A_WINDOW = 15_000
"""By SQLite's steps, of a window of 1,000 ids in which eight columns of each are searched for a
text: less than half of the shortest log that this is asked of."""
IDS = ("id", "rowid")
"""Columns that a window lies on whose size is known whatever the rows hold; of time it is not."""
VALUES_KEPT = 4
"""So many runs of a statement are looked at, with other values each."""
STEPS_A_ROW = 5
"""SQLite's machine takes at least so many steps for each row that it looks at."""
STEPS_AT_ONCE = 100


class Asked(NamedTuple):
    """A statement as the driver got it, and where it was run."""

    statement: str
    values: Any
    place: str


class Access(NamedTuple):
    """How a statement gets at the rows of a table."""

    table: str
    is_scan: bool
    is_window: bool
    how: str


class Plan(NamedTuple):
    """How a statement gets at its rows, and about how many it looks at in all."""

    accesses: list[Access]
    rows: int


class Listener:
    """Keeps the statements of all that is done meanwhile, by what they say."""

    def __init__(self) -> None:
        self.place = ""
        self._asked: dict[str, list[Asked]] = {}

    def __iter__(self) -> Iterator[Asked]:
        for each in self._asked.values():
            yield from each

    @contextmanager
    def on(self, engine: Engine) -> Iterator["Listener"]:
        event.listen(engine, "before_cursor_execute", self._note)
        yield self
        event.remove(engine, "before_cursor_execute", self._note)

    def add(self, statement: str, values: Any) -> None:
        if re.match(r"\s*(SELECT|UPDATE|DELETE|WITH)\b", statement):
            lists = re.sub(r"\((?:(?:\?|%\(\w+\)s(?:::\w+)?|\d+)(?:, )?)+\)", "(…)", statement)
            known = self._asked.setdefault(re.sub(r"%\(\w+\)s", "…", lists), [])
            if len(known) < VALUES_KEPT:
                known.append(Asked(statement, values, self.place))

    def _note(self, _: Any, __: Any, statement: str, values: Any, ___: Any, many: bool) -> None:
        self.add(statement, values[0] if many else values)


def examine(asked: Asked) -> Plan:
    """Run the statement once more, in a transaction that is rolled back, and see how it goes."""
    connection = db.engine.raw_connection()
    try:
        driver: Any = connection.driver_connection
        return (_examine_sqlite if is_sqlite() else _examine_postgresql)(driver, asked)
    finally:
        connection.close()


def find_faults(asked: Asked, most: int, *, is_walk: bool = False) -> list[str]:
    """What is wrong with how the statement finds its rows.

    A table that grows is never walked along from end to end, unless a LIMIT ends that within some
    rows; and no more than `most` rows are looked at, or MOST_IN_A_WINDOW where all that grows is
    read between two ids, which whoever asks keeps near each other. `is_walk`: a LIMIT may come as
    late as `most` rows.
    """
    plan = examine(asked)
    grown = [each for each in plan.accesses if each.table in GROWING]
    soon = most if is_walk else MOST_BEHIND_A_LIMIT
    has_limit = re.search(r"\bLIMIT\b", asked.statement) and plan.rows <= soon
    faults = [
        f"reads all of {each.table}, {plan.rows} rows: {each.how}"
        for each in grown
        if each.is_scan and not has_limit
    ]
    if all(each.is_window for each in grown):
        most = max(most, MOST_IN_A_WINDOW)
    if grown and plan.rows > most:
        faults.append(f"looks at {plan.rows} rows: {'; '.join(each.how for each in plan.accesses)}")
    return faults


# --- SQLite -------------------------------------------------------------------------------------


def _examine_sqlite(connection: sqlite3.Connection, asked: Asked) -> Plan:
    connection.execute("PRAGMA query_only = 0")
    connection.execute("BEGIN")
    try:
        details = connection.execute(f"EXPLAIN QUERY PLAN {asked.statement}", asked.values)
        accesses = [_read_sqlite(row[3], asked.statement) for row in details]
        rows = _count_steps(connection, asked) // STEPS_A_ROW
    finally:
        connection.execute("ROLLBACK")
    return Plan([each for each in accesses if each is not None], rows)


def _read_sqlite(detail: str, statement: str) -> Access | None:
    found = re.match(r"(SCAN|SEARCH) (\w+)(.*)", detail)
    if found is None:
        return None
    verb, alias, how = found.groups()
    named = re.search(rf"\b(\w+) AS {alias}\b", statement)
    is_small = re.search(rf"INDEX ({'|'.join(SMALL_INDEXES)})\b", how) is not None
    both_ends = re.search(rf"\b({'|'.join(IDS)})>\? AND \1<\?", how) is not None
    return Access(named[1] if named else alias, verb == "SCAN" and not is_small, both_ends, detail)


def _count_steps(connection: sqlite3.Connection, asked: Asked) -> int:
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += STEPS_AT_ONCE
        return 0

    connection.set_progress_handler(count, STEPS_AT_ONCE)
    try:
        connection.execute(asked.statement, asked.values).fetchall()
    finally:
        connection.set_progress_handler(None, 0)
    return counted


# --- PostgreSQL ---------------------------------------------------------------------------------


def _examine_postgresql(connection: Any, asked: Asked) -> Plan:
    """As the planner goes about it, by what ANALYZE has told it. Where it reads a table that grows
    from end to end, as it does with a short one, the plan is the one that it has without that, with
    the rows that it looks at by its own."""
    chosen = _explain(connection, asked)
    if not any(each.is_scan and each.table in GROWING for each in chosen.accesses):
        return chosen
    return Plan(_explain(connection, asked, "SET LOCAL enable_seqscan = off").accesses, chosen.rows)


def _explain(connection: Any, asked: Asked, setting: str = "") -> Plan:
    with connection.cursor() as cursor:
        if setting:
            cursor.execute(setting)
        cursor.execute(
            f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {asked.statement}", asked.values
        )
        found = cursor.fetchone()[0]
    connection.rollback()
    tree = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    nodes = list(_walk(tree))
    accesses = [_read_postgresql(node) for node in nodes if "Relation Name" in node]
    return Plan(accesses, sum(map(_count_rows, nodes)))


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _walk(child)


def _read_postgresql(node: dict[str, Any]) -> Access:
    condition = str(node.get("Index Cond", ""))
    both_ends = re.search(r"\bid >=? .*\bid <=? ", condition) is not None
    is_scan = node["Node Type"] == "Seq Scan" and node["Actual Loops"] > 0
    how = f"{node['Node Type']} {node.get('Index Name', '')} {condition} {node.get('Filter', '')}"
    table = "events" if PARTITION.fullmatch(node["Relation Name"]) else node["Relation Name"]
    return Access(table, is_scan, both_ends, how)


def _count_rows(node: dict[str, Any]) -> int:
    """Rows that a scan has looked at, those that it dropped among them."""
    if not node["Node Type"].endswith("Scan"):
        return 0
    dropped = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    once = node["Actual Rows"] + sum(node.get(name, 0) for name in dropped)
    return int(once * node["Actual Loops"])
