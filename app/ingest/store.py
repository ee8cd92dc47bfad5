"""The lean road into the database: plain statements on plain connections, no ORM.

The databases differ in how a connection is opened and how a transaction that writes begins:
`sqlite_store` and `postgres_store` say how.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from app.ingest.records import (
    FormerWorkflow,
    KnownKey,
    KnownWorkflow,
    LastEvent,
    NewEvent,
    RememberedAnswer,
)
from app.ingest.statements import (
    FIND_ANSWER,
    FIND_EVENT,
    FIND_FORMER_SLUG,
    FIND_KEY,
    FIND_LAST_EVENT,
    FIND_WORKFLOW,
    FIND_WORKFLOW_BY_ID,
    LIST_REFERENCES,
    ROWS_AT_ONCE,
    insert_events,
)
from app.ingest.suggestions import closest_slug
from app.models import IDEMPOTENCY_WINDOW

MAX_CONNECTIONS = 8
MAX_ROWS = 1_000
BUSY_SECONDS = 6.0
"""How long a commit waits for its turn, others of ours and other programs together."""


class AwayError(OSError):
    """A database's server can't be reached, or was lost on the way."""


OUTAGES = (sqlite3.OperationalError, OSError)
"""What is raised when the database can't be used; other errors are the event's own."""


class Cursor(Protocol):
    rowcount: int

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Any: ...
    def executemany(self, statement: str, parameters: Sequence[Sequence[Any]], /) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def close(self) -> None: ...


class Offer(Protocol):
    """Events that the store takes when it may write, and gives back when it could not."""

    def take(self) -> Sequence[NewEvent]: ...
    def give_back(self) -> None: ...


class Store:
    """Connections to one database, kept open and handed out again, the last one first."""

    def __init__(self, connect: Callable[[], Any], placeholder: str) -> None:
        self._connect = connect
        self._idle: list[Any] = []
        self._placeholder = placeholder
        self._statements: dict[str, str] = {}

    def sql(self, statement: str) -> str:
        """The statement with the placeholders of this database's driver."""
        known = self._statements.get(statement)
        if known is None:
            known = self._statements[statement] = statement.replace("?", self._placeholder)
        return known

    def _read(self, statement: str, parameters: tuple[Any, ...], limit: int) -> list[Any]:
        """Rows of the newest committed state; each statement stands by itself."""
        connection = self._idle.pop() if self._idle else self._connect()
        sql = self._statements.get(statement) or self.sql(statement)
        try:
            rows: list[Any] = connection.execute(sql, parameters).fetchmany(limit)
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < MAX_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
        return rows

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def fetch_one(self, statement: str, *parameters: Any) -> Any:
        for row in self._read(statement, parameters, 1):
            return row
        return None

    def fetch_all(self, statement: str, *parameters: Any) -> list[Any]:
        return self._read(statement, parameters, MAX_ROWS)

    @contextmanager
    def writing(self, *, in_order: bool = True) -> Iterator[Cursor]:
        """A cursor in a transaction that is on disk when the block ends without an error.

        `in_order`: ids follow the commits, for which one writer waits for the other.
        """
        raise NotImplementedError

    def run(self, function: Callable[[], None]) -> None:
        """Run a function that writes, where its waiting holds nobody up."""
        raise NotImplementedError

    def find_key(self, key_hash: str) -> KnownKey | None:
        row = self.fetch_one(FIND_KEY, key_hash)
        if row is None:
            return None
        return KnownKey(row[0], row[1], row[2], row[3], _moment(row[4]), _moment(row[5]), row[6])

    def find_workflow(self, workspace_id: int, column: str, value: str) -> KnownWorkflow | None:
        """The workflow whose `column` (public_id, slug or name) is exactly `value`."""
        row = self.fetch_one(FIND_WORKFLOW[column], workspace_id, value)
        return None if row is None else KnownWorkflow._make(row)

    def find_workflow_by_id(self, workspace_id: int, workflow_id: int) -> KnownWorkflow | None:
        """The workflow with this primary key."""
        row = self.fetch_one(FIND_WORKFLOW_BY_ID, workspace_id, workflow_id)
        return None if row is None else KnownWorkflow._make(row)

    def find_former_slug(
        self, workspace_id: int, slug: str, now: datetime
    ) -> FormerWorkflow | None:
        """The workflow that had this slug before it was renamed, while the slug works on."""
        row = self.fetch_one(FIND_FORMER_SLUG, workspace_id, slug, now)
        if row is None:
            return None
        return FormerWorkflow(KnownWorkflow._make(row[:-1]), _moment(row[-1]) or now)

    def find_last_event(self, workflow_id: int) -> LastEvent | None:
        """The newest of the workflow's events that were taken."""
        row = self.fetch_one(FIND_LAST_EVENT, workflow_id)
        return None if row is None else LastEvent(row[0], json.loads(row[1] or "{}"))

    def list_references(self, workspace_id: int) -> list[tuple[str, str]]:
        """Slug and name of the workspace's workflows, for suggestions."""
        return [(slug, name) for slug, name in self.fetch_all(LIST_REFERENCES, workspace_id)]

    def suggest_slug(self, workspace_id: int, value: str) -> str | None:
        """The slug of the workflow that this one was probably meant to name, if one is close."""
        return closest_slug(value, self.list_references(workspace_id))

    def find_answer(self, workspace_id: int, key: str, now: datetime) -> RememberedAnswer | None:
        row = self.fetch_one(FIND_ANSWER, workspace_id, key, now - IDEMPOTENCY_WINDOW)
        return None if row is None else RememberedAnswer(*row)

    def append_events(self, offer: Offer) -> None:
        """Insert events in a transaction of their own. Raises BusyError when it has no turn."""
        raise NotImplementedError

    def insert_events(self, cursor: Cursor, events: Sequence[NewEvent]) -> None:
        for start in range(0, len(events), ROWS_AT_ONCE):
            statement, values = insert_events(events[start : start + ROWS_AT_ONCE])
            cursor.execute(statement.replace("?", self._placeholder), values)

    def is_stored(self, cursor: Cursor, public_id: str) -> bool:
        cursor.execute(self.sql(FIND_EVENT), (public_id,))
        return cursor.fetchone() is not None


def _moment(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value).replace(tzinfo=UTC)
