"""What the tests of alerting tell: runs at simulated times, rules, and what came of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from app.alerting.ticking import tick
from app.alerting.verdicts import SeenRun
from app.extensions import db, writing
from app.models import Alert, AlertRule, AlertRuleChannel, Channel, Event, OutboxMessage
from app.processing import batch
from app.processing.silence_causes import explain_silence
from tests.factories import Team

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""A Monday."""


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def runs(outcomes: str, every: float = 1, durations: Sequence[float | None] = ()) -> list[SeenRun]:
    """`F` a failure, `S` a success, one a minute."""
    return [
        SeenRun(
            number,
            1,
            "failure" if letter == "F" else "success",
            at(number * every),
            durations[number] if durations else None,
            f"run-{number}",
        )
        for number, letter in enumerate(outcomes)
    ]


def make_rule(**columns: Any) -> AlertRule:
    """A rule that is not stored: whenever a run fails, told at once, without a cool-down."""
    kind = columns.pop("kind", "failed")
    given: dict[str, Any] = {
        "id": 1,
        "workspace_id": 1,
        "name": "Failures",
        "kind": kind,
        "numbers": {"in_a_row": 1} if kind == "failed" else {},
        "cool_down_minutes": 0,
        "reminder_minutes": None,
        "recovery_after": 1,
        "tells_recovery": True,
        "is_on": True,
        **columns,
    }
    return AlertRule(**given)


def store_rule(team: Team, *, channels: Iterable[int] = (), **columns: Any) -> int:
    rule = make_rule(workspace_id=team.workspace_id, **columns)
    rule.id = columns.get("id")  # type: ignore[assignment]
    with writing() as session:
        session.add(rule)
        session.flush()
        for channel_id in channels:
            session.add(AlertRuleChannel(rule_id=rule.id, channel_id=channel_id))
        return rule.id


def store_channel(team: Team, name: str = "Team chat", kind: str = "webhook") -> int:
    channel = Channel(workspace_id=team.workspace_id, name=name, kind=kind, sealed_settings="")
    with writing() as session:
        session.add(channel)
        session.flush()
        return channel.id


def refusals(team: Team, minute: float, count: int, **columns: Any) -> list[Event]:
    given = {"path": "/", "status": 400, "code": "validation_failed", **columns}
    return [
        Event(
            workspace_id=team.workspace_id,
            received_at=at(minute),
            state="rejected",
            method="POST",
            headers=[],
            body=b"",
            took_ms=1,
            **given,
        )
        for _ in range(count)
    ]


class Time:
    """The clock of the worker's batches and ticks."""

    def __init__(self, monkeypatch: Any) -> None:
        self.now = START
        monkeypatch.setattr(batch, "now", lambda: self.now)

    def work(self, minutes: float) -> None:
        """The worker at that minute: all that waits, then a tick."""
        self.now = at(minutes)
        with writing() as session:
            due = update(Event).where(Event.state == "accepted")
            session.execute(due.values(next_attempt_at=self.now))
        while batch.process_batch(200):
            pass
        tick(self.now, explain_silence)


def alerts() -> list[Alert]:
    db.session.rollback()
    return list(db.session.scalars(select(Alert).order_by(Alert.id)))


def messages() -> list[OutboxMessage]:
    db.session.rollback()
    return list(db.session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))


def told() -> list[tuple[str, str]]:
    return [(message.kind, message.title) for message in messages()]
