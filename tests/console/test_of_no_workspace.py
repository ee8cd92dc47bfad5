"""What belongs to no workspace is found along an index, whatever PostgreSQL thinks of the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, text

from app.console.open_problems import list_requests
from app.extensions import db, is_sqlite
from app.processing.oldest import find_oldest_event
from tests.factories import Team, report

FINGERPRINT = "0123456789abcdef"
SETTINGS = "enable_seqscan", "enable_bitmapscan", "enable_sort"
"""What PostgreSQL falls back on where an index does not lead to the first rows by itself."""


@contextmanager
def asked_of_no_workspace() -> Iterator[dict[str, Any]]:
    """The statements that look for the first few of no workspace, with their values."""
    found: dict[str, Any] = {}

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        words = " ".join(statement.split())
        if "events.workspace_id IS NULL" in words and "ORDER BY" in words and "LIMIT" in words:
            found[statement] = values

    event.listen(db.engine, "before_cursor_execute", note)
    yield found
    event.remove(db.engine, "before_cursor_execute", note)


def explain(statement: str, values: Any) -> str:
    word = "EXPLAIN QUERY PLAN" if is_sqlite() else "EXPLAIN"
    db.session.rollback()
    with db.engine.connect() as connection:
        for setting in () if is_sqlite() else SETTINGS:
            connection.execute(text(f"SET LOCAL {setting} = off"))
        rows = connection.exec_driver_sql(f"{word} {statement}", values)
        return "\n".join(str(row[-1]) for row in rows)


def check(found: dict[str, Any], index: str) -> None:
    assert found
    for statement, values in found.items():
        plan = explain(statement, values)
        assert index in plan, plan
        assert "Filter: (workspace_id IS NULL)" not in plan, plan
        assert "pkey" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan
        assert "Sort  (" not in plan, plan


def test_the_newest_requests_of_a_problem(team: Team) -> None:
    with asked_of_no_workspace() as found:
        list_requests([None], FINGERPRINT, 50)
    check(found, "ix_events_open_problem")


@pytest.mark.parametrize("state", [None, "processed", "failed"])
def test_the_oldest_event(team: Team, state: str | None) -> None:
    with asked_of_no_workspace() as found:
        find_oldest_event([None], state)
    check(found, f"ix_events_{state}" if state else "ix_events_workspace_id_id")


def test_where_the_log_begins(owner: FlaskClient, team: Team) -> None:
    assert report(owner, team, "failure")
    with asked_of_no_workspace() as found:
        assert owner.get("/events?q=nobody").status_code == 200
    begins = {sql: values for sql, values in found.items() if sql.startswith("SELECT events.id")}
    check({sql: begins[sql] for sql in begins if "DESC" not in sql}, "ix_events_workspace_id_id")
