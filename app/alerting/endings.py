"""Alerts that end though nothing has recovered: since nobody looks any more, or by hand."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from app.alerting.course import end_quietly
from app.alerting.incidents import resolve
from app.alerting.words import Ending
from app.models import Alert, AlertRule, Workflow, WorkflowLabel


def end(session: Session, alerts: Collection[Alert], why: Ending, now: datetime) -> None:
    """Nobody is told, but their incidents are resolved."""
    for alert in alerts:
        end_quietly(alert, why, now)
    session.flush()
    resolve(session, alerts, now)


def end_stale(session: Session, stale: Iterable[tuple[Alert, Ending]], now: datetime) -> None:
    for alert, why in stale:
        end(session, [alert], why, now)


def find_stale(session: Session, *conditions: ColumnElement[bool]) -> list[tuple[Alert, Ending]]:
    """Alerts that are open or due and that no rule looks after any more, and why."""
    query = (
        select(Alert, Workflow.archived_at, AlertRule.id, AlertRule.is_on)
        .outerjoin(Workflow, Workflow.id == Alert.workflow_id)
        .outerjoin(AlertRule, AlertRule.id == Alert.rule_id)
        .where(
            or_(
                Workflow.archived_at.is_not(None),
                AlertRule.id.is_(None),
                AlertRule.is_on.is_(False),
                _is_uncovered(),
            ),
            *conditions,
        )
    )
    # One after the other, each along its index.
    living = (Alert.ended_at.is_(None), Alert.ended_at.is_not(None) & Alert.due_at.is_not(None))
    return [
        (alert, _name(archived_at, rule_id, is_on))
        for condition in living
        for alert, archived_at, rule_id, is_on in session.execute(query.where(condition))
    ]


def _is_uncovered() -> ColumnElement[bool]:
    has_label = exists().where(
        WorkflowLabel.workflow_id == Alert.workflow_id, WorkflowLabel.label == AlertRule.label
    )
    return or_(
        AlertRule.workflow_id != Alert.workflow_id,
        and_(AlertRule.label.is_not(None), Alert.workflow_id.is_not(None), ~has_label),
    )


def _name(archived_at: datetime | None, rule_id: int | None, is_on: bool | None) -> Ending:
    if archived_at is not None:
        return "archived"
    if rule_id is None:
        return "deleted"
    return "uncovered" if is_on else "off"
