"""How little a batch asks while others wait for it, and what becomes of SQLite's log after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, text

from app.clock import now
from app.extensions import checkpoint, db, is_sqlite
from app.processing import batch
from bench.rules import RULES, set_rules
from tests.factories import Team, make_team, report
from tests.processing.draining import drain

MOST_STATEMENTS = 18


@contextmanager
def statements() -> Iterator[list[str]]:
    noted: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        noted.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield noted
    event.remove(db.engine, "before_cursor_execute", note)


def send(client: FlaskClient, team: Team, count: int) -> None:
    for _ in range(count):
        assert report(client, team, ended_at=now().isoformat()).status_code == 202


def test_a_batch_of_many_asks_no_more_than_one_of_one(client: FlaskClient) -> None:
    """With a rule of each kind about runs, none of which has anything to tell."""
    team = make_team()
    set_rules(team, len(RULES))
    send(client, team, 3)
    drain()
    counts = []
    for count in (1, 20):
        send(client, team, count)
        with statements() as noted:
            assert batch.process_batch(50) == count
        counts.append(len(noted))
    assert counts[1] <= counts[0] <= MOST_STATEMENTS, noted


def test_the_log_of_sqlite_is_copied_when_others_can_write_again(client: FlaskClient) -> None:
    if not is_sqlite():
        pytest.skip("a matter of SQLite")
    send(client, make_team(), 1)
    seen: list[Any] = []

    def look(session: Any, *given: Any) -> None:
        seen.append(session.execute(text("PRAGMA wal_autocheckpoint")).scalar())
        FINISH(session, *given)

    def copy() -> None:
        seen.append(db.session.registry.has() and db.session().in_transaction())
        checkpoint()

    with patch.object(batch, "finish", look), patch.object(batch, "checkpoint", copy):
        assert batch.process_batch(10) == 1
    assert seen == [0, False]


FINISH = batch.finish
