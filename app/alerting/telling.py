"""What is told of alerts, put into the outbox within the transaction that decides on it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, insert, or_, select, update
from sqlalchemy.orm import Session

from app.alerting.course import A_MINUTE, Said, reopens_within, settle
from app.alerting.explanations import Explain, explain_silences
from app.alerting.incidents import ALERT_MESSAGES, read_channels, resolve
from app.alerting.rulebook import Rulebook
from app.alerting.words import compose, name_of, title_of, zone_of
from app.channels.kinds import WITH_INCIDENTS
from app.channels.outbox import put
from app.models import (
    Alert,
    AlertMessage,
    AlertRule,
    AlertRuleChannel,
    Channel,
    OutboxMessage,
    Workflow,
)
from app.models.columns import UtcDateTime

_SINCE = bindparam("since", type_=UtcDateTime())
_PREVIOUS = (
    select(Alert)
    .where(
        Alert.rule_id.in_(bindparam("rule_ids", expanding=True)),
        or_(
            Alert.workflow_id.in_(bindparam("workflow_ids", expanding=True)),
            Alert.workflow_id.is_(None),
        ),
        Alert.ended_at.is_not(None),
        or_(Alert.ended_at > _SINCE, Alert.last_told_at > _SINCE),
    )
    .order_by(Alert.id)
)
_TOLD = (
    select(OutboxMessage.id, OutboxMessage.created_at, AlertMessage.alert_id)
    .join(AlertMessage, AlertMessage.message_id == OutboxMessage.id)
    .join(Alert, Alert.id == AlertMessage.alert_id)
    .where(
        Alert.rule_id == bindparam("rule_id"),
        OutboxMessage.created_at > _SINCE,
        OutboxMessage.kind != "resolve",
    )
    .order_by(OutboxMessage.id)
)
_CHANNELS = (
    select(AlertRuleChannel.rule_id, Channel.id, Channel.kind)
    .join(Channel, Channel.id == AlertRuleChannel.channel_id)
    .where(AlertRuleChannel.rule_id.in_(bindparam("rule_ids", expanding=True)))
)
_NAMES = select(Workflow.id, Workflow.name).where(Workflow.id.in_(bindparam("ids", expanding=True)))


def lock_rules(session: Session, rule_ids: Collection[int]) -> None:
    """Let one worker at a time decide for a rule; on SQLite only one transaction writes anyway.

    Rules are the last that a transaction locks but for their alerts, in the order of their ids:
    there is no deadlock.
    """
    if session.get_bind().dialect.name == "postgresql":
        wanted = select(AlertRule.id).where(AlertRule.id.in_(rule_ids)).order_by(AlertRule.id)
        session.execute(wanted.with_for_update(key_share=True)).all()


def lock_alerts(session: Session, alert_ids: Collection[int]) -> None:
    """The same for alerts of which the rule may be gone; after the rules, if any."""
    if alert_ids and session.get_bind().dialect.name == "postgresql":
        wanted = select(Alert.id).where(Alert.id.in_(alert_ids)).order_by(Alert.id)
        session.execute(wanted.with_for_update(key_share=True)).all()


def read_previous(
    session: Session, pairs: Collection[tuple[AlertRule, int | None]], now: datetime
) -> dict[tuple[int, int | None], Alert]:
    """The alert of each rule and workflow that ended or was told of last, as far as it reaches
    into the rule's cool-down; in one query."""
    if not pairs:
        return {}
    given = {
        "rule_ids": list({rule.id for rule, _ in pairs}),
        "workflow_ids": list({each for _, each in pairs if each}),
        "since": now - max(reopens_within(rule) for rule, _ in pairs),
    }
    rows = session.scalars(_PREVIOUS, given)
    return {(alert.rule_id or 0, alert.workflow_id): alert for alert in rows}


def look_again(session: Session, which: ColumnElement[bool], now: datetime) -> None:
    """Have the worker look anew at the open alerts that wait for a hush which a person has ended
    or changed."""
    waits = Alert.ended_at.is_(None) & Alert.due_at.is_not(None)
    session.execute(update(Alert).where(which, waits).values(due_at=now))


