"""Alert rules: the list, switching, snoozing and deleting, and a first rule by one click."""

from collections.abc import Sequence
from datetime import timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, selectinload

from app.alerting.kinds import KINDS
from app.alerting.rulebook import looks_at
from app.clock import now
from app.console.guards import current_workspace, signed_in_user
from app.console.paging import Paged
from app.extensions import db
from app.models import Alert, AlertRule, Channel, Workflow
from app.workspaces.alert_rules import (
    SUGGESTED_NAME,
    delete_rule,
    snooze_rule,
    suggest_rule,
    switch_rule,
)
from app.workspaces.labels import list_labels
from app.workspaces.people import RefusedError

PAGE_SIZE = 25
SNOOZES = {
    "1h": ("1 hour", timedelta(hours=1)),
    "8h": ("8 hours", timedelta(hours=8)),
    "1d": ("1 day", timedelta(days=1)),
    "1w": ("1 week", timedelta(weeks=1)),
}

blueprint = Blueprint("alert_rules", __name__)


@blueprint.get("/alerts/rules")
def show_rules() -> str:
    workspace_id = current_workspace().id
    every = list_rules(workspace_id)
    paged = Paged(len(every), PAGE_SIZE, "alert_rules.show_rules")
    rules = every[paged.part]
    return render_template(
        "console/alert_rules.html",
        rules=rules,
        has_rules=bool(every),
        paged=paged,
        open_counts=_count_open(rules),
        kinds=KINDS,
        snoozes=SNOOZES,
        now=now(),
        suggestion=SUGGESTED_NAME,
        has_channels=has_channels(workspace_id),
    )


@blueprint.post("/alerts/rules/suggested")
def add_suggested() -> ResponseReturnValue:
    try:
        rule = suggest_rule(current_workspace().id, signed_in_user())
    except RefusedError as error:
        flash(str(error), "error")
    else:
        flash(f"The rule “{rule.name}” is on.", "success")
    return _back()


@blueprint.post("/alerts/rules/<public_id:public_id>/switch")
def switch(public_id: str) -> ResponseReturnValue:
    rule, is_on = find_rule(public_id), request.form.get("on") == "1"
    switch_rule(rule, is_on)
    flash(f"The rule “{rule.name}” is {'on' if is_on else 'off'}.", "success")
    return _back()


@blueprint.post("/alerts/rules/<public_id:public_id>/snooze")
def snooze(public_id: str) -> ResponseReturnValue:
    """Without a length that is known: wake it."""
    rule = find_rule(public_id)
    label, length = SNOOZES.get(request.form.get("for", ""), ("", None))
    snooze_rule(rule, now() + length if length else None)
    said = f"tells nothing for {label}" if length else "tells again"
    flash(f"The rule “{rule.name}” {said}.", "success")
    return _back()


@blueprint.post("/alerts/rules/<public_id:public_id>/delete")
def delete(public_id: str) -> ResponseReturnValue:
    rule = find_rule(public_id)
    name = rule.name
    delete_rule(rule)
    flash(f"The rule “{name}” is deleted. Its alerts stay in the list.", "success")
    return _back()


def find_rule(public_id: str) -> AlertRule:
    """The rule of the user's workspace; 404 for any other."""
    rule = db.session.scalar(
        select(AlertRule).where(
            AlertRule.public_id == public_id, AlertRule.workspace_id == current_workspace().id
        )
    )
    if rule is None:
        abort(404, "There is no such rule in this workspace.")
    return rule


def list_rules(workspace_id: int) -> list[AlertRule]:
    query = select(AlertRule).where(AlertRule.workspace_id == workspace_id)
    loaded = query.options(joinedload(AlertRule.workflow), selectinload(AlertRule.channels))
    return list(db.session.scalars(loaded.order_by(AlertRule.name)))


def list_rules_of(workflow: Workflow) -> list[AlertRule]:
    """The rules that look at the workflow's runs, on or off."""
    labels = list_labels(workflow)
    rules = list_rules(workflow.workspace_id)
    about = [rule for rule in rules if KINDS[rule.kind].source != "refused"]
    return [rule for rule in about if looks_at(rule, workflow.id, labels)]


def has_channels(workspace_id: int) -> bool:
    query = select(Channel.id).where(Channel.workspace_id == workspace_id)
    return db.session.scalar(query.limit(1)) is not None


def _count_open(rules: Sequence[AlertRule]) -> dict[int, int]:
    query = select(Alert.rule_id, func.count(Alert.id)).where(
        Alert.rule_id.in_([rule.id for rule in rules]), Alert.ended_at.is_(None)
    )
    rows = db.session.execute(query.group_by(Alert.rule_id))
    return {rule_id: count for rule_id, count in rows if rule_id is not None}


def _back() -> ResponseReturnValue:
    return redirect(url_for("alert_rules.show_rules"), 303)
