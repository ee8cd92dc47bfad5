"""Alert rules: made, changed, switched, snoozed and deleted by people."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.alerting.endings import end, end_stale, find_stale
from app.alerting.rulebook import complete
from app.alerting.telling import lock_rules, look_again
from app.alerting.words import Ending
from app.clock import now
from app.extensions import db, writing
from app.models import Alert, AlertRule, AlertRuleChannel, Channel, User
from app.workspaces.audit import change, note
from app.workspaces.people import RefusedError
from app.workspaces.rule_drafts import RuleDraft

MOST_RULES = 100
"""Rules of a workspace: each is looked at with each batch of runs."""
SUGGESTED_NAME = "Tell me when anything fails"
_SOUGHT = ("kind", "numbers")
"""What decides which alerts there are: with another one, those that are open end."""


def create_rule(workspace_id: int, draft: RuleDraft, created_by: User) -> AlertRule:
    """Raises RefusedError where the name is taken."""
    rule = AlertRule(
        workspace_id=workspace_id, is_on=True, created_by_id=created_by.id, **draft.columns
    )
    _store(workspace_id, rule, draft.channel_ids)
    return rule


def suggest_rule(workspace_id: int, created_by: User) -> AlertRule:
    """Make the rule that most teams begin with: any failure, to all channels. Raises
    RefusedError."""
    columns: dict[str, Any] = {
        "name": SUGGESTED_NAME,
        "kind": "failed",
        "numbers": {"in_a_row": 1},
        "cool_down_minutes": 15,
        "recovery_after": 1,
        "tells_recovery": True,
    }
    channels = select(Channel.id).where(
        Channel.workspace_id == workspace_id, Channel.disabled_at.is_(None)
    )
    rule = AlertRule(workspace_id=workspace_id, is_on=True, created_by_id=created_by.id, **columns)
    _store(workspace_id, rule, list(db.session.scalars(channels)))
    return rule


def _store(workspace_id: int, rule: AlertRule, channel_ids: Iterable[int]) -> None:
    try:
        with writing() as session:
            _refuse_too_many(session, workspace_id)
            _refuse_taken(session, workspace_id, rule.name)
            session.add(rule)
            session.flush()
            _connect(session, rule, channel_ids)
            note(session, "rule_created", workspace_id, rule, {"kind": rule.kind})
    except IntegrityError as error:
        raise RefusedError("name", "Another rule has this name.") from error


def change_rule(rule: AlertRule, draft: RuleDraft) -> None:
    """What its open alerts wait for is decided anew. Raises RefusedError."""
    rule_id, workspace_id, name = rule.id, rule.workspace_id, draft.columns["name"]
    try:
        with writing() as session:
            lock_rules(session, [rule_id])
            _refuse_taken(session, workspace_id, name, but=rule_id)
            if any(getattr(rule, each) != draft.columns[each] for each in _SOUGHT):
                _end_alerts(session, rule_id, "changed")
            cool_down, told = rule.cool_down_minutes, {}
            for column, value in draft.columns.items():
                told[column] = change(getattr(rule, column), value)
                setattr(rule, column, value)
            session.flush()
            end_stale(session, find_stale(session, Alert.rule_id == rule_id), now())
            _plan_anew(session, rule, timedelta(minutes=rule.cool_down_minutes - cool_down))
            gone = delete(AlertRuleChannel).where(AlertRuleChannel.rule_id == rule_id)
            session.execute(gone)
            _connect(session, rule, draft.channel_ids)
            note(session, "rule_changed", workspace_id, rule, told)
    except IntegrityError as error:
        raise RefusedError("name", "Another rule has this name.") from error


def switch_rule(rule: AlertRule, is_on: bool) -> None:
    """Off: its open alerts end, and nobody is told."""
    rule_id = rule.id
    with writing() as session:
        lock_rules(session, [rule_id])
        if rule.is_on != is_on:
            what = "rule_switched_on" if is_on else "rule_switched_off"
            note(session, what, rule.workspace_id, rule)
        rule.is_on = is_on
        if not is_on:
            _end_alerts(session, rule_id, "off")


def snooze_rule(rule: AlertRule, until: datetime | None) -> None:
    """None ends the snooze."""
    rule_id = rule.id
    with writing() as session:
        rule.snoozed_until = until
        what = "rule_snoozed" if until else "rule_woken"
        note(session, what, rule.workspace_id, rule, {"until": until})
        look_again(session, Alert.rule_id == rule_id, now())


def delete_rule(rule: AlertRule) -> None:
    """Its alerts stay in the list; the open ones end, and nobody is told."""
    rule_id = rule.id
    with writing() as session:
        lock_rules(session, [rule_id])
        _end_alerts(session, rule_id, "deleted")
        note(session, "rule_deleted", rule.workspace_id, rule)
        session.execute(delete(AlertRule).where(AlertRule.id == rule_id))


def close_alert(alert: Alert) -> None:
    """End an alert by hand; nobody is told."""
    with writing() as session:
        lock_rules(session, [alert.rule_id or 0])
        session.refresh(alert)
        if alert.ended_at is None:
            end(session, [alert], "closed", now())


def _plan_anew(session: Session, rule: AlertRule, longer: timedelta) -> None:
    """Have the worker decide by the rule as it is now what is told of its alerts, and when.

    `longer` is what the cool-down has grown by. What a snooze or maintenance hushes is looked at
    afterwards: a look before would silence what only waits for the quiet hours' end.
    """
    at, book = now(), complete(session, [rule])
    for alert in session.scalars(_living(rule.id).where(Alert.is_muted.is_(False))):
        if alert.not_before is not None:
            alert.not_before += longer
        look_at = book.hush(rule, alert.workflow_id, at) or at
        alert.due_at = min(alert.due_at or look_at, look_at)


def _end_alerts(session: Session, rule_id: int, why: Ending) -> None:
    end(session, session.scalars(_living(rule_id)).all(), why, now())


def _living(rule_id: int) -> Select[Alert]:
    """The rule's alerts that are open, and those whose end waits to be told."""
    is_living = or_(Alert.ended_at.is_(None), Alert.due_at.is_not(None))
    query = select(Alert).where(Alert.rule_id == rule_id, is_living)
    return query.execution_options(populate_existing=True)


def _connect(session: Session, rule: AlertRule, channel_ids: Iterable[int]) -> None:
    session.add_all(
        AlertRuleChannel(rule_id=rule.id, channel_id=channel_id) for channel_id in channel_ids
    )


def _refuse_taken(session: Session, workspace_id: int, name: str, but: int | None = None) -> None:
    taken = select(AlertRule.id).where(
        AlertRule.workspace_id == workspace_id,
        AlertRule.name == name,
        AlertRule.id != (but or 0),
    )
    if session.scalar(taken) is not None:
        raise RefusedError("name", f"Another rule has the name {name}.")


def _refuse_too_many(session: Session, workspace_id: int) -> None:
    ids = select(AlertRule.id).where(AlertRule.workspace_id == workspace_id).limit(MOST_RULES)
    if len(session.scalars(ids).all()) >= MOST_RULES:
        raise RefusedError(
            "name", f"There are {MOST_RULES} rules, as many as a workspace can have. Delete one."
        )
