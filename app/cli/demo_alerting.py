"""The demo's rules, channel and maintenance, with the alerts that its month would have raised."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.orm import Session

from app.alerting.course import Said
from app.alerting.incidents import ALERT_MESSAGES
from app.alerting.replay import replay
from app.alerting.words import compose, name_of, title_of
from app.channels.kinds.webhook import make_secret
from app.channels.message import Message
from app.channels.outbox import put
from app.channels.records import RETRY_DELAYS
from app.channels.sealing import seal
from app.channels.switching import SWITCH_OFF_AFTER
from app.cli.demo_marks import demo_id, is_marked
from app.cli.demo_workflows import WORKFLOWS, DemoWorkflow
from app.extensions import writing
from app.models import (
    Alert,
    AlertMessage,
    AlertRule,
    Channel,
    Delivery,
    DeliveryAttempt,
    MaintenanceWindow,
    OutboxMessage,
    Workflow,
    WorkflowLabel,
)

SENDS_AFTER = timedelta(seconds=2)
FAILING_FOR = timedelta(days=8)
"""Since when nothing reaches the channel, once there is something to send."""
REFUSED = "503: The answer was not a success."
RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "Shop: two failures in a row (demo)",
        "kind": "failed",
        "label": "shop",
        "numbers": {"in_a_row": 2},
        "cool_down_minutes": 60,
    },
    {
        "name": "Sales: half of the runs fail (demo)",
        "kind": "rate",
        "label": "sales",
        "numbers": {"percent": 50, "minutes": 120, "least": 4},
        "reminder_minutes": 120,
    },
    {
        "name": "Nightly jobs are late (demo)",
        "kind": "silent",
        "label": "nightly",
        "numbers": {"minutes": 0},
    },
)
PLANNED = "Invoice sync"
"""The workflow whose second trouble lies within the maintenance window."""


class Telling(NamedTuple):
    """A message of the past, and the alerts that it told of."""

    at: datetime
    message: Message
    alerts: list[Alert]


def make_alerting(
    workspace_id: int, workflows: Mapping[str, Workflow], until: datetime, begun_at: datetime
) -> None:
    """All in one transaction: a worker never sees a channel that it could send to."""
    names = {workflows[each.name].id: each.name for each in WORKFLOWS}
    with writing() as session:
        for each in WORKFLOWS:
            _label(session, workspace_id, workflows[each.name].id, each)
        session.add(_make_window(workspace_id, until))
        channel = _make_channel(workspace_id, begun_at)
        rules = [_make_rule(workspace_id, each, channel, begun_at) for each in RULES]
        session.add_all([channel, *rules])
        session.flush()
        alerts, tellings = _look_back(session, rules, names, until)
        session.add_all(alerts)
        session.flush()
        _tell(session, channel, tellings, until)


def remove_alerting(session: Session, workspace_id: int, workflow_ids: Sequence[int]) -> None:
    """Within the caller's transaction, before the workflows go."""
    rules = select(AlertRule.id).where(is_marked(AlertRule, workspace_id))
    of_demo = or_(Alert.workflow_id.in_(workflow_ids), Alert.rule_id.in_(rules))
    told = select(AlertMessage.message_id).join(Alert, Alert.id == AlertMessage.alert_id)
    session.execute(delete(OutboxMessage).where(OutboxMessage.id.in_(told.where(of_demo))))
    session.execute(delete(Alert).where(of_demo))
    for table in (AlertRule, MaintenanceWindow, Channel):
        session.execute(delete(table).where(is_marked(table, workspace_id)))


def _label(session: Session, workspace_id: int, workflow_id: int, of: DemoWorkflow) -> None:
    session.add_all(
        WorkflowLabel(workspace_id=workspace_id, workflow_id=workflow_id, label=label)
        for label in of.labels
    )


