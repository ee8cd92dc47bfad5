"""Events become runs and rollups, exactly once, whatever the order."""

import json
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.clock import now
from app.extensions import db, writing
from app.models import Event, Rollup, Run
from app.processing.batch import process_batch
from app.processing.inbox import MAX_ATTEMPTS, RETRY_DELAYS, retry, waiting_since
from tests.factories import Team, make_team, report
from tests.processing.draining import drain
from tests.processing.sums import runs, sums_from_rollups, sums_from_runs
from tests.together import do_together


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def test_a_success_becomes_a_run_with_all_that_was_told(client: FlaskClient, team: Team) -> None:
    answer = report(
        client,
        team,
        started_at="2026-01-15T09:30:00+00:00",
        external_execution_id="e-1",
        source_platform="N8N",
        source_workflow_id="12",
        correlation_id="c-1",
        metadata={"leads": 12},
    )
    drain()
    (run,) = runs()
    assert (run.outcome, run.duration_ms, run.source_platform) == ("success", 60_000, "n8n")
    assert (run.external_execution_id, run.correlation_id) == ("e-1", "c-1")
    assert run.details == {"leads": 12}
    assert run.ended_at == datetime(2026, 1, 15, 9, 31, tzinfo=UTC)
    event = db.session.scalar(select(Event))
    assert event is not None and event.public_id == answer.json["event_id"]
    assert (event.state, event.run_id) == ("processed", run.id)


def test_without_an_execution_id_each_event_makes_a_run(client: FlaskClient, team: Team) -> None:
    for _ in range(3):
        report(client, team)
    drain()
    assert len(runs()) == 3


@pytest.mark.parametrize("execution", ["{{ $execution.id }}", "undefined", "[object Object]"])
def test_an_execution_id_that_came_unresolved_hides_no_failure(
    client: FlaskClient, team: Team, execution: str
) -> None:
    for kind in ("failure", "success"):
        answer = report(client, team, kind, external_execution_id=execution)
        assert [each["code"] for each in answer.json["warnings"]] == ["unresolved_value"]
    drain()
    assert sorted(run.outcome for run in runs()) == ["failure", "success"]


def test_the_later_end_decides_and_the_change_is_visible(client: FlaskClient, team: Team) -> None:
    report(client, team, "failure", external_execution_id="e", ended_at="2026-01-15T10:00:00Z")
    report(client, team, "success", external_execution_id="e", ended_at="2026-01-15T09:00:00Z")
    drain()
    (run,) = runs()
    assert (run.outcome, run.previous_outcome) == ("failure", "success")
    assert run.event_count == 2
    report(client, team, "success", external_execution_id="e", ended_at="2026-01-15T11:00:00Z")
    drain()
    (run,) = runs()
    assert (run.outcome, run.previous_outcome) == ("success", "failure")
    assert run.error_message is None
    assert sums_from_rollups() == sums_from_runs()


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0)])
def test_what_a_later_event_leaves_out_stays(
    client: FlaskClient, team: Team, order: tuple[int, ...]
) -> None:
    events: list[dict[str, Any]] = [
        {"ended_at": "2026-01-15T09:00:00Z", "source_platform": "n8n", "correlation_id": "first"},
        {"ended_at": "2026-01-15T10:00:00Z", "correlation_id": "second", "duration_ms": 7},
        {"ended_at": "2026-01-15T11:00:00Z", "metadata": {"leads": 3}},
    ]
    for number in order:
        report(client, team, "success", external_execution_id="e", **events[number])
        drain()
    (run,) = runs()
    told = (run.source_platform, run.correlation_id, run.details, run.duration_ms)
    assert told == ("n8n", "second", {"leads": 3}, None)
    assert run.ended_at.hour == 11


