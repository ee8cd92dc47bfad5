"""Channels that open an incident for an alert, and keep it open until they hear of its end."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import cast

from sqlalchemy import BindParameter, Executable, Table, bindparam, insert, select, union
from sqlalchemy.orm import Session

from app.alerting.course import is_left_open
from app.alerting.words import resolution_of
from app.channels.kinds import WITH_INCIDENTS
from app.channels.outbox import put
from app.models import Alert, AlertMessage, AlertRuleChannel, Channel, Delivery

ALERT_MESSAGES = cast(Table, AlertMessage.__table__)
_ALERTS: BindParameter[int] = bindparam("alert_ids", expanding=True)
_CHANNELS: Executable = union(
    select(AlertMessage.alert_id, Delivery.channel_id)
    .join(Delivery, Delivery.message_id == AlertMessage.message_id)
    .join(Channel, Channel.id == Delivery.channel_id)
    .where(AlertMessage.alert_id.in_(_ALERTS), Channel.kind.in_(WITH_INCIDENTS)),
    select(Alert.id, AlertRuleChannel.channel_id)
    .join(AlertRuleChannel, AlertRuleChannel.rule_id == Alert.rule_id)
    .join(Channel, Channel.id == AlertRuleChannel.channel_id)
    .where(Alert.id.in_(_ALERTS), Channel.kind.in_(WITH_INCIDENTS)),
)
"""Those that were told of an alert, and its rule's."""


def resolve(session: Session, alerts: Iterable[Alert], now: datetime) -> None:
    """Resolve the incidents of alerts whose end nobody will be told of. Other channels hear
    nothing."""
    left = {alert.id: alert for alert in alerts if is_left_open(alert)}
    connection = session.connection()
    for alert_id, channel_ids in read_channels(session, left).items():
        alert = left[alert_id]
        key = put(connection, resolution_of(alert, now), alert.workspace_id, channel_ids, now)
        connection.execute(insert(ALERT_MESSAGES), {"alert_id": alert_id, "message_id": key})


def read_channels(session: Session, alert_ids: Collection[int]) -> dict[int, set[int]]:
    """The channels that may hold an incident of these alerts: those that were told, also where the
    rule has others by now, and the rule's, since messages are not kept for ever."""
    if not alert_ids:
        return {}
    given = {"alert_ids": list(alert_ids)}
    found: dict[int, set[int]] = {}
    for alert_id, channel_id in session.connection().execute(_CHANNELS, given):
        found.setdefault(alert_id, set()).add(channel_id)
    return found