def tell(
    session: Session,
    book: Rulebook,
    touched: Mapping[int, Sequence[Alert]],
    rules: Mapping[int, AlertRule],
    now: datetime,
    explain: Explain | None = None,
) -> int:
    """Decide what is told of the alerts, by the ids of their rules; returns the messages' number.

    Alerts that are new are added to the session.
    """
    with session.no_autoflush:  # What has changed is written once, below.
        names = read_names(session, (alert for alerts in touched.values() for alert in alerts))
        told: list[tuple[AlertRule, list[Said]]] = []
        for rule_id, alerts in touched.items():
            rule = rules[rule_id]
            for alert in alerts:
                alert.what = title_of(alert, name_of(alert, names))
            messages = settle(
                rule,
                alerts,
                now,
                lambda alert, rule=rule: book.hush(rule, alert.workflow_id, now),  # type: ignore[misc]
                lambda rule=rule: _told_times(session, rule, now),  # type: ignore[misc]
            )
            session.add_all(alerts)
            told += [(rule, message) for message in messages]
    session.flush()
    resolve(session, (alert for alerts in touched.values() for alert in alerts), now)
    if told:
        _put(session, told, names, now, explain)
    return len(told)


def _put(
    session: Session,
    told: Sequence[tuple[AlertRule, list[Said]]],
    names: Mapping[int, str],
    now: datetime,
    explain: Explain | None,
) -> None:
    """Where alerts have incidents, one message each: an incident is opened and resolved alone."""
    every = [said for _, message in told for said in message]
    zones = {rule.id: zone_of(rule) for rule, _ in told}
    explanations = explain_silences(session, every, zones, now, explain)
    channels = _read_channels(session, {rule.id for rule, _ in told})
    ended = read_channels(session, [said.alert.id for said in every if said.alert.ended_at])
    connection = session.connection()
    rows: list[dict[str, int]] = []

    def put_one(rule: AlertRule, message: Sequence[Said], channel_ids: Collection[int]) -> None:
        composed = compose(rule, message, names, explanations, now)
        key = put(connection, composed, rule.workspace_id, channel_ids, now)
        rows.extend({"alert_id": said.alert.id, "message_id": key} for said in message)

    for rule, message in told:
        others, with_incidents = channels.get(rule.id, (set(), set()))
        ways = [with_incidents | ended.get(said.alert.id, set()) for said in message]
        if len(message) == 1:
            put_one(rule, message, others | ways[0])
            continue
        put_one(rule, message, others)
        for said, way in zip(message, ways, strict=True):
            if way:
                put_one(rule, [said], way)
    connection.execute(insert(ALERT_MESSAGES), rows)


def _told_times(session: Session, rule: AlertRule, now: datetime) -> list[datetime]:
    """When the rule's messages of the last minute were put into the outbox."""
    given = {"rule_id": rule.id, "since": now - A_MINUTE}
    times: dict[int, datetime] = {}
    first_told: dict[tuple[int, datetime], int] = {}
    for message_id, at, alert_id in session.connection().execute(_TOLD, given):
        # What comes after the message of many, about one of them alone, opens its incident.
        if first_told.setdefault((alert_id, at), message_id) == message_id:
            times[message_id] = at
    return list(times.values())


def _read_channels(
    session: Session, rule_ids: Collection[int]
) -> dict[int, tuple[set[int], set[int]]]:
    """Of each rule, its channels without incidents, and those with them."""
    found: dict[int, tuple[set[int], set[int]]] = {}
    given = {"rule_ids": list(rule_ids)}
    for rule_id, channel_id, kind in session.connection().execute(_CHANNELS, given):
        found.setdefault(rule_id, (set(), set()))[kind in WITH_INCIDENTS].add(channel_id)
    return found


def read_names(session: Session, alerts: Iterable[Alert]) -> dict[int, str]:
    """The names of the alerts' workflows, by their ids."""
    ids = {alert.workflow_id for alert in alerts if alert.workflow_id is not None}
    if not ids:
        return {}
    rows = session.connection().execute(_NAMES, {"ids": list(ids)})
    return {row.id: row.name for row in rows}
