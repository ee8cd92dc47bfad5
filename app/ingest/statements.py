"""The statements of the lean road, one text for both databases; `?` stands for a value."""

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import chain, compress
from typing import Any

from sqlalchemy.dialects import postgresql

from app.ingest.records import KnownKey, KnownWorkflow, NewEvent
from app.models import Event

ROWS_AT_ONCE = 32
"""Events in one statement. The driver lets go of the interpreter around each statement and has to
win it back from the requests that are served meanwhile: one statement for many rows waits once."""


def insert_events(events: Sequence[NewEvent]) -> tuple[str, tuple[Any, ...]]:
    """The statement that inserts the events, and its values.

    What none of them has is left out: SQLite's driver takes ten times as long over None as over a
    number, and an accepted event leaves half of its columns empty.
    """
    filled, values = _leave_out_empty(events)
    return _insert_events_sql(len(events), filled), values


def append_events(events: Sequence[NewEvent]) -> tuple[str, tuple[Any, ...]]:
    """The same for PostgreSQL, as a transaction of one statement that takes its turn first.

    The first of the statement's values is the turn's lock, which the caller adds.
    """
    filled, values = _leave_out_empty(events)
    return _append_events_sql(len(events), filled), values


def _leave_out_empty(events: Sequence[NewEvent]) -> tuple[tuple[bool, ...], tuple[Any, ...]]:
    count = len(events)
    filled = tuple(column.count(None) < count for column in zip(*events, strict=True))
    values = chain.from_iterable(compress(event, filled) for event in events)
    return filled, tuple(values)


@lru_cache(maxsize=128)
def _insert_events_sql(count: int, filled: tuple[bool, ...]) -> str:
    columns = list(compress(NewEvent._fields, filled))
    row = f"({', '.join('?' * len(columns))})"
    rows = ", ".join([row] * count)
    return f"INSERT INTO events ({', '.join(columns)}) VALUES {rows}"  # noqa: S608


@lru_cache(maxsize=128)
def _append_events_sql(count: int, filled: tuple[bool, ...]) -> str:
    """A row has to be joined with the turn before its id is made, so that ids follow the commits.
    In a join values don't take the columns' types by themselves; those of the first row do for all.
    """
    names = list(compress(NewEvent._fields, filled))
    first = ", ".join(f"?::{_type_of(name)}" for name in names)
    rest = f"({', '.join('?' * len(names))})"
    columns = ", ".join(names)
    rows = ", ".join([f"({first})", *[rest] * (count - 1)])
    turn = "WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(?))"
    target, source = f"INSERT INTO events ({columns})", f"(VALUES {rows}) AS event ({columns})"
    return f"{turn} {target} SELECT {columns} FROM turn CROSS JOIN {source}"  # noqa: S608


@cache
def _type_of(column: str) -> str:
    return str(Event.__table__.c[column].type.compile(postgresql.dialect()))  # type: ignore[no-untyped-call]


FIND_EVENT = "SELECT 1 FROM events WHERE public_id = ?"
FIND_KEY = f"SELECT {', '.join(KnownKey._fields)} FROM api_keys WHERE key_hash = ?"  # noqa: S608
FIND_WORKFLOW = {
    column: f"SELECT {', '.join(KnownWorkflow._fields)} FROM workflows "  # noqa: S608
    f"WHERE workspace_id = ? AND {column} = ?"
    for column in ("public_id", "slug", "name")
}
FIND_WORKFLOW_BY_ID = (
    f"SELECT {', '.join(KnownWorkflow._fields)} FROM workflows WHERE workspace_id = ? AND id = ?"  # noqa: S608
)
FIND_KEYS = f"SELECT key_hash, {', '.join(KnownKey._fields)} FROM api_keys WHERE key_hash = ANY(?)"  # noqa: S608
FIND_WORKFLOWS = {
    column: f"SELECT workspace_id, asked.value, {', '.join(KnownWorkflow._fields)} "  # noqa: S608
    "FROM workflows JOIN unnest(?::bigint[], ?::text[]) AS asked (workspace, value) "
    f"ON workflows.workspace_id = asked.workspace AND workflows.{column} = asked.value"
    for column in FIND_WORKFLOW
}
"""The same for several at once, on PostgreSQL."""
FIND_FORMER_SLUG = (
    f"SELECT {', '.join(f'workflows.{name}' for name in KnownWorkflow._fields)}, "  # noqa: S608
    "former_slugs.expires_at FROM former_slugs "
    "JOIN workflows ON workflows.id = former_slugs.workflow_id "
    "WHERE former_slugs.workspace_id = ? AND former_slugs.slug = ? AND former_slugs.expires_at > ?"
)
FIND_LAST_EVENT = (
    "SELECT kind, payload FROM events WHERE workflow_id = ? AND state <> 'rejected' "
    "ORDER BY id DESC LIMIT 1"
)
LIST_REFERENCES = "SELECT slug, name FROM workflows WHERE workspace_id = ? ORDER BY id"
FIND_ANSWER = (
    "SELECT request_hash, answer FROM idempotency_keys "
    "WHERE workspace_id = ? AND key = ? AND created_at >= ?"
)
