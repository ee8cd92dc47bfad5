"""Alerts: the list of open and past ones, and each one's page with its messages."""

from datetime import datetime
from typing import Any, NamedTuple

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Select, false, func, null, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from app.alerting.explanations import describe_silence
from app.alerting.kinds import KINDS
from app.alerting.quiet import zone_named
from app.alerting.reasons import in_words, reasons_of
from app.alerting.words import ending_of
from app.clock import now
from app.console.guards import current_workspace
from app.console.kept import kept_alerts, kept_since
from app.console.key_pages import find_id_page
from app.console.reader import current_reader
from app.console.run_list import ListedRun, load_runs
from app.extensions import db
from app.models import (
    Alert,
    AlertMessage,
    AlertRule,
    Channel,
    Delivery,
    Event,
    OutboxMessage,
    Run,
    Workflow,
)
from app.processing.silence_causes import explain_silence
from app.workspaces.alert_rules import close_alert

PAGE_SIZE = 25
MOST_MESSAGES = 50
VIEWS = {"open": "Open", "past": "Past", "all": "All"}

blueprint = Blueprint("alerts", __name__)


class Filter(NamedTuple):
    """What the address asks for."""

    view: str
    kind: str
    workflow: str

    def address(self, **changes: Any) -> str:
        chosen = {**self._asdict(), **changes}
        usual = {"view": "open", "kind": "", "workflow": ""}
        kept = {name: value for name, value in chosen.items() if value != usual.get(name)}
        return url_for("alerts.show_alerts", **kept)


class Told(NamedTuple):
    """A message, and its way to each channel."""

    message: OutboxMessage
    deliveries: list[Delivery]


class Explanation(NamedTuple):
    """Of an open silence; `event_id` is the public id of the refused request."""

    text: str = ""
    cause: str = ""
    event_id: str = ""


class Why(NamedTuple):
    """A reason that requests were refused for; `event_id` is the public id of the newest, where
    it is still kept."""

    text: str
    event_id: str


@blueprint.get("/alerts")
def show_alerts() -> ResponseReturnValue:
    workspace_id, wanted = current_workspace().id, _read_filter()
    page = find_id_page(_of(workspace_id, wanted), Alert.id, PAGE_SIZE, "an alert")
    listed = select(Alert).where(Alert.id.in_(page.keys)).options(joinedload(Alert.workflow))
    return render_template(
        "console/alerts.html",
        page=page,
        alerts=db.session.scalars(listed.order_by(Alert.id.desc())).all(),
        unreadable=page.mistakes,
        page_url=wanted.address,
        filter=wanted,
        views=VIEWS,
        open_count=_count_open(workspace_id),
        kinds=KINDS,
        has_rules=_has_rows(AlertRule, workspace_id),
        has_channels=_has_rows(Channel, workspace_id),
        kept=kept_alerts(),
    ), page.status


@blueprint.get("/alerts/<public_id:public_id>")
def show_alert(public_id: str) -> str:
    alert = _find(public_id)
    stuck = alert.detail.get("runs", []) if KINDS[alert.kind].source == "stuck" else []
    run_ids = [alert.detail.get("run"), *stuck][:6]
    return render_template(
        "console/alert.html",
        alert=alert,
        kind=KINDS[alert.kind],
        told=_list_told(alert),
        kept=kept_since("delivery", _find_oldest_told(alert)),
        runs=_list_runs(alert, [each for each in run_ids if each]),
        waits_for=_explain_wait(alert),
        ending=ending_of(alert),
        explanation=explain_alert(alert),
        reasons=_list_reasons(alert),
    )


@blueprint.post("/alerts/<public_id:public_id>/close")
def close(public_id: str) -> ResponseReturnValue:
    alert = _find(public_id)
    close_alert(alert)
    flash("The alert is closed. A later finding is told again.", "success")
    return redirect(url_for("alerts.show_alert", public_id=public_id), 303)


def list_of_workflow(workflow: Workflow, limit: int = 5) -> list[Alert]:
    """The workflow's newest alerts, the open ones first."""
    views = (Filter(view, "", workflow.public_id) for view in ("open", "past"))
    parts = (_of(workflow.workspace_id, each).order_by(Alert.id.desc()) for each in views)
    return [each for part in parts for each in db.session.scalars(part.limit(limit))][:limit]


def list_open(workspace_id: int, limit: int) -> tuple[list[Alert], int]:
    """The newest open alerts that are not silenced, and how many there are."""
    is_open = _of(workspace_id, Filter("open", "", "")).where(Alert.is_muted.is_(False))
    query = is_open.options(joinedload(Alert.workflow)).order_by(Alert.id.desc())
    count = db.session.scalar(select(func.count()).select_from(is_open.subquery())) or 0
    return list(db.session.scalars(query.limit(limit))), count


def list_alerted(workspace_id: int) -> set[tuple[str, int]]:
    """What the open alerts that are not silenced are about: the source and the workflow's id."""
    is_open = _of(workspace_id, Filter("open", "", "")).where(Alert.is_muted.is_(False))
    rows = db.session.execute(is_open.with_only_columns(Alert.kind, Alert.workflow_id))
    return {
        (KINDS[kind].source, workflow_id) for kind, workflow_id in rows if workflow_id is not None
    }


