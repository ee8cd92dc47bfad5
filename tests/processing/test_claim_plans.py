"""A claim takes the head of the queue from its index, whatever PostgreSQL believes of its size."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.models import Event
from app.processing import batch
from app.processing.inbox import ClaimedEvent, claim
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


@pytest.fixture
def _on_postgresql(app: Flask) -> None:
    if is_sqlite():
        pytest.skip("PostgreSQL alone goes by statistics of how much waits")


@pytest.mark.usefixtures("_on_postgresql")
def test_a_backlog_that_statistics_do_not_know_is_not_sorted_for_each_claim(
    client: FlaskClient,
) -> None:
    wait_unseen(client)
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        if "FOR UPDATE" in statement:
            asked.append((f"EXPLAIN (FORMAT JSON) {statement}", values))

    event.listen(db.engine, "after_cursor_execute", note)
    with writing(sorts=False) as session:
        claimed = claim(session, now(), AT_ONCE)
        assert session.scalar(text("SHOW enable_sort")) == "on"
    with writing(sorts=False) as session:
        assert claim(session, datetime.min.replace(tzinfo=UTC), AT_ONCE) == []
        assert session.scalar(text("SHOW enable_sort")) == "on"
    event.remove(db.engine, "after_cursor_execute", note)
    assert len(claimed) == AT_ONCE
    by_index, by_statistics = (explain(*asked[0], sorts=sorts) for sorts in (False, True))
    assert "Sort" not in by_index
    assert "Sort" in by_statistics  # Else this would show nothing.


def explain(statement: str, values: Any, *, sorts: bool) -> list[str]:
    with writing(sorts=sorts) as session:
        found = session.connection().exec_driver_sql(statement, values).scalar_one()
    return nodes(found[0]["Plan"])


@pytest.mark.usefixtures("_on_postgresql")
def test_each_batch_claims_so(client: FlaskClient) -> None:
    assert report(client, make_team())
    with patch.object(batch, "claim", side_effect=look) as claimed:
        assert batch.process_batch(10) == 1
    claimed.assert_called_once()


def look(session: Session, *given: Any) -> list[ClaimedEvent]:
    assert session.scalar(text("SHOW enable_sort")) == "off"
    return claim(session, *given)


@pytest.mark.usefixtures("_on_postgresql")
def test_a_claim_waits_for_postgresql_once(client: FlaskClient, tmp_path: Path) -> None:
    """After all that was sent at once, PostgreSQL says that it is ready for more."""
    assert report(client, make_team())
    told = tmp_path / "told"
    with writing(sorts=False) as session, told.open("w") as file:
        driver: Any = session.connection().connection.driver_connection
        driver.pgconn.trace(file.fileno())
        assert len(claim(session, now(), AT_ONCE)) == 1
        driver.pgconn.untrace()
    answers = told.read_text()
    assert answers.count("ReadyForQuery") == 1
