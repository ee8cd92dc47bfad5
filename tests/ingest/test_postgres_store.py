"""The connections that a web process writes with: kept for the next, and none left open unseen."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from flask import Flask

from app.extensions import db, is_sqlite
from app.ingest.postgres_store import MAX_WRITERS, PostgresStore
from app.ingest.store import AwayError


class Connections(PostgresStore):
    """A store that notes each connection it opens."""

    def __init__(self, url: Any) -> None:
        super().__init__(url)
        self.opened: list[psycopg.Connection[Any]] = []
        self._open, self._connect = self._connect, self._note

    def _note(self) -> psycopg.Connection[Any]:
        self.opened.append(self._open())
        return self.opened[-1]

    def write_at_once(self, count: int) -> None:
        with ExitStack() as writers:
            for _ in range(count):
                writers.enter_context(self._only_user()).execute("SELECT 1")

    def count_open(self) -> int:
        return sum(not connection.closed for connection in self.opened)


@pytest.fixture
def store(app: Flask) -> Iterator[Connections]:
    if is_sqlite():
        pytest.skip("SQLite has one writer")
    store = Connections(db.engine.url)
    yield store
    store.close()


def test_all_who_write_at_once_find_their_connection_again(store: Connections) -> None:
    for _ in range(3):
        store.write_at_once(MAX_WRITERS)
    assert len(store.opened) == MAX_WRITERS == store.count_open()


def test_more_than_are_kept_are_closed(store: Connections) -> None:
    store.write_at_once(MAX_WRITERS + 3)
    assert len(store.opened) == MAX_WRITERS + 3
    assert store.count_open() == MAX_WRITERS


def test_after_a_restart_of_the_database_one_try_fails_and_not_one_for_each(
    store: Connections,
) -> None:
    store.write_at_once(MAX_WRITERS)
    with psycopg.connect(
        db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    ) as other:
        for connection in store.opened:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
    with pytest.raises(AwayError):
        store.write_at_once(1)
    store.write_at_once(MAX_WRITERS)
    assert store.count_open() == MAX_WRITERS


def test_none_is_left_when_the_store_is_closed(store: Connections) -> None:
    store.write_at_once(2)
    assert store.fetch_one("SELECT 1") == (1,)
    store.close()
    assert len(store.opened) == 3 and store.count_open() == 0
