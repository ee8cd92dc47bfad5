"""A claim takes the head of the queue from its index, whatever PostgreSQL believes of its size."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, text

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.models import Event
from app.processing.inbox import claim
from tests.factories import make_team, report
from tests.processing.draining import drain

WAITING = 3_000
AT_ONCE = 50


def wait_unseen(client: FlaskClient) -> None:
    """A backlog that has come since the statistics were made, by which nothing waits."""
    report(client, make_team())
    drain()
    with writing() as session:
        session.execute(text("ANALYZE events"))
    columns = ", ".join(c.name for c in Event.__table__.c if c.name not in ("id", "public_id"))
    values = columns.replace(" state,", " 'accepted',").replace("next_attempt_at", "received_at")
    with writing() as session:
        session.execute(
            text(
                f"INSERT INTO events (public_id, {columns}) "
                f"SELECT 'c' || n, {values} FROM events, generate_series(1, {WAITING}) AS n"
            )
        )


def nodes(plan: dict[str, Any]) -> list[str]:
    return [plan["Node Type"], *(name for each in plan.get("Plans", []) for name in nodes(each))]


def test_a_backlog_that_statistics_do_not_know_is_not_sorted_for_each_claim(
    client: FlaskClient,
) -> None:
    if is_sqlite():
        pytest.skip("PostgreSQL alone goes by statistics of how much waits")
    wait_unseen(client)
    plans = []

    def explain(_: Any, cursor: Any, statement: str, values: Any, *__: Any) -> None:
        if "FOR UPDATE" in statement:
            with cursor.connection.cursor() as other:
                other.execute(f"EXPLAIN (FORMAT JSON) {statement}", values)
                found = other.fetchone()[0]
            plans.append(found if isinstance(found, list) else json.loads(found))

    event.listen(db.engine, "after_cursor_execute", explain)
    with writing() as session:
        claimed = claim(session, now(), AT_ONCE)
        assert session.scalar(text("SHOW enable_sort")) == "on"
    event.remove(db.engine, "after_cursor_execute", explain)
    assert len(claimed) == AT_ONCE
    ((plan,),) = plans
    assert "Sort" not in nodes(plan["Plan"])