def _make_window(workspace_id: int, until: datetime) -> MaintenanceWindow:
    planned = next(each for each in WORKFLOWS if each.title == PLANNED).troubles[1]
    starts_at = planned.begun_at(until).replace(minute=0)
    return MaintenanceWindow(
        public_id=demo_id(),
        workspace_id=workspace_id,
        name="The accounting moves (demo)",
        label="shop",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=planned.hours + 1),
        is_weekly=False,
        zone="UTC",
        created_at=starts_at - timedelta(days=2),
    )


def _make_channel(workspace_id: int, begun_at: datetime) -> Channel:
    """On example.org, where nobody listens."""
    settings = {"url": "https://example.org/hooks/flowpulse", "secret": make_secret()}
    return Channel(
        public_id=demo_id(),
        workspace_id=workspace_id,
        name="On call (demo)",
        kind="webhook",
        sealed_settings=seal(settings),
        created_at=begun_at,
    )


def _make_rule(
    workspace_id: int, columns: Mapping[str, Any], channel: Channel, begun_at: datetime
) -> AlertRule:
    usual = {"cool_down_minutes": 15, "recovery_after": 1, "tells_recovery": True, "is_on": True}
    return AlertRule(
        public_id=demo_id(),
        workspace_id=workspace_id,
        created_at=begun_at,
        channels=[channel],
        **{**usual, **columns},
    )


def _look_back(
    session: Session, rules: Sequence[AlertRule], names: Mapping[int, str], until: datetime
) -> tuple[list[Alert], list[Telling]]:
    """What the rules found in the month and what was told of it, in the order of time."""
    alerts: list[Alert] = []
    tellings: list[Telling] = []
    for rule in rules:

        def hear(said: list[Said], at: datetime, rule: AlertRule = rule) -> None:
            for each in said:
                each.alert.what = title_of(each.alert, name_of(each.alert, names))
            message = compose(rule, said, names, {}, at)
            tellings.append(Telling(at, message, [each.alert for each in said]))

        alerts += replay(session, rule, until, hear).alerts
    alerts.sort(key=lambda alert: alert.opened_at)
    tellings.sort(key=lambda telling: telling.at)
    return alerts, tellings


def _tell(session: Session, channel: Channel, tellings: Sequence[Telling], until: datetime) -> None:
    """The messages reached the channel until it began to fail; days later it was switched off."""
    times = [telling.at for telling in tellings]
    first_failed = min((at for at in times if at > until - FAILING_FOR), default=until)
    failing_since = min(first_failed, until - SWITCH_OFF_AFTER) + SENDS_AFTER
    off_at = min(failing_since + SWITCH_OFF_AFTER, until)
    for at, message, alerts in tellings:
        ways = [channel.id] if at < off_at else []
        key = put(session.connection(), message, channel.workspace_id, ways, at)
        rows = [{"alert_id": alert.id, "message_id": key} for alert in alerts]
        session.execute(insert(ALERT_MESSAGES), rows)
        if ways:
            _deliver(session, key, at, failing_since, off_at)
    arrived = [at + SENDS_AFTER for at in times if at + SENDS_AFTER < failing_since]
    channel.last_ok_at = max(arrived, default=None)
    channel.failing_since = failing_since
    channel.disabled_at = off_at
    channel.disabled_why = REFUSED


def _deliver(
    session: Session, message_key: int, at: datetime, failing_since: datetime, off_at: datetime
) -> None:
    delivery = session.scalars(select(Delivery).where(Delivery.message_id == message_key)).one()
    first = at + SENDS_AFTER
    if first < failing_since:
        delivery.state, delivery.finished_at = "delivered", first
        tries = [DeliveryAttempt(at=first, took_ms=140.0, status=204)]
    else:
        times = [first]
        for pause in RETRY_DELAYS:
            times.append(times[-1] + pause)
        is_given_up = times[-1] < off_at
        delivery.state = "given_up" if is_given_up else "failed"
        delivery.finished_at = times[-1] if is_given_up else off_at
        tries = [
            DeliveryAttempt(
                at=each,
                took_ms=90.0,
                status=503,
                error=REFUSED,
                problem="delivery_server_error",
            )
            for each in times
            if each < off_at
        ]
    delivery.tries = tries
    delivery.attempts = len(tries)
    delivery.next_try_at = None
