"""Whatever senders tell arrives unchanged when many rows go into one statement."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import BigInteger, Boolean, Date, Float, LargeBinary, Text, bindparam, func, select

from app.extensions import db, is_sqlite
from app.models import Event, Rollup
from app.models.columns import JsonText, UtcDateTime
from app.processing.array_text import ArrayText
from tests.factories import Team, make_team, report
from tests.processing.draining import drain
from tests.processing.sums import runs, sums_from_rollups, sums_from_runs

HOSTILE = (
    "{}",
    "{NULL}",
    "NULL",
    'a "quoted" one, and another',
    "back\\slash, {brace}",
    "'); DROP TABLE runs; --",
    "%s %(id)s :id ?",
    "Grüße 🎉 \u202e",
)
"""What an array's text form takes for something else."""


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def test_what_reads_like_an_array_stays_text(client: FlaskClient, team: Team) -> None:
    for number, text in enumerate(HOSTILE):
        told: dict[str, Any] = {"error_message": text, "metadata": {"said": text, "all": [[], {}]}}
        answer = report(client, team, "failure", external_execution_id=str(number), **told)
        assert answer.status_code == 202, answer.text
    drain()
    by_execution = {run.external_execution_id: run for run in runs()}
    for number, text in enumerate(HOSTILE):
        run = by_execution[str(number)]
        assert (run.error_message, run.details) == (text, {"said": text, "all": [[], {}]})


def test_an_array_holds_what_was_put_into_it(app: Flask) -> None:
    if is_sqlite():
        pytest.skip("SQLite is told row by row")
    moment = datetime(2026, 1, 15, 9, 31, 0, 1, tzinfo=UTC)
    for type_, values in (
        (Text(), [*HOSTILE, "", " ", "\n\t", None]),
        (LargeBinary(), [b"", b"\x00\xff\\'\"{", None]),
        (Float(), [1, 2.5, -1e300, 5e-324, None]),
        (BigInteger(), [0, -(2**63), 2**63 - 1, None]),
        (Boolean(), [True, False, None]),
        (Date(), [moment.date(), None]),
        (UtcDateTime(), [moment, moment.astimezone(timezone(timedelta(hours=-3.5))), None]),
        (JsonText(), [{"said": text} for text in HOSTILE]),
    ):
        told = bindparam("told", values, type_=ArrayText(type_))
        assert db.session.scalars(select(func.unnest(told, type_=type_))).all() == values


def test_whole_and_broken_numbers_nothing_and_more_go_together(
    client: FlaskClient, team: Team
) -> None:
    """An array has one type, and JSON has two kinds of numbers."""
    for duration in (5, 0.25, None, 3_000_000_000, 1e-3, 0):
        assert report(client, team, duration_ms=duration).status_code == 202
    drain()
    found = sorted(run.duration_ms for run in runs() if run.duration_ms is not None)
    assert found == [0, 0.001, 0.25, 5, 3_000_000_000]
    assert sums_from_rollups() == sums_from_runs()


def test_runs_are_numbered_in_the_order_of_arrival(client: FlaskClient, team: Team) -> None:
    for number in range(40):
        report(client, team, external_execution_id=f"e-{number:02}")
    drain()
    in_order = sorted(runs(), key=lambda run: run.id)
    assert [run.external_execution_id for run in in_order] == [f"e-{n:02}" for n in range(40)]
    assert db.session.scalar(select(func.count()).where(Event.state == "processed")) == 40


def test_sums_take_in_batch_after_batch(client: FlaskClient, team: Team) -> None:
    """A period's row is made by one batch, and added to and sketched anew by the next."""
    ended_at = "2026-01-15T09:31:00Z"
    for number in range(9):
        kind = "failure" if number % 3 == 0 else "success"
        report(client, team, kind, ended_at=ended_at, duration_ms=10.5 * number)
        if number % 2:
            drain()
    drain()
    (row,) = db.session.scalars(select(Rollup).where(Rollup.period == "day"))
    assert (row.success_count, row.failure_count, row.timed_count) == (6, 3, 9)
    assert sums_from_rollups() == sums_from_runs()
