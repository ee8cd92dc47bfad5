"""The form of an alert rule, new or old, with what the rule would have sent."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.alerting.kinds import KINDS, Kind
from app.alerting.replay import Replay, replay
from app.clock import now
from app.console.alert_rules import find_rule
from app.console.guards import current_workspace, signed_in_user
from app.console.reader import chart_zone
from app.extensions import db
from app.htmx import is_for_htmx
from app.models import AlertRule, Channel
from app.workspaces.alert_rules import change_rule, create_rule
from app.workspaces.alert_scopes import ALL, list_scopes
from app.workspaces.people import RefusedError
from app.workspaces.profile import time_zones
from app.workspaces.rule_drafts import POLICY, RuleDraft, as_rule, read_draft

SHOWN = 8
"""Alerts of the preview that are shown; it counts all."""

blueprint = Blueprint("rule_form", __name__)


@blueprint.get("/alerts/rules/new")
def show_new() -> str:
    kind = KINDS.get(request.args.get("kind", ""))
    if kind is None:
        return render_template("console/alert_rule_kinds.html", kinds=KINDS.values())
    form = _blank(kind)
    scope = request.args.get("scope", "")
    if scope:
        form["scope"] = scope
    return _show(kind, None, form, {})


@blueprint.post("/alerts/rules/new")
def add() -> ResponseReturnValue:
    workspace_id, kind = current_workspace().id, _wanted_kind()
    draft = read_draft(workspace_id, kind, request.form)
    try:
        draft.mistakes.refuse()
        rule = create_rule(workspace_id, draft, signed_in_user())
    except RefusedError as error:
        return _show(kind, None, request.form, error.errors), 422
    flash(f"The rule “{rule.name}” is on.", "success")
    return redirect(url_for("alert_rules.show_rules"), 303)


@blueprint.get("/alerts/rules/<public_id:public_id>")
def show_rule(public_id: str) -> str:
    rule = find_rule(public_id)
    return _show(KINDS[rule.kind], rule, _fill(rule), {})


@blueprint.post("/alerts/rules/<public_id:public_id>")
def save(public_id: str) -> ResponseReturnValue:
    rule = find_rule(public_id)
    kind = KINDS[rule.kind]
    draft = read_draft(rule.workspace_id, kind, request.form)
    try:
        draft.mistakes.refuse()
        change_rule(rule, draft)
    except RefusedError as error:
        return _show(kind, rule, request.form, error.errors), 422
    flash(f"The rule “{rule.name}” was saved.", "success")
    return redirect(url_for("alert_rules.show_rules"), 303)


@blueprint.post("/alerts/rules/preview")
def preview() -> str:
    """What the rule as it is typed would have sent; without JavaScript, the whole page again.

    The form asks for it once it is there: a page must not wait for it.
    """
    kind, workspace_id = _wanted_kind(), current_workspace().id
    draft = read_draft(workspace_id, kind, request.form)
    shown = _preview(workspace_id, draft)
    if is_for_htmx():
        return render_template("console/_rule_preview.html", **shown)
    public_id = request.form.get("rule", "")
    rule = find_rule(public_id) if public_id else None
    return _show(**{"rule": rule, "form": request.form, "errors": draft.errors, **shown})


def _wanted_kind() -> Kind:
    kind = KINDS.get(request.form.get("kind", ""))
    if kind is None:
        abort(400, f"The kind of a rule is one of {', '.join(KINDS)}.")
    return kind


def _show(
    kind: Kind,
    rule: AlertRule | None,
    form: MultiDict[str, str],
    errors: Mapping[str, list[str]],
    **shown: Any,
) -> str:
    workspace_id = current_workspace().id
    channels = select(Channel).where(Channel.workspace_id == workspace_id).order_by(Channel.name)
    policy = {each["name"]: each for each in list_fields(POLICY, form, errors)}
    return render_template(
        "console/alert_rule.html",
        kind=kind,
        rule=rule,
        form=form,
        errors=errors,
        numbers=list_fields(kind.schema, form, errors),
        policy=policy,
        scopes=list_scopes(workspace_id, form.get("scope", ALL)),
        channels=db.session.scalars(channels).all(),
        ticked=form.getlist("channel"),
        zones=time_zones(),
        **shown,
    )


def list_fields(
    schema: Schema, form: Mapping[str, str], errors: Mapping[str, list[str]]
) -> list[dict[str, Any]]:
    """The schema's fields as a form shows them."""
    return [
        {
            "name": name,
            "label": field.metadata["label"],
            "hint": field.metadata["hint"],
            "optional": not field.required,
            "value": form.get(name, ""),
            "errors": errors.get(name, ()),
        }
        for name, field in schema.fields.items()
    ]


def _preview(workspace_id: int, draft: RuleDraft) -> dict[str, Any]:
    """Of what can't be read, there is none."""
    result: Replay | None = None
    if not draft.errors:
        result = replay(db.session(), as_rule(workspace_id, draft), now())
    return {
        "replayed": result,
        "kind": draft.kind,
        "draft_errors": draft.errors,
        "shown": SHOWN,
    }


def _blank(kind: Kind) -> MultiDict[str, str]:
    """A new rule with what is usual; it goes to all channels."""
    form: MultiDict[str, str] = MultiDict({"name": kind.label, "scope": ALL, "tells_recovery": "1"})
    for schema in (kind.schema, POLICY):
        for name, field in schema.fields.items():
            initial = field.metadata["initial"]
            form[name] = "" if initial is None else str(initial)
    form["quiet_zone"] = chart_zone()[0]
    ids = select(Channel.public_id).where(
        Channel.workspace_id == current_workspace().id, Channel.disabled_at.is_(None)
    )
    form.setlist("channel", list(db.session.scalars(ids)))
    return form


def _fill(rule: AlertRule) -> MultiDict[str, str]:
    """The form of a rule that is there."""
    scope = f"label:{rule.label}" if rule.label else ALL
    if rule.workflow is not None:
        scope = f"workflow:{rule.workflow.public_id}"
    columns = {
        "name": rule.name,
        "scope": scope,
        "cool_down_minutes": rule.cool_down_minutes,
        "reminder_minutes": rule.reminder_minutes,
        "recovery_after": rule.recovery_after,
        "quiet_from": rule.quiet_from,
        "quiet_until": rule.quiet_until,
        "quiet_zone": rule.quiet_zone or chart_zone()[0],
        **{name: f"{value:.15g}" for name, value in rule.numbers.items()},
    }
    form: MultiDict[str, str] = MultiDict(
        {name: "" if value is None else str(value) for name, value in columns.items()}
    )
    if rule.tells_recovery:
        form["tells_recovery"] = "1"
    form.setlist("channel", [channel.public_id for channel in rule.channels])
    return form