@pytest.mark.parametrize("seed", range(2))
def test_shuffled_and_sent_twice_makes_the_same_runs(
    client: FlaskClient, team: Team, seed: int
) -> None:
    chance = random.Random(seed)
    reports: list[tuple[str, dict[str, Any]]] = []
    for number in range(60):
        # Two and two end at the same moment, one of them in failure.
        end = datetime(2026, 1, 15, tzinfo=UTC) + timedelta(minutes=17 * (number // 2))
        fields: dict[str, Any] = {
            "external_execution_id": f"e-{chance.randrange(12)}",
            "ended_at": end.isoformat(),
            "duration_ms": chance.randrange(100_000) / 8,
        }
        if chance.random() < 0.3:
            fields["metadata"] = {"number": number}
        for name in ("source_platform", "correlation_id"):
            if chance.random() < 0.4:
                fields[name] = f"{name}-{number}"
        reports.append(("success" if number % 2 else "failure", fields))

    def play(order: list[tuple[str, dict[str, Any]]]) -> list[tuple[Any, ...]]:
        with writing() as session:
            for table in (Event, Run, Rollup):
                session.query(table).delete()
        for kind, fields in order:
            assert report(client, team, kind, **fields).status_code == 202
            if chance.random() < 0.2:
                process_batch(7)
        drain()
        assert sums_from_rollups() == sums_from_runs()
        return sorted(
            (
                run.external_execution_id,
                run.outcome,
                run.ended_at,
                run.duration_ms,
                run.error_message,
                run.source_platform,
                run.correlation_id,
                json.dumps(run.details),
            )
            for run in runs()
        )

    once = play(reports)
    twice = reports * 2
    chance.shuffle(twice)
    assert play(twice) == once


def spoil(event_id: str) -> None:
    """Make an event that can't be processed, as a bug or a broken disk would."""
    with writing() as session:
        session.execute(
            update(Event.__table__)  # type: ignore[arg-type]
            .where(Event.public_id == event_id)
            .values(payload={"ended_at": "never"})
        )


def test_a_poison_event_holds_up_nobody_and_fails_after_five_tries(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = report(client, team).json["event_id"]
    others = [report(client, team).json["event_id"] for _ in range(5)]
    spoil(poison)
    drain()
    assert len(runs()) == len(others)
    moment, delays = now(), []
    for _ in range(MAX_ATTEMPTS - 1):
        event = db.session.scalar(select(Event).where(Event.public_id == poison))
        assert event is not None and event.state == "accepted" and event.next_attempt_at
        delays.append(event.next_attempt_at)
        moment = event.next_attempt_at + timedelta(milliseconds=1)
        monkeypatch.setattr("app.processing.batch.now", lambda at=moment: at)
        process_batch(200)
    db.session.rollback()
    event = db.session.scalar(select(Event).where(Event.public_id == poison))
    assert event is not None
    assert (event.state, event.attempts) == ("failed", MAX_ATTEMPTS)
    assert "never" in (event.failure or "")
    gaps = [later - earlier for earlier, later in pairwise(delays)]
    assert gaps == sorted(gaps) and len(delays) == len(RETRY_DELAYS)


def test_a_failed_event_can_be_retried(client: FlaskClient, team: Team) -> None:
    event_id = report(client, team).json["event_id"]
    with writing() as session:
        session.execute(update(Event).values(state="failed", attempts=5, next_attempt_at=None))
    drain()
    assert runs() == []
    with writing() as session:
        found = session.scalar(select(Event.id).where(Event.public_id == event_id))
        assert retry(session, [found or 0], now()) == 1
    drain()
    assert len(runs()) == 1


def test_two_workers_at_once_process_each_event_once(
    client: FlaskClient, team: Team, app: Flask
) -> None:
    for number in range(150):
        kind = "failure" if number % 3 else "success"
        report(client, team, kind, external_execution_id=f"e-{number % 40}", duration_ms=number)

    def work() -> None:
        while process_batch(10):
            pass

    failures = do_together(app, 3, work)
    drain()
    assert failures == []
    assert len(runs()) == 40
    assert sum(run.event_count for run in runs()) == 150
    assert sums_from_rollups() == sums_from_runs()
    states = db.session.execute(select(Event.state, func.count()).group_by(Event.state)).all()
    assert [tuple(row) for row in states] == [("processed", 150)]


def test_the_lag_is_the_age_of_the_oldest_that_waits(client: FlaskClient, team: Team) -> None:
    assert waiting_since(db.session()) is None
    before = now()
    report(client, team)
    report(client, team)
    db.session.rollback()
    since = waiting_since(db.session())
    assert since is not None and before <= since <= now()
    drain()
    assert waiting_since(db.session()) is None


def test_a_crash_in_the_middle_of_a_batch_changes_nothing(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        report(client, team)
    monkeypatch.setattr("app.processing.batch.finish", _crash)
    with pytest.raises(KeyboardInterrupt):
        process_batch(200)
    db.session.rollback()
    assert runs() == [] and sums_from_rollups() == {}
    monkeypatch.undo()
    drain()
    assert len(runs()) == 5 and sums_from_rollups() == sums_from_runs()


def _crash(*arguments: Any) -> None:
    raise KeyboardInterrupt


def test_a_payload_is_plain_json(client: FlaskClient, team: Team) -> None:
    report(client, team, metadata={"text": "a\u0000b 🚀"})
    event = db.session.scalar(select(Event))
    assert event is not None
    assert json.dumps(event.payload["metadata"]) == '{"text": "a\\ufffdb \\ud83d\\ude80"}'