def _read_filter() -> Filter:
    view, kind = request.args.get("view", "open"), request.args.get("kind", "")
    return Filter(
        view if view in VIEWS else "open",
        kind if kind in KINDS else "",
        request.args.get("workflow", "")[:24].replace("\0", ""),
    )


def _of(workspace_id: int, wanted: Filter) -> Select[Alert]:
    """Open ones are few, and found by their own index; the others by the index of what is asked."""
    is_open = wanted.view == "open"
    query = select(Alert)
    if is_open or not wanted.workflow:
        query = query.where(Alert.workspace_id == workspace_id)
    if wanted.view != "all":
        query = query.where(Alert.ended_at.is_(None) if is_open else Alert.ended_at.is_not(None))
    if wanted.kind:
        query = query.where(_behind(Alert.kind, is_open) == wanted.kind)
    if wanted.workflow:
        # Asked for beforehand: PostgreSQL judges by the number how far it would have to walk.
        number = _find_workflow(workspace_id, wanted.workflow)
        query = query.where(_behind(Alert.workflow_id, is_open) == number if number else false())
    return query


def _find_workflow(workspace_id: int, public_id: str) -> int | None:
    mine = select(Workflow.id).where(Workflow.workspace_id == workspace_id)
    return db.session.scalar(mine.where(Workflow.public_id == public_id))


def _behind(column: InstrumentedAttribute[Any], is_open: bool) -> Any:
    """The column, without its index where another shall be taken."""
    return func.coalesce(column, null()) if is_open else column


def _count_open(workspace_id: int) -> int:
    query = _of(workspace_id, Filter("open", "", "")).with_only_columns(func.count(Alert.id))
    return db.session.scalar(query) or 0


def _has_rows(table: type[AlertRule] | type[Channel], workspace_id: int) -> bool:
    query = select(table.id).where(table.workspace_id == workspace_id)
    return db.session.scalar(query.limit(1)) is not None


def _find(public_id: str) -> Alert:
    query = select(Alert).where(
        Alert.public_id == public_id, Alert.workspace_id == current_workspace().id
    )
    alert = db.session.scalar(query.options(joinedload(Alert.workflow), joinedload(Alert.rule)))
    if alert is None:
        abort(404, "There is no such alert in this workspace.")
    return alert


def _list_told(alert: Alert) -> list[Told]:
    """The newest messages, and where they have gone."""
    newest = select(AlertMessage.message_id).where(AlertMessage.alert_id == alert.id)
    newest = newest.order_by(AlertMessage.message_id.desc()).limit(MOST_MESSAGES)
    ids = db.session.scalars(newest).all()
    listed = select(OutboxMessage).where(OutboxMessage.id.in_(ids))
    messages = db.session.scalars(listed.order_by(OutboxMessage.id.desc())).all()
    query = select(Delivery).where(Delivery.message_id.in_(ids)).order_by(Delivery.id)
    deliveries = db.session.scalars(query.options(joinedload(Delivery.channel))).all()
    return [
        Told(message, [each for each in deliveries if each.message_id == message.id])
        for message in messages
    ]


def _find_oldest_told(alert: Alert) -> datetime | None:
    oldest = select(AlertMessage.message_id).where(AlertMessage.alert_id == alert.id)
    first = oldest.order_by(AlertMessage.message_id).limit(1).scalar_subquery()
    return db.session.scalar(select(OutboxMessage.created_at).where(OutboxMessage.id == first))


def _list_runs(alert: Alert, public_ids: list[str]) -> list[ListedRun]:
    query = select(Run.id).where(
        Run.workspace_id == alert.workspace_id, Run.public_id.in_(public_ids)
    )
    return load_runs(db.session.scalars(query).all()) if public_ids else []


def _list_reasons(alert: Alert) -> list[Why]:
    """Why requests were refused as of its last finding, the most frequent first."""
    reasons = reasons_of(alert.detail)
    ids = [reason["event"] for reason in reasons]
    kept = select(Event.public_id).where(
        Event.public_id.in_(ids), Event.workspace_id == alert.workspace_id
    )
    there = set(db.session.scalars(kept)) if reasons else set()
    return [
        Why(in_words(reason), reason["event"] if reason["event"] in there else "")
        for reason in reasons
    ]


def explain_alert(alert: Alert) -> Explanation:
    """Since when a silent workflow has not run, and what may keep its reports out."""
    is_silent = KINDS[alert.kind].source == "silences" and alert.ended_at is None
    if not is_silent or alert.workflow is None:
        return Explanation()
    moment, zone = now(), zone_named(current_reader().zone_name or "UTC")
    cause = explain_silence(db.session(), alert.workflow, moment, zone)
    return Explanation(
        describe_silence(db.session(), alert.workflow, moment, zone),
        cause.text if cause else "",
        cause.event_id if cause else "",
    )


def _explain_wait(alert: Alert) -> str:
    """Why nobody was told of it, or not yet."""
    if ending_of(alert) and alert.last_told_at is None:
        return "It was not told: it had ended before."
    if alert.is_muted and alert.last_told_at is None:
        return "It was not told: a snooze or a maintenance window silenced it."
    if alert.last_told_at is not None or alert.rule is None:
        return ""
    if alert.ended_at is not None and alert.due_at is None:
        return "It was not told: it was over within the rule's cool-down."
    return (
        "It is not told yet: quiet hours, a snooze, maintenance, the cool-down or the limit of "
        "messages hold it back."
    )
